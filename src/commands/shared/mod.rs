//! What several commands share, and what is not a command by itself.

pub mod archive;
pub mod edits;
pub mod links;
pub mod nodes;
pub mod operands;
pub mod relocate;
pub mod server_job;
pub mod tally;
pub mod transfers;

/// A flag that other programs need for folders. Here they go with all that is in them; who types it out of habit, or
/// has it in a script, loses nothing by it.
#[derive(Debug, Clone, clap::Args)]
pub struct Habit {
    /// No effect: folders always include their content
    #[arg(short = 'r', short_alias = 'R', long = "recursive", hide = true)]
    _recursive: bool,
}
