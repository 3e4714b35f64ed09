//! The end of a run: the list of failures, the summary, the exit code.

use super::{Progress, Summary};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::human;
use cells_client::transfer::TransferError;
use cells_client::transfer::error::Reach;

/// The maximum number of failures to list.
const LISTED_FAILURES: u64 = 100;
/// The maximum number of existing targets among them, since these failures are all alike.
const LISTED_EXISTING: usize = 10;

/// How to continue an incomplete run.
pub(super) enum GoOn {
    /// By the same command.
    SameCommand,
    /// By this command line.
    Line(String),
    /// By the complete pipeline, because standard input cannot be read again.
    Pipeline,
}

/// Additional facts about a run.
pub(super) struct Facts<'a> {
    /// Whether it was about one file, whose failure is that of the command.
    pub(super) single: bool,
    /// Whether it was a dry run.
    pub(super) dry_run: bool,
    /// The progress display.
    pub(super) progress: &'a Progress,
    /// How to continue an incomplete run.
    pub(super) go_on: GoOn,
    /// The number of transfers that a later run can continue.
    pub(super) unfinished: usize,
}

impl Facts<'_> {
    fn folders(&self) -> u64 {
        self.progress.folders()
    }

    /// Says what a later run can continue.
    fn tell_unfinished(&self, ctx: &Ctx) {
        let what = match self.unfinished {
            0 => return,
            1 => "1 transfer is unfinished and can be resumed",
            count => &format!("{} transfers are unfinished and can be resumed", human::count(count as u64)),
        };
        ctx.ui.status(&format!("{what}; to list or abort: cec transfers"));
    }

    fn excluded(&self) -> u64 {
        self.progress.excluded()
    }

    /// Returns how to continue an incomplete run.
    fn how_to_go_on(&self) -> String {
        match &self.go_on {
            GoOn::Line(line) => format!("to continue, with the same options: {line}"),
            GoOn::SameCommand => "run the same command again: files already transferred are skipped".to_owned(),
            GoOn::Pipeline => "standard input cannot be resumed: run the complete pipeline again".to_owned(),
        }
    }
}

/// Reports the end of a run.
pub(super) fn report(ctx: &Ctx, mut summary: Summary, facts: &Facts<'_>) -> Result<Outcome, CliError> {
    let record = summary_record(&summary, facts);
    facts.progress.end_manifest(&record);
    if ctx.ui.is_broken() {
        // Fails if the reader of the plan has gone.
        ctx.ui.flush()?;
    }
    if facts.progress.is_json() {
        ctx.ui.json_line(&record)?;
    }
    let outcome = outcome(ctx, &mut summary, facts);
    facts.tell_unfinished(ctx);
    let outcome = outcome?;
    match facts.progress.manifest_failure() {
        Some(message) => Err(CliError::new(Kind::Failure, message)),
        None => Ok(outcome),
    }
}

