//! Operating system interfaces, and the differences between systems.

pub mod browser;
pub mod limits;
pub mod signal;
pub mod standard_input;
pub mod tty;
