//! Commands with several operands: each failure is reported as it happens, the others continue, and the exit code
//! covers all of them.

use super::nodes;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::Ui;
use cells_client::path::RemotePath;
use cells_client::walk::WalkError;

/// Collects the outcomes of a command's operands.
///
/// For one operand, the exit code is its own. For several: partial if any succeeded, otherwise their common code,
/// otherwise 1.
pub struct Operands<'a> {
    ui: &'a Ui,
    done: usize,
    failures: Vec<Kind>,
}

impl<'a> Operands<'a> {
    /// Starts without any outcome.
    pub fn new(ui: &'a Ui) -> Self {
        Self { ui, done: 0, failures: Vec::new() }
    }

    /// Records a success.
    pub fn succeeded(&mut self) {
        self.done += 1;
    }

    /// Records a failure, and prints the error now.
    ///
    /// # Errors
    /// An error that ends everything (nobody is signed in, the server is unreachable, a signal, standard output cannot
    /// be written) is returned to the caller. If operands succeeded before it, it was printed and counts as one of the
    /// failures.
    pub fn failed(&mut self, error: CliError) -> Result<(), CliError> {
        if !error.ends_everything() && !self.ui.is_broken() {
            self.ui.error(&error);
            self.failures.push(error.kind);
            return Ok(());
        }
        let is_silent = matches!(error.kind, Kind::Interrupted | Kind::Terminated | Kind::HungUp | Kind::ClosedPipe);
        if !is_silent && !self.ui.is_broken() && self.done > 0 {
            self.ui.error(&error);
            return Err(CliError::new(Kind::Partial, "the rest was not tried"));
        }
        Err(error)
    }

    /// Records that a folder in a walk below `root` cannot be listed. For `root` itself, this is the failure of the
    /// operand, which is returned; any other is printed and counted, and the walk continues.
    ///
    /// # Errors
    /// As [`Operands::failed`].
    pub fn unlisted(&mut self, root: &RemotePath, folder: &RemotePath, error: WalkError) -> Result<(), CliError> {
        let error = nodes::listing_failed(error, folder);
        if folder == root { Err(error) } else { self.failed(error) }
    }

    /// Records the result of one operand.
    ///
    /// # Errors
    /// As [`Operands::failed`].
    pub fn take(&mut self, result: Result<(), CliError>) -> Result<(), CliError> {
        match result {
            Ok(()) => {
                self.succeeded();
                Ok(())
            }
            Err(error) => self.failed(error),
        }
    }

    /// Records a failure that is reported elsewhere.
    pub fn silent(&mut self, kind: Kind) {
        self.failures.push(kind);
    }

    /// Whether all operands have failed, so that there is nothing to show.
    pub fn all_failed(&self) -> bool {
        self.done == 0 && !self.failures.is_empty()
    }

    /// Returns the number of failures.
    pub fn failure_count(&self) -> usize {
        self.failures.len()
    }

    /// Returns the outcome of the command.
    pub fn outcome(self) -> Outcome {
        match self.failures.as_slice() {
            [] => Outcome::Done,
            _ if self.done > 0 => Outcome::Partial,
            [first, rest @ ..] if rest.iter().all(|kind| kind == first) => Outcome::Failed(*first),
            _ => Outcome::Failed(Kind::Failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OutputSettings;
    use crate::ui::streams::recorded::Recorded;

    fn outcome(results: &[Option<Kind>]) -> Result<Outcome, CliError> {
        let screen = Recorded::pipes(&OutputSettings { json: true, ..OutputSettings::default() }, "");
        let ui = screen.ui();
        let mut operands = Operands::new(&ui);
        for result in results {
            operands.take(result.map_or(Ok(()), |kind| Err(CliError::new(kind, "test"))))?;
        }
        let told = results.iter().filter(|result| result.is_some()).count();
        assert_eq!(screen.stderr().matches("\"message\":\"test\"").count(), told);
        Ok(operands.outcome())
    }

    #[test]
    fn exit_codes_of_one_and_of_several() {
        use Kind::{Exists, Failure, NotFound};
        for (results, expected) in [
            (&[None][..], Outcome::Done),
            (&[None, None], Outcome::Done),
            (&[Some(NotFound)], Outcome::Failed(NotFound)),
            (&[Some(NotFound), Some(NotFound)], Outcome::Failed(NotFound)),
            (&[Some(NotFound), Some(Exists)], Outcome::Failed(Failure)),
            (&[Some(NotFound), None], Outcome::Partial),
            (&[None, Some(Exists), Some(NotFound)], Outcome::Partial),
        ] {
            assert_eq!(outcome(results).expect("an outcome"), expected, "{results:?}");
        }
    }

    #[test]
    fn an_error_that_ends_everything_is_returned() {
        assert_eq!(outcome(&[Some(Kind::Auth), None]).expect_err("an error").kind, Kind::Auth);
        assert_eq!(outcome(&[None, Some(Kind::Auth)]).expect_err("an error").kind, Kind::Partial);
        let ui = Recorded::pipes(&OutputSettings { json: true, ..OutputSettings::default() }, "").ui();
        let dead = || CliError::new(Kind::Unreachable, "nothing listens").concerning_all();
        let mut operands = Operands::new(&ui);
        assert_eq!(operands.failed(dead()).expect_err("an error").kind, Kind::Unreachable);
        operands.succeeded();
        assert_eq!(operands.failed(dead()).expect_err("an error").kind, Kind::Partial);
        assert_eq!(outcome(&[None, Some(Kind::ClosedPipe)]).expect_err("an error").kind, Kind::ClosedPipe);
        assert_eq!(outcome(&[None, Some(Kind::Interrupted)]).expect_err("an error").kind, Kind::Interrupted);
    }
}
