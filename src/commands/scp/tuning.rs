//! The options for speed and retries, with their variables, limited to what the server accepts.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::args::Args;
use crate::context::{Ctx, MOST_ATTEMPTS};
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::settings::{parse_bytes, parse_duration, parse_pause};
use crate::sys::limits;
use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::{Limiter, MOST};
use cells_client::http::retry::RetryPolicy;
use cells_client::transfer::Options;
use cells_client::transfer::options::{MAXIMUM_PARTS, PART_STEP};
use cells_client::transfer::temporary::Temporaries;
use cells_client::walk::filter::Filter;
use cells_client::walk::local::{LocalOptions, real_path};

/// The maximum size of a part, and of a file sent in one piece, in MiB. The gateway accepts no more.
const LARGEST_PART: u64 = 5 * 1024;

/// The number of open files that a run needs in addition to its transfers.
const OTHER_FILES: usize = 48;

/// The number of open files per transfer: the file, its connection, and another one of each while they are exchanged.
const FILES_OF_ONE: usize = 4;

/// The number of files to transfer at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfers {
    /// As many as the connection and the server can handle.
    Auto,
    /// Exactly this number.
    Exactly(usize),
}

impl Transfers {
    fn limiter(self) -> Limiter {
        match self {
            Self::Exactly(count) => Limiter::exactly(count),
            Self::Auto => {
                let files = limits::open_files().unwrap_or(usize::MAX);
                Limiter::adaptive(files.saturating_sub(OTHER_FILES) / FILES_OF_ONE)
            }
        }
    }
}

/// Parses the value of `--transfers`.
///
/// # Errors
/// The text is neither `auto` nor a number from 1 to 256.
pub(super) fn parse_transfers(text: &str) -> Result<Transfers, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    match number {
        Some(number) => Ok(Transfers::Exactly(number)),
        None if text == "auto" => Ok(Transfers::Auto),
        None => Err(format!("must be auto, or a number from 1 to {MOST}")),
    }
}

/// The maximum bytes a second of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rates {
    sent: Option<u64>,
    received: Option<u64>,
}

/// The smallest rate. A slower connection would seem to be silent.
const SLOWEST: u64 = 1024;

/// Parses the value of `--bwlimit`: one rate for each direction, or the upload's and the download's.
///
/// # Errors
/// The text has another form, or a rate is too small.
pub(super) fn parse_rates(text: &str) -> Result<Rates, String> {
    let rate = |text: &str| match text.trim() {
        "off" | "0" => Ok(None),
        text => match parse_bytes(text) {
            Ok(rate) if rate >= SLOWEST => Ok(Some(rate)),
            Ok(_) => Err("must be at least 1k, or off".to_owned()),
            Err(_) => Err("expected bytes a second such as 512k, 10M or off, or UP:DOWN".to_owned()),
        },
    };
    let (sent, received) = text.split_once(':').unwrap_or((text, text));
    Ok(Rates { sent: rate(sent)?, received: rate(received)? })
}

/// Parses the value of `--tpslimit`.
///
/// # Errors
/// The text is not a number of requests a second.
pub(super) fn parse_requests(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (0.1..=1e6).contains(number));
    number.ok_or_else(|| "expected a number of requests a second, at least 0.1".to_owned())
}

/// Applies the limits of bytes and requests a second to all requests of the process.
pub(super) fn limit_pace(ctx: &Ctx, args: &Args) -> Result<(), CliError> {
    let environment = &ctx.settings.environment;
    let rates = match args.bwlimit {
        Some(rates) => Some(rates),
        None => environment.read(env::BWLIMIT, parse_rates)?,
    };
    if let Some(Rates { sent, received }) = rates {
        ctx.pace.limit_bytes(sent, received);
    }
    let requests = match args.tpslimit {
        Some(requests) => Some(requests),
        None => environment.read(env::TPSLIMIT, parse_requests)?,
    };
    if let Some(requests) = requests {
        ctx.pace.limit_requests(requests);
    }
    Ok(())
}

