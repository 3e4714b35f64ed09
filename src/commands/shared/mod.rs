//! What several commands share, and what is not a command by itself.

pub mod archive;
pub mod edits;
pub mod links;
pub mod nodes;
pub mod operands;
pub mod relocate;
pub mod server_job;
pub mod tally;
