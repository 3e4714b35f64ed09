//! Runs a Cells server for experiments, until Ctrl-C: `cargo run --release --example sandbox`.
//!
//! It prints how to reach it. Options: `cargo run --release --example sandbox -- --help`.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]

fn main() -> anyhow::Result<()> {
    cells_sandbox::demo::main(std::env::args().skip(1), &mut std::io::stdout())
}
