//! The flags for speed and retries over their variables, within what the server takes.

use std::time::Duration;

use super::args::Args;
use crate::context::{Ctx, MOST_ATTEMPTS};
use crate::env::{self, EnvError};
use crate::error::{CliError, Kind};
use crate::hash::MEBIBYTE;
use crate::http::retry::RetryPolicy;
use crate::settings::parse_duration;
use crate::transfer::Options;
use crate::transfer::options::{MAXIMUM_PARTS, PART_STEP};
use crate::walk::local::LocalOptions;

/// The largest part, and the largest file that may go in one piece, in MiB: the gateway takes no more.
const LARGEST_PART: u64 = 5 * 1024;

/// How to transfer, as flags and environment say.
pub(super) fn options(ctx: &Ctx, args: &Args) -> Result<Options, CliError> {
    let environment = &ctx.settings.environment;
    let usage = |message: String| CliError::new(Kind::Usage, message);
    let part_size = pick(args.part_size, environment.value(env::PART_SIZE))?;
    let threshold = pick(args.multipart_threshold, environment.value(env::MULTIPART_THRESHOLD))?.unwrap_or(100);
    let transfers = pick(args.transfers, environment.value(env::TRANSFERS))?.unwrap_or(8);
    let parts_in_flight = pick(args.parts_concurrency, environment.value(env::PARTS_CONCURRENCY))?.unwrap_or(2);
    let maximum_parts = pick(args.max_parts_number, environment.value(env::MAX_PARTS_NUMBER))?.unwrap_or(5000);
    let max_attempts = pick(args.retry_max_attempts, environment.value(env::RETRY_MAX_ATTEMPTS))?.unwrap_or(8);
    let max_backoff = pick(args.retry_max_backoff, environment.read(env::RETRY_MAX_BACKOFF, parse_duration))?;
    let skip_hashes = args.skip_md5 || environment.switch(env::SKIP_MD5)?.unwrap_or(false);
    for (name, value, most) in [
        ("--transfers", transfers as u64, 256),
        ("--parts-concurrency", parts_in_flight as u64, 64),
        ("--part-size", part_size.unwrap_or(50), LARGEST_PART),
        ("--multipart-threshold", threshold, LARGEST_PART),
        ("--max-parts-number", u64::from(maximum_parts), u64::from(MAXIMUM_PARTS)),
        ("--retry-max-attempts", u64::from(max_attempts), u64::from(MOST_ATTEMPTS)),
    ] {
        if value == 0 || value > most {
            return Err(usage(format!("{name} is {value}, but must be between 1 and {most}")));
        }
    }
    if let Some(size) = part_size.filter(|size| !size.is_multiple_of(PART_STEP / MEBIBYTE)) {
        return Err(usage(format!("the part size is {size} MiB, but must be a multiple of 10 MiB")));
    }
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
        local: LocalOptions { links: args.links.into(), hidden: !args.no_hidden },
    })
}

/// A flag, or else its variable.
fn pick<T>(flag: Option<T>, variable: Result<Option<T>, EnvError>) -> Result<Option<T>, EnvError> {
    match flag {
        Some(value) => Ok(Some(value)),
        None => variable,
    }
}
