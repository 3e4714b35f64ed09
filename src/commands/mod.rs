//! The commands, a file each: what they take (the doc comments are the help) and what they do.

pub mod about;
pub mod api;
pub mod cat;
pub mod clear;
pub mod completion;
pub mod compress;
pub mod config;
pub mod configure;
pub mod cp;
pub mod doc;
pub mod doctor;
pub mod du;
pub mod extract;
pub mod find;
pub mod idm;
pub mod info;
pub mod jobs;
pub mod ls;
pub mod meta;
pub mod mkdir;
pub mod mv;
pub mod restore;
pub mod rm;
pub mod scp;
pub mod search;
pub mod share;
pub mod shared;
pub mod stat;
pub mod storage;
pub mod tools;
pub mod trash;
pub mod tree;
pub mod update;
pub mod version;

use crate::cli::{Command, ConfigCommand, OfflineCommand};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::sys::signal::{self, Signal};
use crate::ui::Ui;
use crate::ui::waiting::Waiting;

/// A flag that other programs need for folders. Here they go with all that is in them; who types it out of habit, or
/// has it in a script, loses nothing by it.
#[derive(Debug, Clone, clap::Args)]
pub struct Habit {
    /// No effect: folders go with all that is in them
    #[arg(short = 'r', short_alias = 'R', long = "recursive", hide = true)]
    _recursive: bool,
}

/// Runs a command until it ends or a signal ends it.
///
/// # Errors
/// The command's; [`Kind::Interrupted`], [`Kind::Terminated`] and [`Kind::HungUp`] after a signal.
pub async fn dispatch(ctx: &Ctx, command: Command) -> Result<Outcome, CliError> {
    let ui = ctx.ui.clone();
    let signals = signal::watch(ctx.cancel.clone(), move || ui.clear())
        .map_err(|error| CliError::from(error).during("starting"))?;
    // A transfer stops by itself: an upload that has sent its last byte must be waited for. A removal does, to say
    // how far it came.
    let stops_itself = matches!(
        command,
        Command::Scp(_)
            | Command::Rm(_)
            | Command::Cp(_)
            | Command::Mv(_)
            | Command::Compress(_)
            | Command::Extract(_)
            | Command::Trash(trash::Verb::Empty(_))
    );
    let waiting = Waiting::on_terminal(&ctx.ui, activity(&command));
    let result = tokio::select! {
        // A command that has ended has ended, whatever was signalled in its last moment.
        biased;
        result = run(ctx, command) => result.map_err(|error| shared::links::explain(ctx, error)),
        () = ctx.cancel.cancelled(), if !stops_itself => Ok(Outcome::Done),
    };
    drop(waiting);
    let (kind, message) = match signals.first() {
        Some(Signal::Interrupt) => (Kind::Interrupted, "interrupted"),
        Some(Signal::Terminate) => (Kind::Terminated, "terminated"),
        Some(Signal::Hangup) => (Kind::HungUp, "the terminal is gone"),
        None => return result,
    };
    // What an interrupted command has to say of how far it came and how to go on is kept.
    let Some(told) = result.err().filter(|error| error.kind == Kind::Interrupted) else {
        return Err(CliError::new(kind, message));
    };
    let how_far = if told.message == "interrupted" { String::new() } else { format!(": {}", told.message) };
    Err(CliError { hints: told.hints, ..CliError::new(kind, format!("{message}{how_far}")) })
}

/// What a command does while it shows nothing.
fn activity(command: &Command) -> &'static str {
    match command {
        Command::Ls(_) | Command::Tree(_) => "listing",
        Command::Find(_) | Command::Search(_) => "searching",
        Command::Du(_) => "adding up sizes",
        Command::Trash(_) => "listing recycle bins",
        Command::Share(_) => "asking for public links",
        Command::Idm(_) => "asking for users and rights",
        Command::Storage(_) => "asking for data sources",
        Command::Jobs(_) => "asking for jobs",
        Command::Cat(_) => "fetching",
        Command::Scp(_) => "checking the paths",
        Command::Rm(_) | Command::Restore(_) | Command::Cp(_) | Command::Mv(_) => "checking the paths",
        Command::Update(_) => "asking for a newer version",
        Command::Doctor(_) => "checking",
        _ => "waiting for the server",
    }
}

