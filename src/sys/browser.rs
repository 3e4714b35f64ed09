//! The user's browser.

use std::io;
use std::process::Stdio;

/// Opens an address in the browser, whose environment is this process's without the variables in `without`. It goes on
/// when this process ends.
///
/// # Errors
/// No browser can be started.
pub fn open(address: &str, without: &[&str]) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in open::commands(address) {
        for name in without {
            command.env_remove(name);
        }
        // Ctrl-C here is not meant for it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}
