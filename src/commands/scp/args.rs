//! The arguments of `cec scp`; their doc comments are its help.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ArgPredicate;

use super::choices::{DebugEvents, IfExistsArg, LinksArg};
use super::tuning::{Rates, Transfers, parse_rates, parse_requests, parse_transfers};
use crate::commands::shared::filters::{MeasureArgs, REPLACED_BY_NAMES, RuleArgs};
use crate::commands::verb::Completion;
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::settings::{parse_bytes, parse_duration, parse_pause};
use crate::ui::progress::ProgressMode;
use cells_client::transfer::IfExists;

const EXAMPLES: &str = "\
Examples:
  cec scp report.pdf cells://common-files/reports/
  cec scp -f photos cells://personal-files
  cec scp -f data/. cells://personal-files/backup
  cec scp 'cells://common-files/reports/*.pdf' .
  cec scp --update --progress plain site cells://common-files/www
  cec scp --exclude '*.tmp' --exclude 'node_modules/**' site/. cells://common-files/www
  pg_dump shop | cec scp - cells://personal-files/shop.sql
  cec scp cells://personal-files/site.tar - | tar x";

const NOTES: &str = "\
One side is on the server: it starts with cells://. As in cp, a target that is a folder receives the sources under their
own names, and a target that does not exist becomes the name of the single source. A target that ends in / is a folder and
is made if it is missing; --mkpath does the same without the /, and also makes its parent folders. Folders are merged. If a
source ends in /., only its content is copied, and the target is made if it is missing: you can repeat such a command.

A - is standard input or output. Standard input is sent in parts of 10 MiB, larger if there are very many; it is read only
once, so cec cannot send all of it again.

Every transfer is verified, and a download gets its name only when it is complete. After a failure, run the command again: it
transfers only files that are missing or differ, and resumes large files that were interrupted, unless they have changed.
'cec transfers' lists them. Temporary files (.cec-*.part) that cannot be resumed are removed by the next scp.

A file never replaces a folder on the server, nor a folder a file, unless you use --force: it moves the existing item to
the recycle bin and reports this.

The --manifest file is opened after all checks, and never by --dry-run. It cannot be one of the sources, and is skipped in a
folder that you upload.

The server keeps no modification times of uploads, so --preserve affects downloads only.

The options for selection use rclone's patterns ('cec help filters'), relative to each source folder; of a named file only
the name counts. If they select single files, folders without selected files are not made. A .cellsignore file in a folder
that you upload leaves out files in the grammar of .gitignore. --files-from replaces all of these.

With --max-transfer and --max-duration, a run that reaches its limit starts no other file and exits with 1; the same command
continues it.

The options for speed, limits and retries also have variables: CEC_TRANSFERS, CEC_PART_SIZE and so on.";

fn levels(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|levels| *levels > 0).ok_or_else(|| "expected a number of levels, at least 1".to_owned())
}

/// Arguments of `cec scp`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    override_usage = "cec scp [OPTIONS] <SRC>... <DST>",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{NOTES}")
)]
pub struct Args {
    /// One or more sources, then the target; - is standard input or output
    #[arg(value_name = "PATH", value_hint = Completion::RemoteOrLocal, required = true)]
    pub(super) paths: Vec<OsString>,

    /// Replace existing files (the same as --if-exists overwrite)
    #[arg(short, long, help_heading = "Overwriting", conflicts_with_all = ["if_exists", "update", "ignore_existing"])]
    pub(super) force: bool,

    /// What to do with a target file that exists and differs
    #[arg(long, value_name = "POLICY", help_heading = "Overwriting", value_enum, default_value = "fail")]
    #[arg(default_value_ifs = [("update", ArgPredicate::IsPresent, "update"), ("ignore_existing", ArgPredicate::IsPresent, "skip")])]
    pub(super) if_exists: IfExistsArg,

    /// Replace existing files only if the source is newer
    #[arg(long, help_heading = "Overwriting", conflicts_with_all = ["if_exists", "ignore_existing"])]
    pub(super) update: bool,

    /// Keep existing files
    #[arg(long, help_heading = "Overwriting", conflicts_with = "if_exists")]
    pub(super) ignore_existing: bool,

    /// Do not expand patterns in remote sources
    #[arg(long, help_heading = "Selection")]
    pub(super) no_glob: bool,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    pub(super) measures: MeasureArgs,