/// Runs a command that needs neither server nor account; `quiet` is whether -q is given, `tree` gives the command tree.
///
/// # Errors
/// The command's.
pub fn offline(
    ui: &Ui,
    command: OfflineCommand,
    quiet: bool,
    tree: impl FnOnce() -> clap::Command,
) -> Result<Outcome, CliError> {
    match command {
        OfflineCommand::Version(arguments) => version::run(ui, arguments, quiet),
        OfflineCommand::Tools(command) => tools::run(ui, &command, quiet),
        OfflineCommand::Completion(arguments) => completion::run(ui, &arguments, tree()),
        OfflineCommand::Doc(arguments) => doc::run(ui, &arguments, tree()),
    }
}

async fn run(ctx: &Ctx, command: Command) -> Result<Outcome, CliError> {
    tokio::select! {
        settled = shared::links::settle(ctx, &command) => settled?,
        () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "interrupted")),
    }
    match command {
        Command::Configure(arguments) | Command::Config(ConfigCommand::Add(arguments)) => {
            configure::run(ctx, arguments).await
        }
        Command::Info(arguments) | Command::Config(ConfigCommand::Status(arguments)) => info::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Ls(arguments)) => config::list::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Use(arguments)) => config::select::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Rm(arguments)) => config::remove::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Relog(arguments)) => config::relog::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Token(arguments)) => config::token::run(ctx, arguments).await,
        Command::Config(ConfigCommand::Export(arguments)) => config::export::run(ctx, arguments).await,
        Command::Config(ConfigCommand::CheckKeyring) => config::check::run(ctx).await,
        Command::Clear(arguments) => clear::run(ctx, arguments).await,
        Command::Doctor(arguments) => doctor::run(ctx, arguments).await,
        Command::Ls(arguments) => ls::run(ctx, arguments).await,
        Command::Stat(arguments) => stat::run(ctx, arguments).await,
        Command::Mkdir(arguments) => mkdir::run(ctx, arguments).await,
        Command::About(arguments) => about::run(ctx, arguments).await,
        Command::Search(arguments) => search::run(ctx, arguments).await,
        Command::Find(arguments) => find::run(ctx, arguments).await,
        Command::Du(arguments) => du::run(ctx, arguments).await,
        Command::Tree(arguments) => tree::run(ctx, arguments).await,
        Command::Cp(arguments) => cp::run(ctx, arguments).await,
        Command::Mv(arguments) => mv::run(ctx, arguments).await,
        Command::Trash(verb) => trash::run(ctx, verb).await,
        Command::Restore(arguments) => restore::run(ctx, arguments).await,
        Command::Compress(arguments) => compress::run(ctx, arguments).await,
        Command::Extract(arguments) => extract::run(ctx, arguments).await,
        Command::Rm(arguments) => rm::run(ctx, arguments).await,
        Command::Cat(arguments) => cat::run(ctx, arguments).await,
        Command::Scp(arguments) => scp::run(ctx, arguments).await,
        Command::Update(arguments) => update::run(ctx, arguments).await,
        Command::Meta(verb) => meta::run(ctx, *verb).await,
        Command::Share(arguments) => share::run(ctx, *arguments).await,
        Command::Idm(verb) => idm::run(ctx, *verb).await,
        Command::Storage(verb) => storage::run(ctx, verb).await,
        Command::Jobs(verb) => jobs::run(ctx, *verb).await,
        Command::Api(arguments) => api::run(ctx, *arguments).await,
    }
}
