//! `cells-sandbox`: keeps a sandbox running to play with.

fn main() -> anyhow::Result<()> {
    cells_sandbox::demo::main(std::env::args().skip(1), &mut std::io::stdout())
}
