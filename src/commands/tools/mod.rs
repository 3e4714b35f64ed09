//! `cec tools`: helpers for scripts that need neither a server nor an account.

mod check;
pub mod hash;
pub mod version;

use crate::commands::verb::offline_verbs;

offline_verbs! {
    /// The commands of `cec tools`.
    #[command(
        after_help = "Examples:\n  cec tools hash report.pdf\n  cec tools version isgreater 4.4.1 4.4.0"
    )]
    pub enum Verbs {
        /// Hash local files as the server does, or compare them with a list of hashes
        Hash(hash::Args),
        /// Check and compare version numbers
        #[command(subcommand)]
        Version(version::Question),
    }
}
