//! What differs between operating systems, and what touches them directly.

pub mod atomic_file;
pub mod browser;
pub mod limits;
pub mod local_name;
pub mod lock;
pub mod open;
pub mod signal;
pub mod standard_input;
pub mod tty;
