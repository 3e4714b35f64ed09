//! `cec transfers ls`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::progress;
use crate::commands::shared::transfers::all_unfinished;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::human;
use crate::ui::table::{Column, Table};
use cells_client::path::RemotePath;
use cells_client::transfer::event::Direction;
use cells_client::transfer::journal::Unfinished;

/// Arguments of `cec transfers ls`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It needs no server, and shows the transfers of all accounts on this machine. One that is expired \
    starts from the beginning if you run its command again.\n\nExamples:\n  cec transfers ls\n  cec transfers ls --json"
)]
pub struct Args {}

const COLUMNS: [Column; 8] = [
    Column::whole("ID"),
    Column::fixed("DIRECTION"),
    Column::fixed("STATE"),
    Column::fixed("PROGRESS"),
    Column::fixed("LAST ACTIVE").rank(2),
    Column::whole("LOCAL"),
    Column::whole("REMOTE"),
    Column::text("ACCOUNT").rank(1),
];

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists unfinished transfers.
    ///
    /// # Errors
    /// Standard output cannot be written.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = all_unfinished(ctx);
        if ctx.ui.is_json() {
            ctx.ui.json_document(&found.iter().map(record).collect::<Vec<_>>())?;
            return Ok(Outcome::Done);
        }
        if found.is_empty() {
            ctx.ui.status("no transfer is unfinished");
        }
        let mut table = Table::new(&ctx.ui, &COLUMNS);
        for unfinished in &found {
            let header = &unfinished.header;
            table.row(vec![
                unfinished.id.clone(),
                direction(unfinished).to_owned(),
                state(unfinished).to_owned(),
                if ctx.ui.stdout_is_terminal() { progress(unfinished) } else { unfinished.bytes.to_string() },
                time(ctx, unfinished),
                header.local.display().to_string(),
                remote(unfinished),
                format!("{} on {}", header.user, header.server),
            ])?;
        }
        table.finish()?;
        Ok(Outcome::Done)
    }
}

/// Returns the last time that something arrived.
fn active(unfinished: &Unfinished) -> Option<Timestamp> {
    Timestamp::try_from(unfinished.active).ok()
}

fn time(ctx: &Ctx, unfinished: &Unfinished) -> String {
    match active(unfinished) {
        Some(time) if ctx.ui.stdout_is_terminal() => human::ago(time, Timestamp::now()),
        Some(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => "-".to_owned(),
    }
}

fn direction(unfinished: &Unfinished) -> &'static str {
    match unfinished.direction() {
        Direction::Upload => "upload",
        Direction::Download => "download",
    }
}

fn state(unfinished: &Unfinished) -> &'static str {
    if unfinished.is_running {
        "running"
    } else if unfinished.is_expired() {
        "expired"
    } else {
        "unfinished"
    }
}

/// Returns the remote path with its mark.
pub(super) fn remote(unfinished: &Unfinished) -> String {
    let text = &unfinished.header.remote;
    RemotePath::parse(text).map_or_else(|_| text.clone(), |path| path.marked())
}

fn record(unfinished: &Unfinished) -> Value {
    let header = &unfinished.header;
    json!({
        "id": unfinished.id,
        "direction": direction(unfinished),
        "state": state(unfinished),
        "local": header.local.display().to_string(),
        "remote": remote(unfinished),
        "server": header.server,
        "user": header.user,
        "bytes": unfinished.bytes,
        "size": header.size,
        "active": active(unfinished).map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    })
}
