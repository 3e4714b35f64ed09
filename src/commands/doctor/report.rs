//! The results of the checks, and their output.

use serde::Serialize;

use crate::error::{CliError, Kind, Outcome};
use crate::ui::{Piece, Ui};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn style(self) -> &'static str {
        match self {
            Self::Ok => "\u{1b}[32m",
            Self::Warning => "\u{1b}[1;33m",
            Self::Failed => "\u{1b}[1;31m",
            Self::Skipped => "\u{1b}[2m",
        }
    }
}

/// The result of a check, with its message.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    message: String,
    hint: Option<String>,
    /// The exit code of this failure.
    code: Option<u8>,
    #[serde(skip)]
    kind: Option<Kind>,
}

/// The results so far. Each is printed at once, except in JSON, which is one document.
pub(super) struct Report<'a> {
    ui: &'a Ui,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self { ui, findings: Vec::new() }
    }

    /// Reports that all is well.
    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) -> Result<(), CliError> {
        self.add(check, Verdict::Ok, message.into(), None, None)
    }

    /// Reports that something works, but not as it should.
    pub(super) fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Result<(), CliError> {
        self.add(check, Verdict::Warning, message.into(), Some(hint.into()), None)
    }

    /// Reports that a check was not possible, because an earlier one failed or something is missing. A terminal shows
    /// only that earlier failure.
    pub(super) fn passed_over(&mut self, check: &'static str, why: &str) -> Result<(), CliError> {
        let message = format!("not checked: {why}");
        let finding = Finding { check, verdict: Verdict::Skipped, message, hint: None, code: None, kind: None };
        if !self.ui.stdout_is_terminal() {
            self.show(&finding)?;
        }
        self.findings.push(finding);
        Ok(())
    }

    /// Reports that there is nothing to check.
    pub(super) fn skipped(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Result<(), CliError> {
        self.add(check, Verdict::Skipped, message.into(), hint.map(str::to_owned), None)
    }

    /// Reports a failure.
    pub(super) fn failed(&mut self, check: &'static str, error: impl Into<CliError>) -> Result<(), CliError> {
        let error = self.ui.advised(&error.into());
        let hint = error.hint_text();
        self.add(check, Verdict::Failed, error.message, hint, Some(error.kind))
    }

    fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        message: String,
        hint: Option<String>,
        kind: Option<Kind>,
    ) -> Result<(), CliError> {
        let finding = Finding { check, verdict, message, hint, code: kind.map(Kind::code), kind };
        self.show(&finding)?;
        self.findings.push(finding);
        Ok(())
    }

    fn show(&self, finding: &Finding) -> Result<(), CliError> {
        if self.ui.is_json() {
            return Ok(());
        }
        let Finding { check, verdict, message, hint, .. } = finding;
        if !self.ui.stdout_is_terminal() {
            let hint = hint.as_deref().unwrap_or("-");
            return Ok(self.ui.line(&format!("{check}\t{}\t{message}\t{hint}", verdict.word()))?);
        }
        let (style, reset) = if self.ui.color() { (verdict.style(), "\u{1b}[0m") } else { ("", "") };
        let (word, said) = (format!("{:7}", verdict.word()), format!("  {check:10}  {}", self.ui.shown(message)));
        let pieces = [Piece::Style(style), Piece::Text(&word), Piece::Style(reset), Piece::Text(&said)];
        self.ui.styled_line(&pieces)?;
        if let Some(hint) = hint {
            self.ui.line(&format!("{:21}hint: {}", "", self.ui.shown(hint)))?;
        }
        Ok(())
    }

    /// Prints the remaining results. The first failure determines the outcome, because later ones are mostly its
    /// consequences.
    pub(super) fn finish(self) -> Result<Outcome, CliError> {
        if self.ui.is_json() {
            self.ui.json_document(&self.findings)?;
        }
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            count => Some(format!("{count} {word}s")),
        };
        let faults = [counted(count(Verdict::Failed), "failure"), counted(count(Verdict::Warning), "warning")];
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        self.ui.status(&if faults.is_empty() { "no problems found".to_owned() } else { faults.join(", ") });
        Ok(self.findings.iter().find_map(|finding| finding.kind).map_or(Outcome::Done, Outcome::Failed))
    }
}
