//! The commands, with a file or a folder each: their arguments (the doc comments are the help), their description of
//! themselves ([`verb::Verb`]), and their actions. The only list of them is here.

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
pub mod transfers;
pub mod trash;
pub mod tree;
pub mod update;
pub mod verb;
pub mod version;

use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::sys::signal::{self, Signal};
use crate::ui::waiting::Waiting;
use shared::links;
use verb::{About, Choice, Idioms, offline_verbs, verbs};

verbs! {
    /// The commands that work on a server, or with stored accounts.
    pub enum Command {
        /// Sign in to a server and store the account
        Configure(configure::Args),
        /// Manage stored accounts
        #[command(subcommand)]
        Config(config::Verbs),
        /// Show who is signed in to which server
        Info(info::Args),
        /// Remove all stored accounts
        Clear(clear::Args),
        /// List workspaces, folders and files
        #[command(alias = "list")]
        Ls(ls::Args),
        /// Show all details of files and folders
        Stat(stat::Args),
        /// Find files and folders by name, type, size and age
        Find(find::Args),
        /// Search names and metadata in the server's index
        Search(search::Args),
        /// Show size and quota of workspaces
        About(about::Args),
        /// Add up the sizes of files
        Du(du::Args),
        /// Show folders as a tree
        Tree(tree::Args),
        /// Make folders
        Mkdir(mkdir::Args),
        /// Copy files and folders on the server
        Cp(cp::Args),
        /// Move or rename files and folders on the server
        Mv(mv::Args),
        /// Move files and folders to the recycle bin, or delete them permanently
        Rm(rm::Args),
        /// List, restore or permanently delete the content of recycle bins
        #[command(subcommand)]
        Trash(trash::Verbs),
        /// Restore items from a recycle bin to their original place
        Restore(restore::Args),
        /// Make an archive on the server
        Compress(compress::Args),
        /// Unpack an archive on the server
        Extract(extract::Args),
        /// Write the content of files to standard output
        Cat(cat::Args),
        /// Upload or download files and folders
        Scp(scp::Args),
        /// List, resume or abort unfinished transfers on this machine
        #[command(subcommand)]
        Transfers(transfers::Verbs),
        /// Show and set metadata of files and folders
        #[command(subcommand)]
        Meta(meta::Verbs),
        /// Make, list, change and remove public links
        Share(share::Args),
        /// Manage users, groups, roles, workspaces and permissions
        #[command(subcommand)]
        Idm(idm::Verbs),
        /// Manage data sources (for administrators)
        #[command(subcommand)]
        Storage(storage::Verbs),
        /// Manage jobs on the server
        #[command(subcommand)]
        Jobs(jobs::Verbs),
        /// Send any REST request and show the response
        Api(api::Args),
        /// Find out why something does not work
        Doctor(doctor::Args),
        /// Update this program to a newer version
        Update(update::Args),
    }
}

offline_verbs! {
    /// The commands that need nothing but themselves.
    pub enum OfflineCommand {
        /// Show the version of this program
        Version(version::Args),
        /// Hash local files, compare version numbers
        #[command(subcommand)]
        Tools(tools::Verbs),
        /// Print the completion script for a shell
        Completion(completion::Args),
        /// Write the help of all commands as documents
        #[command(hide = true)]
        Doc(doc::Args),
    }
}

/// Returns what the parser must know about all commands.
pub fn idioms() -> Idioms {
    let mut idioms = Idioms::default();
    Command::collect_idioms(&mut idioms);
    idioms
}

/// Runs a command until it completes or is stopped by a signal.
///
/// # Errors
/// The command's error; [`Kind::Interrupted`], [`Kind::Terminated`] or [`Kind::HungUp`] after a signal.
pub async fn dispatch(ctx: &Ctx, command: Command) -> Result<Outcome, CliError> {
    let ui = ctx.ui.clone();
    let signals = signal::watch(ctx.cancel.clone(), move || ui.clear())
        .map_err(|error| CliError::from(error).during("starting"))?;
    let About { activity, stops_itself, .. } = command.about();
    let waiting = Waiting::on_terminal(&ctx.ui, activity);
    let result = tokio::select! {
        // If a command completes at the moment of a signal, its result counts.
        biased;
        result = run(ctx, command) => result.map_err(|error| links::explain(ctx, error)),
        () = ctx.cancel.cancelled(), if !stops_itself => Ok(Outcome::Done),
    };
    drop(waiting);
    let (kind, message) = match signals.first() {
        Some(Signal::Interrupt) => (Kind::Interrupted, "interrupted"),
        Some(Signal::Terminate) => (Kind::Terminated, "terminated"),
        Some(Signal::Hangup) => (Kind::HungUp, "the terminal was closed"),
        None => return result,
    };
    // Keeps what an interrupted command reports about its progress and how to continue.
    let Some(report) = result.err().filter(|error| error.kind == Kind::Interrupted) else {
        return Err(CliError::new(kind, message));
    };
    let how_far = if report.says_how_far { format!(": {}", report.message) } else { String::new() };
    Err(CliError { hints: report.hints, ..CliError::new(kind, format!("{message}{how_far}")) })
}

async fn run(ctx: &Ctx, command: Command) -> Result<Outcome, CliError> {
    let paths = command.about().remote_paths;
    tokio::select! {
        opened = links::open(ctx, &paths) => opened?,
        () = ctx.cancel.cancelled() => return Err(CliError::interrupted()),
    }
    command.run(ctx).await
}
