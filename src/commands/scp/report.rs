//! How a run ended: the failures by name, the summary, the exit code.

use super::{Progress, Summary};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::human;
use cells_client::transfer::TransferError;
use cells_client::transfer::error::Reach;

/// How many failures the list at the end names.
const LISTED_FAILURES: u64 = 100;
/// How many of them because a file exists: these are mostly alike.
const LISTED_EXISTING: usize = 10;

/// What else there is to know of a run.
pub(super) struct Facts<'a> {
    /// It was about one file, whose failure is that of the command.
    pub(super) single: bool,
    /// Nothing was done.
    pub(super) dry_run: bool,
    /// What was shown of it.
    pub(super) progress: &'a Progress,
    /// The command line that goes on, where it is not the same again.
    pub(super) resume: Option<String>,
}

impl Facts<'_> {
    fn folders(&self) -> u64 {
        self.progress.folders()
    }

    /// How to go on where not all was done.
    fn how_to_go_on(&self) -> String {
        match &self.resume {
            Some(line) => format!("to continue, with the same options: {line}"),
            None => "run the same command again: files already transferred are skipped".to_owned(),
        }
    }
}

/// Tells how a run ended.
pub(super) fn report(ctx: &Ctx, mut summary: Summary, facts: &Facts<'_>) -> Result<Outcome, CliError> {
    let record = summary_record(&summary, facts);
    facts.progress.end_manifest(&record);
    if ctx.ui.is_broken() {
        // Nobody reads the plan any more.
        ctx.ui.flush()?;
    }
    if facts.progress.is_json() {
        ctx.ui.json_line(&record)?;
    }
    let outcome = outcome(ctx, &mut summary, facts)?;
    match facts.progress.manifest_failure() {
        Some(message) => Err(CliError::new(Kind::Failure, message)),
        None => Ok(outcome),
    }
}

fn outcome(ctx: &Ctx, summary: &mut Summary, facts: &Facts<'_>) -> Result<Outcome, CliError> {
    if let Some(stopped) = summary.stopped.take() {
        // The files that failed for what ended everything have no other failure than that.
        let failed = if stopped.reach() == Reach::Everything { summary.failures.len() as u64 } else { summary.failed };
        list_failures(ctx, summary, failed);
        ctx.ui.status(&summary_line(summary, "stopped", facts.folders()));
        return Err(match stopped {
            TransferError::Cancelled if facts.resume.is_none() => CliError::new(Kind::Interrupted, "interrupted").hint(
                "run the same command again, with --force if it reports existing files: identical files are skipped",
            ),
            TransferError::Cancelled => CliError::new(Kind::Interrupted, "interrupted").hint(facts.how_to_go_on()),
            error @ TransferError::GaveUp { .. } => CliError::from(error).hint(facts.how_to_go_on()),
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
    ctx.ui.status(&summary_line(summary, word, facts.folders()));
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
        ctx.ui.hint(&format!(
            "{} {differ}: --force replaces {them}, --update replaces only older files, --ignore-existing keeps {them}",
            human::count(existing as u64)
        ));
    }
    if facts.resume.is_some() && !facts.dry_run && succeeded {
        ctx.ui.hint(&facts.how_to_go_on());
    }
    let common = kinds.first().copied().filter(|first| kinds.iter().all(|kind| kind == first));
    Ok(match common {
        _ if succeeded => Outcome::Partial,
        Some(kind) => Outcome::Failed(kind),
        None => Outcome::Failed(Kind::Failure),
    })
}

/// The last JSON object of a run (docs/scripting.md).
fn summary_record(summary: &Summary, facts: &Facts<'_>) -> serde_json::Value {
    serde_json::json!({
        "type": "summary",
        "schema": 1,
        "dry_run": facts.dry_run,
        "transferred": summary.transferred,
        "bytes": summary.bytes,
        "unchanged": summary.unchanged,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "folders": facts.folders(),
        "seconds": (summary.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
    })
}

/// Names the first of `failed` files, a hundred at most; gives the kinds of all that are known.
fn list_failures(ctx: &Ctx, summary: &mut Summary, failed: u64) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(summary.failures.len());
    let (mut listed, mut existing) = (0_u64, 0);
    for failure in std::mem::take(&mut summary.failures) {
        let error = CliError::from(failure.error);
        error.log_causes();
        existing += usize::from(error.kind == Kind::Exists);
        if listed < LISTED_FAILURES && (error.kind != Kind::Exists || existing <= LISTED_EXISTING) {
            listed += 1;
            // Errors of the local file system name the file themselves.
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

fn summary_line(summary: &Summary, word: &str, folders: u64) -> String {
    let files = |count: u64| format!("{} file{}", human::count(count), if count == 1 { "" } else { "s" });
    let mut line = format!(
        "{word}: {} ({}) in {}",
        files(summary.transferred),
        human::bytes(summary.bytes),
        human::duration(summary.elapsed)
    );
    // What took no time or hardly moved anything has no speed.
    let seconds = summary.elapsed.as_secs_f64();
    if seconds >= 1.0 && summary.bytes >= 1 << 20 {
        line.push_str(&format!(" ({}/s)", human::bytes((summary.bytes as f64 / seconds) as u64)));
    }
    let made = if folders == 1 { "folder made" } else { "folders made" };
    for (count, what) in
        [(folders, made), (summary.unchanged, "unchanged"), (summary.skipped, "skipped"), (summary.failed, "failed")]
    {
        if count > 0 {
            line.push_str(&format!(", {} {what}", human::count(count)));
        }
    }
    line
}
