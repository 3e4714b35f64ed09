//! `just bench`: compares cec with curl, rclone, s5cmd, aws and the older client, as far as they are installed, on the
//! same server with the same data, in turn. Prints wall time, CPU time and peak memory as a table.
//!
//! Without `CEC_BENCH_URL` the server is the sandbox, in its own process. docs/performance.md describes the method and
//! all variables.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

mod cases;
mod measure;
mod report;
mod settings;
mod stage;
mod tools;

use std::process::ExitCode;

use settings::Settings;
use stage::{SERVER_ROLE, Stage};

fn main() -> ExitCode {
    if std::env::var_os(SERVER_ROLE).is_some() {
        return exit(stage::serve());
    }
    exit(compare())
}

fn exit(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nbench failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> anyhow::Result<()> {
    let settings = Settings::read()?;
    let stage = Stage::set(&settings)?;
    report::head(&settings, &stage);
    for case in &settings.cases {
        let table = cases::run(*case, &settings, &stage)?;
        report::table(&table);
    }
    report::foot();
    Ok(())
}