    /// File with the only files to transfer, one path below the source per line; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Selection", conflicts_with_all = REPLACED_BY_NAMES)]
    pub(super) files_from: Vec<PathBuf>,

    /// Paths of --files-from end with a NUL character instead of a newline
    #[arg(long, help_heading = "Selection", requires = "files_from")]
    pub(super) from0: bool,

    /// Number of levels of a folder to transfer: 1 for its direct content
    #[arg(long, value_name = "N", help_heading = "Selection", value_parser = levels)]
    pub(super) max_depth: Option<usize>,

    /// Skip names that start with a dot
    #[arg(long, help_heading = "Selection")]
    pub(super) no_hidden: bool,

    /// Upload what the .cellsignore files of the source leave out
    #[arg(long, help_heading = "Selection")]
    pub(super) no_ignore: bool,

    /// What to do with local symbolic links
    #[arg(long, value_name = "POLICY", help_heading = "Selection", value_enum, default_value = "follow")]
    pub(super) links: LinksArg,

    /// Set the modification times of downloaded files to the server's
    #[arg(short, long)]
    pub(super) preserve: bool,

    /// Treat the target as a folder; make it and its parent folders if they are missing
    #[arg(long)]
    pub(super) mkpath: bool,

    #[command(flatten)]
    pub(super) _habit: crate::commands::shared::Habit,

    /// Print what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Start interrupted transfers from the beginning, and leave nothing behind to resume
    #[arg(long)]
    pub(super) no_resume: bool,

    /// Stop at the first file that fails
    #[arg(long)]
    pub(super) fail_fast: bool,

    /// Show no progress (the same as --progress none) [env: CEC_NO_PROGRESS]
    #[arg(
        short, long, alias = "no_progress", help_heading = "Output", value_name = "BOOL", value_parser = env::parse_switch, num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub(super) no_progress: Option<bool>,

    /// How to show progress
    #[arg(long, value_name = "FORM", help_heading = "Output", value_enum)]
    pub(super) progress: Option<ProgressMode>,

    /// Print each file as it finishes, and every retry [env: CEC_VERBOSE]
    #[arg(
        short, long, help_heading = "Output", value_name = "BOOL", value_parser = env::parse_switch, num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub(super) verbose: Option<bool>,

    /// Also print every request to the server, without its secrets (the same as -v --log debug) [env: CEC_VERY_VERBOSE]
    #[arg(
        short = 'w', long, alias = "very_verbose", help_heading = "Output", value_name = "BOOL", value_parser = env::parse_switch, num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub(super) very_verbose: Option<bool>,

    /// File to write a JSON record to for each file, as it finishes
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) manifest: Option<PathBuf>,

    /// From the older client: log these events, such as "signing | retries"; any of them now means --log debug
    #[arg(long, alias = "multipart_debug_flags", value_name = "EVENTS", hide = true)]
    pub(super) multipart_debug_flags: Option<DebugEvents>,

    /// Number of files to transfer at the same time, from 1 to 256, or auto: as many as the line and the server carry,
    /// which changes during the run [default: auto]
    #[arg(long, value_name = "N|auto", value_parser = parse_transfers, help_heading = "Speed")]
    pub(super) transfers: Option<Transfers>,

    /// Size of a part, in MiB, a multiple of 10 [default: 50; for standard input 10]
    #[arg(long, alias = "part_size", value_name = "MIB", help_heading = "Speed")]
    pub(super) part_size: Option<u64>,

    /// Number of parts of one file to transfer at the same time [default: 2]
    #[arg(long, alias = "parts_concurrency", value_name = "N", help_heading = "Speed")]
    pub(super) parts_concurrency: Option<usize>,

    /// Size in MiB above which files are sent in parts [default: 100]
    #[arg(long, alias = "multipart_threshold", value_name = "MIB", help_heading = "Speed")]
    pub(super) multipart_threshold: Option<u64>,

    /// Maximum number of parts of one file; parts grow to keep to it [default: 5000]
    #[arg(long, alias = "max_parts_number", value_name = "N", help_heading = "Speed")]
    pub(super) max_parts_number: Option<u32>,

    /// Maximum bytes a second for all files together: 10M, 512k; UP:DOWN for each direction; off for no limit
    #[arg(long, value_name = "RATE[:RATE]", value_parser = parse_rates, help_heading = "Limits")]
    pub(super) bwlimit: Option<Rates>,

    /// Maximum number of requests a second
    #[arg(long, value_name = "N", value_parser = parse_requests, help_heading = "Limits")]
    pub(super) tpslimit: Option<f64>,

    /// Start no file that would bring the transferred bytes above this size: 10G
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Limits")]
    pub(super) max_transfer: Option<u64>,

    /// End the run after this time: 90s, 2h; files in transfer are interrupted
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Limits")]
    pub(super) max_duration: Option<Duration>,

    /// Do not compare hashes after a transfer
    #[arg(
        long, alias = "skip_md5", help_heading = "Retries and verification", value_name = "BOOL", value_parser = env::parse_switch, num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub(super) skip_md5: Option<bool>,

    /// Attempts per request; 0 for no limit [default: 8]
    #[arg(long, alias = "retry_max_attempts", value_name = "N", help_heading = "Retries and verification")]
    pub(super) retry_max_attempts: Option<u32>,

    /// Longest pause between two attempts, such as 30s or 2m [default: 30s]
    #[arg(
        long, alias = "retry_max_backoff", value_name = "DURATION", help_heading = "Retries and verification",
        value_parser = parse_pause
    )]
    pub(super) retry_max_backoff: Option<Duration>,

    /// Longest time for the attempts at a request while no byte moves [default: 15m]
    #[arg(long, value_name = "DURATION", help_heading = "Retries and verification", value_parser = parse_duration)]
    pub(super) retry_max_elapsed: Option<Duration>,
}