/// Returns the transfer options from the command line and the environment.
pub(super) fn options(ctx: &Ctx, args: &Args, filter: Filter) -> Result<Options, CliError> {
    let (environment, usual) = (&ctx.settings.environment, Options::default());
    let part_size = part_size(ctx, args.part_size)?;
    let (flag, variable) = ("--multipart-threshold", env::MULTIPART_THRESHOLD);
    let threshold = number(environment, (flag, variable), args.multipart_threshold, 0, LARGEST_PART)?;
    let transfers = match args.transfers {
        Some(transfers) => Some(transfers),
        None => environment.read(env::TRANSFERS, parse_transfers)?,
    };
    let (flag, variable) = ("--parts-concurrency", env::PARTS_CONCURRENCY);
    let parts_in_flight = number(environment, (flag, variable), args.parts_concurrency, 0, 64)?;
    let (flag, variable) = ("--max-parts-number", env::MAX_PARTS_NUMBER);
    let maximum_parts = number(environment, (flag, variable), args.max_parts_number, 1, u32::MAX)?;
    let (flag, variable) = ("--retry-max-attempts", env::RETRY_MAX_ATTEMPTS);
    let attempts = number(environment, (flag, variable), args.retry_max_attempts, 0, MOST_ATTEMPTS)?.unwrap_or(8);
    let max_backoff = match args.retry_max_backoff {
        Some(flag) => Some(flag),
        None => environment.read(env::RETRY_MAX_BACKOFF, parse_pause)?,
    };
    let max_elapsed = match args.retry_max_elapsed {
        Some(flag) => Some(flag),
        None => environment.read(env::RETRY_MAX_ELAPSED, parse_duration)?,
    };
    let max_transfer = match args.max_transfer {
        Some(flag) => Some(flag),
        None => environment.read(env::MAX_TRANSFER, parse_bytes)?,
    };
    let max_duration = match args.max_duration {
        Some(flag) => Some(flag),
        None => environment.read(env::MAX_DURATION, parse_duration)?,
    };
    let skip_hashes = match args.skip_md5 {
        Some(flag) => flag,
        None => environment.switch(env::SKIP_MD5)?.unwrap_or(false),
    };
    Ok(Options {
        if_exists: args.policy(),
        transfers: transfers.unwrap_or(Transfers::Auto).limiter(),
        part_size: part_size.map_or(usual.part_size, |size| size * MEBIBYTE),
        stream_part_size: part_size.map_or(usual.stream_part_size, |size| size * MEBIBYTE),
        // As in the older client, 0 means the default.
        parts_in_flight: parts_in_flight.filter(|count| *count > 0).unwrap_or(usual.parts_in_flight),
        multipart_threshold: threshold.map_or(usual.multipart_threshold, |size| size * MEBIBYTE),
        // The gateway accepts no more parts.
        maximum_parts: maximum_parts.map_or(usual.maximum_parts, |count| count.min(MAXIMUM_PARTS)),
        retry: RetryPolicy {
            max_backoff: max_backoff.unwrap_or(Duration::from_secs(30)),
            // Unlimited attempts also have no time limit.
            max_elapsed: match max_elapsed {
                Some(limit) => limit,
                None if attempts == 0 => Duration::MAX,
                None => Duration::from_secs(15 * 60),
            },
            ..RetryPolicy::default()
        }
        .with_attempts(attempts),
        preserve: args.preserve,
        verify: !skip_hashes,
        fail_fast: args.fail_fast,
        dry_run: args.dry_run,
        mkpath: args.mkpath,
        local: LocalOptions {
            links: args.links.into(),
            filter: Arc::new(filter),
            except: args.manifest.as_deref().and_then(real_path),
        },
        max_transfer,
        max_duration,
        temporaries: Arc::new(temporaries(ctx)),
        ..Options::default()
    })
}

/// Returns the registry of temporary files, which is stored beside the accounts.
fn temporaries(ctx: &Ctx) -> Temporaries {
    let folder = ctx.settings.config_folder.as_ref();
    folder.map_or_else(Temporaries::default, |folder| Temporaries::recorded_in(folder.join("downloads")))
}

/// An option and its variable.
type Flag = (&'static str, &'static str);

/// Returns the value of an option or its variable, between `least` and `most`.
fn number<T>(
    environment: &Environment,
    (flag, variable): Flag,
    given: Option<T>,
    least: T,
    most: T,
) -> Result<Option<T>, CliError>
where
    T: FromStr + Display + PartialOrd + Copy,
    T::Err: Display,
{
    let (name, value) = match given {
        Some(value) => (flag, Some(value)),
        None => (variable, environment.value(variable)?),
    };
    match value {
        Some(value) if value < least || value > most => {
            Err(CliError::new(Kind::Usage, format!("{name} is {value}, but must be between {least} and {most}")))
        }
        value => Ok(value),
    }
}

/// Returns the part size in MiB, if given. It must be a multiple of 10, because the server computes wrong hashes for
/// other parts.
fn part_size(ctx: &Ctx, given: Option<u64>) -> Result<Option<u64>, CliError> {
    let (flag, variable) = ("--part-size", env::PART_SIZE);
    let Some(size) = number(&ctx.settings.environment, (flag, variable), given, 1, LARGEST_PART)? else {
        return Ok(None);
    };
    let taken = size.next_multiple_of(PART_STEP / MEBIBYTE);
    if taken != size {
        let name = if given.is_some() { flag } else { variable };
        ctx.ui.warn(&format!("{name} is {size} MiB, but must be a multiple of 10 MiB: parts have {taken} MiB"));
    }
    Ok(Some(taken))
}
