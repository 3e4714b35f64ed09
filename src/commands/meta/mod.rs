//! `cec meta`: metadata that users attach to files and folders.

mod change;
pub mod get;
pub mod ls;
pub mod set;
pub mod tag;
mod value;

use crate::commands::verb::verbs;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::meta::Namespace;

verbs! {
    /// The commands of `cec meta`.
    #[command(
        after_help = "Examples:\n  cec meta ls\n  cec meta get common-files/report.pdf\n  \
        cec meta set -p common-files/report.pdf -n usermeta-status -s final\n  \
        cec meta tag add common-files/report.pdf 2031"
    )]
    pub enum Verbs {
        /// Show the metadata of files and folders
        Get(get::Args),
        /// Set or delete metadata of files and folders
        Set(set::Args),
        /// List the metadata that can be set, and their types
        #[command(alias = "list")]
        Ls(ls::Args),
        /// Add tags to files and folders, or remove them
        #[command(subcommand)]
        Tag(tag::Verbs),
    }
}

/// Returns all namespaces.
async fn namespaces(ctx: &Ctx) -> Result<Vec<Namespace>, CliError> {
    let all = ctx.api().await?.namespaces().await;
    all.map_err(|error| CliError::from(error).during("reading the available metadata"))
}

/// Returns the namespace with this name.
fn find_namespace(all: &[Namespace], name: &str) -> Result<Namespace, CliError> {
    let found = all.iter().find(|namespace| namespace.name == name);
    found.cloned().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|namespace| namespace.name.as_str()).collect();
        let error = CliError::new(Kind::NotFound, format!("there is no metadata '{name}' on this server"));
        if known.is_empty() { error } else { error.hint(format!("use one of: {}", known.join(", "))) }
    })
}
