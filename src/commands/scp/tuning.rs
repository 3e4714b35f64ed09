//! The flags for speed and retries over their variables, within what the server takes.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::args::Args;
use crate::context::{Ctx, MOST_ATTEMPTS};
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::hash::MEBIBYTE;
use crate::http::retry::RetryPolicy;
use crate::settings::parse_duration;
use crate::transfer::Options;
use crate::transfer::options::{MAXIMUM_PARTS, PART_STEP};
use crate::transfer::temporary::Temporaries;
use crate::walk::local::{LocalOptions, real_path};

/// The largest part, and the largest file that may go in one piece, in MiB: the gateway takes no more.
const LARGEST_PART: u64 = 5 * 1024;

/// How to transfer, as flags and environment say.
pub(super) fn options(ctx: &Ctx, args: &Args) -> Result<Options, CliError> {
    let environment = &ctx.settings.environment;
    let part_size = part_size(environment, args.part_size)?;
    let (flag, variable) = ("--multipart-threshold", env::MULTIPART_THRESHOLD);
    let threshold = number(environment, (flag, variable), args.multipart_threshold, LARGEST_PART)?.unwrap_or(100);
    let transfers = number(environment, ("--transfers", env::TRANSFERS), args.transfers, 256)?.unwrap_or(8);
    let (flag, variable) = ("--parts-concurrency", env::PARTS_CONCURRENCY);
    let parts_in_flight = number(environment, (flag, variable), args.parts_concurrency, 64)?.unwrap_or(2);
    let (flag, variable) = ("--max-parts-number", env::MAX_PARTS_NUMBER);
    let maximum_parts = number(environment, (flag, variable), args.max_parts_number, MAXIMUM_PARTS)?.unwrap_or(5000);
    let (flag, variable) = ("--retry-max-attempts", env::RETRY_MAX_ATTEMPTS);
    let max_attempts = number(environment, (flag, variable), args.retry_max_attempts, MOST_ATTEMPTS)?.unwrap_or(8);
    let max_backoff = match args.retry_max_backoff {
        Some(flag) => Some(flag),
        None => environment.read(env::RETRY_MAX_BACKOFF, parse_duration)?,
    };
    let skip_hashes = args.skip_md5 || environment.switch(env::SKIP_MD5)?.unwrap_or(false);
    Ok(Options {
        if_exists: args.policy(),
        transfers,
        part_size: part_size.unwrap_or(50) * MEBIBYTE,
        stream_part_size: part_size.map_or(PART_STEP, |size| size * MEBIBYTE),
        parts_in_flight,
        multipart_threshold: threshold * MEBIBYTE,
        maximum_parts,
        retry: RetryPolicy {
            max_attempts,
            max_backoff: max_backoff.unwrap_or(Duration::from_secs(30)),
            max_elapsed: Duration::from_secs(15 * 60),
        },
        preserve: args.preserve,
        verify: !skip_hashes,
        fail_fast: args.fail_fast,
        dry_run: args.dry_run,
        local: LocalOptions {
            links: args.links.into(),
            hidden: !args.no_hidden,
            except: args.manifest.as_deref().and_then(real_path),
        },
        temporaries: Arc::new(temporaries(ctx)),
    })
}

/// The temporary files of downloads, which are recorded beside the accounts.
fn temporaries(ctx: &Ctx) -> Temporaries {
    let folder = ctx.settings.config_folder.as_ref();
    folder.map_or_else(Temporaries::default, |folder| Temporaries::recorded_in(folder.join("downloads")))
}

/// A flag and its variable.
type Flag = (&'static str, &'static str);

/// What a flag, or else its variable, says, from 1 to `most`.
fn number<T>(
    environment: &Environment,
    (flag, variable): Flag,
    given: Option<T>,
    most: T,
) -> Result<Option<T>, CliError>
where
    T: FromStr + Display + PartialOrd + From<u8> + Copy,
    T::Err: Display,
{
    let (name, value) = match given {
        Some(value) => (flag, Some(value)),
        None => (variable, environment.value(variable)?),
    };
    match value {
        Some(value) if value < T::from(1) || value > most => {
            Err(CliError::new(Kind::Usage, format!("{name} is {value}, but must be between 1 and {most}")))
        }
        value => Ok(value),
    }
}

/// The size of a part in MiB, where one is given.
fn part_size(environment: &Environment, given: Option<u64>) -> Result<Option<u64>, CliError> {
    let flag = ("--part-size", env::PART_SIZE);
    let size = number(environment, flag, given, LARGEST_PART)?;
    match size {
        Some(size) if !size.is_multiple_of(PART_STEP / MEBIBYTE) => {
            let name = if given.is_some() { flag.0 } else { flag.1 };
            Err(CliError::new(Kind::Usage, format!("{name} is {size} MiB, but must be a multiple of 10 MiB")))
        }
        size => Ok(size),
    }
}
