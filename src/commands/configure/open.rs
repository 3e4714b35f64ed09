//! Opening a page in a browser.

use std::io;
use std::process::{Command, Stdio};

use crate::env::{self, Environment};

/// Opens a page in the browser that `$BROWSER` names, else in that of the system.
///
/// # Errors
/// No browser could be started.
pub(super) async fn page(address: &str, environment: &Environment) -> io::Result<()> {
    let (address, commands) = (address.to_owned(), environment.text(env::BROWSER).ok().flatten().map(str::to_owned));
    let opened = tokio::task::spawn_blocking(move || match commands {
        Some(commands) => start(&commands, &address),
        None => open::that_detached(address),
    });
    opened.await.map_err(io::Error::other)?
}

/// Starts the first command of `$BROWSER` that can be started. Colons separate the commands (semicolons on Windows); `%s`
/// in a command is the address, else the address is its last argument.
fn start(commands: &str, address: &str) -> io::Result<()> {
    let mut failed = io::Error::other("BROWSER names no command");
    for command in commands.split(if cfg!(windows) { ';' } else { ':' }) {
        let mut words: Vec<String> = command.split_whitespace().map(|word| word.replace("%s", address)).collect();
        if !command.contains("%s") {
            words.push(address.to_owned());
        }
        let mut words = words.into_iter();
        let Some(program) = words.next().filter(|_| !command.trim().is_empty()) else { continue };
        let mut process = Command::new(program);
        process.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match process.spawn() {
            Ok(_) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
