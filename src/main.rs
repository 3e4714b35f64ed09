//! The `cec` program.

fn main() -> std::process::ExitCode {
    cec::run(std::env::args_os())
}
