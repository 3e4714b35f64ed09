//! Code that several commands use.

pub mod archive;
pub mod edits;
pub mod filters;
pub mod input;
pub mod links;
pub mod nodes;
pub mod operands;
pub mod relocate;
pub mod server_job;
pub mod tally;
pub mod transfers;

/// An option that other programs require for folders. Here folders always include their content; the option is accepted
/// so that habits and scripts keep working.
#[derive(Debug, Clone, clap::Args)]
pub struct Habit {
    /// No effect: folders always include their content
    #[arg(short = 'r', short_alias = 'R', long = "recursive", hide = true)]
    _recursive: bool,
}
