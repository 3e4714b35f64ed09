//! The answer to a shell that asks what could stand at the cursor.

use std::ffi::OsString;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::complete::{Candidate, Question, Wanted, question};
use super::{CompleteArgs, command, parse};
use crate::commands::completion::remote::{self, local_candidates};
use crate::commands::completion::words::Line;
use crate::context::Ctx;
use crate::env::{self, Environment};
use crate::error::{CliError, Outcome};
use crate::path::RemotePath;
use crate::settings::Settings;
use crate::ui::Ui;

/// Says what could stand at the cursor, a candidate a line. What goes wrong is not told: somebody is typing.
///
/// # Errors
/// Standard output takes no more.
pub fn tell(arguments: &CompleteArgs, environment: &Environment, ui: &Arc<Ui>) -> Result<Outcome, CliError> {
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
    let found: Vec<Candidate> = match &question.wanted {
        Wanted::Words(words) => words.clone(),
        Wanted::Local { only_folders } => plain(local(*only_folders)),
        Wanted::Remote => plain(remote_candidates(&question, environment, ui)),
        Wanted::Either if RemotePath::is_marked(&question.typed) => {
            plain(remote_candidates(&question, environment, ui))
        }
        Wanted::Either => {
            let marker = ["cells://".to_owned()].into_iter().filter(|marker| marker.starts_with(&question.typed));
            plain(marker.chain(local(false)).collect())
        }
    };
    for (value, told) in found {
        let value = format!("{}{value}", question.before);
        match &line {
            Some(line) => ui.line(&line.give_back(&value))?,
            None if told.is_empty() => ui.line(&value)?,
            None => ui.line(&format!("{value}\t{told}"))?,
        }
    }
    Ok(Outcome::Done)
}

fn plain(values: Vec<String>) -> Vec<Candidate> {
    values.into_iter().map(|value| (value, String::new())).collect()
}

/// The paths on the server, for the account that the line names.
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