impl Args {
    /// Returns the output settings from options and environment.
    ///
    /// # Errors
    /// The value of a variable is not valid; both --progress and --no-progress are given.
    pub fn verbosity(&self, environment: &Environment) -> Result<Verbosity, CliError> {
        let switch = |flag: Option<bool>, variable| match flag {
            Some(flag) => Ok(flag),
            None => environment.switch(variable).map(|variable| variable.unwrap_or(false)),
        };
        if self.no_progress == Some(true) && self.progress.is_some() {
            return Err(CliError::new(Kind::Usage, "--no-progress and --progress exclude each other"));
        }
        let events = match &self.multipart_debug_flags {
            Some(events) => Some(events.clone()),
            None => environment.read(env::MULTIPART_DEBUG_FLAGS, str::parse)?,
        };
        let very_verbose = switch(self.very_verbose, env::VERY_VERBOSE)?;
        Ok(Verbosity {
            // Options have priority over variables.
            no_progress: switch(self.no_progress, env::NO_PROGRESS)? && self.progress.is_none(),
            every_file: very_verbose || switch(self.verbose, env::VERBOSE)?,
            every_request: very_verbose,
            debug_events: events.is_some_and(|DebugEvents(events)| !events.is_empty()),
        })
    }

    /// Returns the policy for existing files.
    pub(super) fn policy(&self) -> IfExists {
        if self.force { IfExists::Overwrite } else { self.if_exists.into() }
    }
}

/// The output settings of a run.
#[derive(Debug, Clone, Copy)]
pub struct Verbosity {
    pub(super) no_progress: bool,
    pub(super) every_file: bool,
    pub(super) every_request: bool,
    /// Whether the older client's debug options are given.
    pub(super) debug_events: bool,
}

impl Verbosity {
    /// Whether to log requests although `--log` is not given.
    pub fn wants_log(self) -> bool {
        self.every_request || self.debug_events
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Harness {
        #[command(flatten)]
        args: Args,
    }

    fn shows_progress(flags: &[&str], variable: &'static str) -> Option<bool> {
        let harness = Harness::parse_from([&["scp", "a", "cells://b"], flags].concat());
        let environment: Environment = [(env::NO_PROGRESS, variable)].into_iter().collect();
        harness.args.verbosity(&environment).ok().map(|verbosity| !verbosity.no_progress)
    }

    #[test]
    fn a_flag_wins_over_the_variable_that_turns_progress_off() {
        for (flags, variable, expected) in [
            (&[][..], "", Some(true)),
            (&[], "true", Some(false)),
            (&[], "f", Some(true)),
            (&["--no-progress=false"], "true", Some(true)),
            (&["--progress", "bar"], "true", Some(true)),
            (&["-nfv"], "", Some(false)),
            (&["-fn"], "0", Some(false)),
            (&["-n", "--progress", "bar"], "", None),
            (&["-n=false", "--progress", "bar"], "", Some(true)),
            (&[], "perhaps", None),
        ] {
            assert_eq!(shows_progress(flags, variable), expected, "{flags:?} {variable}");
        }
    }
}
