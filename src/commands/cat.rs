//! `cec cat`.

use std::ops::Range;
use std::time::Duration;

use futures_util::TryStreamExt;

use super::nodes;
use super::operands::Operands;
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::hash::{Hasher, Scheme};
use crate::http::retry::{self, RetryPolicy};
use crate::s3::{Download, S3Error};

/// How often a download that broke off is taken up again without any byte in between.
const MOST_BREAKS: u32 = 4;

/// Arguments of `cec cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec cat cells://common-files/notes.txt\n  \
    cec cat --offset 1000 --count 500 cells://common-files/big.bin | xxd")]
pub struct Args {
    /// Files or patterns on the server
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// Start after this many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    offset: u64,
    /// Write at most this many bytes of each file
    #[arg(long, value_name = "BYTES")]
    count: Option<u64>,
    /// Take names as they are, without patterns
    #[arg(long)]
    no_glob: bool,
}

/// Writes the content of files, one after the other.
///
/// # Errors
/// What ends the whole command; failures of single operands are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    for typed in &arguments.paths {
        let found = match nodes::parse(typed) {
            Ok(path) => nodes::named(ctx, &path, arguments.no_glob).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                for node in &found {
                    let result = write(ctx, node, &arguments).await;
                    operands.take(
                        result.map_err(|error| error.during(format!("reading {}", node.path)).about(&node.path)),
                    )?;
                }
            }
            Err(error) => operands.failed(error)?,
        }
    }
    Ok(operands.outcome())
}

/// The bytes of a file that are asked for.
fn wanted(size: u64, arguments: &Args) -> Range<u64> {
    let start = arguments.offset.min(size);
    let end = arguments.count.map_or(size, |count| start.saturating_add(count).min(size));
    start..end
}

/// Writes the whole content of a file to standard output, verified where its entity tag tells.
///
/// # Errors
/// A folder; a content that cannot be read, or differs from what the server says; a reader that has gone.
pub async fn write_whole(ctx: &Ctx, node: &Node) -> Result<(), CliError> {
    write(ctx, node, &Args { paths: Vec::new(), offset: 0, count: None, no_glob: true }).await
}

async fn write(ctx: &Ctx, node: &Node, arguments: &Args) -> Result<(), CliError> {
    if node.is_folder() {
        return Err(CliError::new(Kind::Failure, format!("'{}' is a folder", node.path)));
    }
    let wanted = wanted(node.size, arguments);
    let whole = wanted == (0..node.size);
    if wanted.is_empty() && !whole {
        return Ok(());
    }
    let mut position = wanted.start;
    let mut version: Option<String> = None;
    let mut hasher: Option<Hasher> = None;
    let mut breaks = 0;
    while position < wanted.end || version.is_none() {
        let range = (position > 0 || !whole).then_some(position..wanted.end);
        let mut download = open(ctx, node, range).await?;
        match &version {
            None => hasher = whole.then(|| Scheme::of_etag(&download.info.etag, node.size)).flatten().map(Hasher::new),
            Some(version) if *version != download.info.etag => {
                return Err(CliError::new(Kind::Integrity, format!("'{}' changed while it was being read", node.path)));
            }
            Some(_) => {}
        }
        version = Some(download.info.etag.clone());
        loop {
            match download.body.try_next().await {
                Ok(Some(bytes)) => {
                    ctx.ui.bytes(&bytes)?;
                    position += bytes.len() as u64;
                    breaks = 0;
                    hasher.iter_mut().for_each(|hasher| hasher.update(&bytes));
                }
                Ok(None) if position >= wanted.end => break,
                Ok(None) => {
                    return Err(CliError::new(
                        Kind::Integrity,
                        format!("'{}' is shorter than the server says", node.path),
                    ));
                }
                Err(error) => {
                    breaks += 1;
                    if breaks > MOST_BREAKS || retry::Retryable::advice(&error) == retry::Advice::Stop {
                        return Err(error.into());
                    }
                    tracing::debug!(%error, position, "going on where it broke off");
                    break;
                }
            }
        }
    }
    ctx.ui.flush()?;
    check(node, hasher, version.as_deref().unwrap_or_default())
}

async fn open(ctx: &Ctx, node: &Node, range: Option<Range<u64>>) -> Result<Download, CliError> {
    let s3 = ctx.s3().await?;
    let attempt = |_| s3.get(&node.path, range.clone());
    let on_retry =
        |number: u32, error: &S3Error, pause: Duration| tracing::debug!(number, %error, ?pause, "trying again");
    Ok(retry::run(&RetryPolicy::default(), attempt, on_retry).await?)
}

/// Compares what was written with the entity tag, where that tells.
fn check(node: &Node, hasher: Option<Hasher>, version: &str) -> Result<(), CliError> {
    match hasher.map(Hasher::etag) {
        Some(etag) if etag != version => {
            Err(CliError::new(Kind::Integrity, format!("'{}' did not arrive as the server has it", node.path)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let arguments = |offset, count| Args { paths: Vec::new(), offset, count, no_glob: false };
        for (offset, count, expected) in [
            (0, None, 0..10),
            (4, None, 4..10),
            (4, Some(3), 4..7),
            (4, Some(99), 4..10),
            (99, Some(1), 10..10),
            (0, Some(0), 0..0),
            (9, Some(u64::MAX), 9..10),
        ] {
            assert_eq!(wanted(10, &arguments(offset, count)), expected);
        }
    }
}
