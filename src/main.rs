//! The `cec` program.

fn main() {}
