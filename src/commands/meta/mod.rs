//! `cec meta`: what users attach to files and folders.

mod change;
pub mod get;
pub mod ls;
pub mod set;
pub mod tag;
mod value;

use clap::Subcommand;

use crate::api::meta::Namespace;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};

/// The commands of `cec meta`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the metadata of files and folders
    Get(get::Args),
    /// Set or delete metadata of files and folders
    Set(set::Args),
    /// List what metadata can be set, and of which type
    #[command(alias = "list")]
    Ls(ls::Args),
    /// Put tags on files and folders, or take them off
    #[command(
        subcommand,
        after_help = "Examples:\n  cec meta tag add common-files/report.pdf final 2031\n  \
        cec meta tag rm common-files/report.pdf draft"
    )]
    Tag(tag::Verb),
}

/// Runs a command of `cec meta`.
///
/// # Errors
/// The command's.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::Get(arguments) => get::run(ctx, arguments).await,
        Verb::Set(arguments) => set::run(ctx, arguments).await,
        Verb::Ls(arguments) => ls::run(ctx, arguments).await,
        Verb::Tag(verb) => tag::run(ctx, verb).await,
    }
}

/// All namespaces.
async fn namespaces(ctx: &Ctx) -> Result<Vec<Namespace>, CliError> {
    let all = ctx.api().await?.namespaces().await;
    all.map_err(|error| CliError::from(error).during("reading which metadata there are"))
}

/// The namespace of that name.
fn named(all: &[Namespace], name: &str) -> Result<Namespace, CliError> {
    let found = all.iter().find(|namespace| namespace.name == name);
    found.cloned().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|namespace| namespace.name.as_str()).collect();
        let error = CliError::new(Kind::NotFound, format!("there is no metadata '{name}' on this server"));
        if known.is_empty() { error } else { error.hint(format!("there are: {}", known.join(", "))) }
    })
}
