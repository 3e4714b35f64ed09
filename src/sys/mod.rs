//! What differs between operating systems, and what touches them directly.

pub mod browser;
pub mod limits;
pub mod signal;
pub mod standard_input;
pub mod tty;
