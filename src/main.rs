//! The `cec` program.

#![expect(clippy::disallowed_methods, reason = "the arguments of the process")]

fn main() -> std::process::ExitCode {
    std::panic::set_hook(Box::new(cec::note_panic));
    cec::run(std::env::args_os())
}
