//! What differs between operating systems.

pub mod local_name;
