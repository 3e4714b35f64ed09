//! The `cec` program.

fn main() -> std::process::ExitCode {
    std::panic::set_hook(Box::new(cec::note_panic));
    cec::run(std::env::args_os())
}