fn outcome(ctx: &Ctx, summary: &mut Summary, facts: &Facts<'_>) -> Result<Outcome, CliError> {
    if let Some(stopped) = summary.stopped.take() {
        // If the same error ended everything, the files that failed with it count once.
        let failed = if stopped.reach() == Reach::Everything { summary.failures.len() as u64 } else { summary.failed };
        list_failures(ctx, summary, failed);
        ctx.ui.status(&summary_line(summary, "stopped", facts));
        return Err(match stopped {
            TransferError::Cancelled if matches!(facts.go_on, GoOn::SameCommand) => CliError::interrupted().hint(
                "run the same command again, with --force if it reports existing files: identical files are skipped",
            ),
            TransferError::Cancelled => CliError::interrupted().hint(facts.how_to_go_on()),
            error @ (TransferError::GaveUp { .. } | TransferError::LimitReached(_)) => {
                CliError::from(error).hint(facts.how_to_go_on())
            }
            error => error.into(),
        });
    }
    if facts.single
        && summary.failed == 1
        && let Some(failure) = summary.failures.pop()
    {
        let doing = format!("copying {}", failure.source);
        return Err(CliError::from(failure.error).during(doing));
    }
    let word = if facts.dry_run { "would do" } else { "done" };
    let succeeded = summary.transferred + summary.unchanged + summary.skipped + facts.folders() > 0;
    let failed = summary.failed;
    let kinds = list_failures(ctx, summary, failed);
    ctx.ui.status(&summary_line(summary, word, facts));
    if summary.failed == 0 {
        return Ok(Outcome::Done);
    }
    let existing = kinds.iter().filter(|kind| **kind == Kind::Exists).count();
    if existing > 0 {
        let (differ, them) = if existing == 1 {
            ("file already exists and differs", "it")
        } else {
            ("files already exist and differ", "them")
        };
        ctx.ui.hint(format!(
            "{} {differ}: --force replaces {them}, --update replaces only older files, --ignore-existing keeps {them}",
            human::count(existing as u64)
        ));
    }
    if matches!(facts.go_on, GoOn::Line(_)) && !facts.dry_run && succeeded {
        ctx.ui.hint(facts.how_to_go_on());
    }
    let common = kinds.first().copied().filter(|first| kinds.iter().all(|kind| kind == first));
    Ok(match common {
        _ if succeeded => Outcome::Partial,
        Some(kind) => Outcome::Failed(kind),
        None => Outcome::Failed(Kind::Failure),
    })
}

/// Returns the last JSON object of a run (docs/scripting.md).
fn summary_record(summary: &Summary, facts: &Facts<'_>) -> serde_json::Value {
    serde_json::json!({
        "type": "summary",
        "schema": 1,
        "dry_run": facts.dry_run,
        "transferred": summary.transferred,
        "bytes": summary.bytes,
        "unchanged": summary.unchanged,
        "skipped": summary.skipped,
        "excluded": facts.excluded(),
        "failed": summary.failed,
        "folders": facts.folders(),
        "seconds": (summary.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
    })
}

/// Lists the first of `failed` files, at most a hundred. Returns the kinds of all known failures.
fn list_failures(ctx: &Ctx, summary: &mut Summary, failed: u64) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(summary.failures.len());
    let (mut listed, mut existing) = (0_u64, 0);
    for failure in std::mem::take(&mut summary.failures) {
        let error = CliError::from(failure.error);
        error.log_causes();
        existing += usize::from(error.kind == Kind::Exists);
        if listed < LISTED_FAILURES && (error.kind != Kind::Exists || existing <= LISTED_EXISTING) {
            listed += 1;
            // Errors of the local file system already contain the path.
            let bare = failure.source.trim_start_matches("cells://");
            let named = error.message.contains(bare);
            let subject = if named { String::new() } else { format!("{}: ", failure.source) };
            ctx.ui.warn(&format!("failed: {subject}{}", error.message));
        }
        kinds.push(error.kind);
    }
    let unlisted = failed.saturating_sub(listed);
    if unlisted > 0 {
        ctx.ui.warn(&format!("and {} more failed", human::count(unlisted)));
    }
    kinds
}

fn summary_line(summary: &Summary, word: &str, facts: &Facts<'_>) -> String {
    let folders = facts.folders();
    let files = |count: u64| format!("{} file{}", human::count(count), if count == 1 { "" } else { "s" });
    let mut line = format!(
        "{word}: {} ({}) in {}",
        files(summary.transferred),
        human::bytes(summary.bytes),
        human::duration(summary.elapsed)
    );
    // A speed is only meaningful for a minimum of time and bytes.
    let seconds = summary.elapsed.as_secs_f64();
    if seconds >= 1.0 && summary.bytes >= 1 << 20 {
        line.push_str(&format!(" ({}/s)", human::bytes((summary.bytes as f64 / seconds) as u64)));
    }
    let made = if folders == 1 { "folder made" } else { "folders made" };
    for (count, what) in [
        (folders, made),
        (summary.unchanged, "unchanged"),
        (summary.skipped, "skipped"),
        (facts.excluded(), "excluded"),
        (summary.failed, "failed"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {} {what}", human::count(count)));
        }
    }
    line
}
