//! Keeps a Cells server running to play with, until Ctrl-C: `cargo run --release --example sandbox`.
//!
//! It says how to reach it. Options: `cargo run --release --example sandbox -- --help`.

fn main() -> anyhow::Result<()> {
    cells_sandbox::demo::main(std::env::args().skip(1), &mut std::io::stdout())
}
