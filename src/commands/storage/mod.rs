//! `cec storage`: data sources.

pub mod list_datasources;
pub mod resync_ds;

use crate::commands::verb::verbs;

verbs! {
    /// The commands of `cec storage`.
    #[command(
        after_help = "Examples:\n  cec storage list-datasources\n  cec storage resync-ds pydiods1 --wait"
    )]
    pub enum Verbs {
        /// List data sources (for administrators)
        ListDatasources(list_datasources::Args),
        /// Update a data source from its storage (for administrators)
        ResyncDs(resync_ds::Args),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "requesting data sources";
