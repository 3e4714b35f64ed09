//! The answer to a shell that requests completion candidates.

use std::ffi::OsString;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::complete::{Candidate, Candidates, Question, question};
use super::{CompleteArgs, command, parse};
use crate::commands::completion::remote::{self, local_candidates};
use crate::commands::completion::words::Line;
use crate::commands::verb::Completion;
use crate::context::Ctx;
use crate::env::{self, Environment};
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::Ui;
use cells_client::path::RemotePath;

/// Prints the candidates at the cursor, one per line. Failures are not reported, because the user is still typing.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(arguments: &CompleteArgs, environment: &Environment, ui: &Arc<Ui>) -> Result<Outcome, CliError> {
    let mut words = arguments.words.clone();
    let current = words.pop().unwrap_or_default();
    let line = (arguments.shell == "bash")
        .then(|| Line::parse(&current, environment.text(env::COMPLETE_BREAKS).ok().flatten().unwrap_or_default()));
    let question = match &line {
        Some(line) => question(&command(), line.before.get(1..).unwrap_or_default(), &line.current),
        None => question(&command(), &words, &current),
    };
    let home = environment.path(env::HOME);
    let local = |only_folders| local_candidates(&question.typed, home.as_deref(), only_folders);
    let found: Vec<Candidate> = match &question.candidates {
        Candidates::Words(words) => words.clone(),
        Candidates::Paths(Completion::LocalFile) => plain(local(false)),
        Candidates::Paths(Completion::LocalFolder) => plain(local(true)),
        Candidates::Paths(Completion::RemoteOrLocal) if !RemotePath::is_marked(&question.typed) => {
            let marker = ["cells://".to_owned()].into_iter().filter(|marker| marker.starts_with(&question.typed));
            plain(marker.chain(local(false)).collect())
        }
        Candidates::Paths(Completion::Remote | Completion::RemoteOrLocal) => {
            plain(remote_candidates(&question, environment, ui))
        }
    };
    for (value, help) in found {
        let value = format!("{}{value}", question.before);
        match &line {
            Some(line) => ui.line(&line.give_back(&value))?,
            None if help.is_empty() => ui.line(&value)?,
            None => ui.line(&format!("{value}\t{help}"))?,
        }
    }
    Ok(Outcome::Done)
}

fn plain(values: Vec<String>) -> Vec<Candidate> {
    values.into_iter().map(|value| (value, String::new())).collect()
}

/// Returns candidate paths on the server, for the account that the command line names.
fn remote_candidates(question: &Question, environment: &Environment, ui: &Arc<Ui>) -> Vec<String> {
    let line = ["cec"].into_iter().map(OsString::from).chain(question.globals.iter().map(OsString::from));
    let line: Vec<OsString> = line.chain([OsString::from("info")]).collect();
    let Ok(cli) = parse(&line, environment) else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let (Ok(settings), Ok(runtime)) = (Settings::resolve(&cli.globals, environment), runtime) else {
        return Vec::new();
    };
    let ctx = Ctx::new(settings, Arc::clone(ui), CancellationToken::new());
    let found = runtime.block_on(remote::candidates(&ctx, &question.typed));
    runtime.shutdown_background();
    found
}
