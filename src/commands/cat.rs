//! `cec cat`.

use std::ops::Range;

use futures_util::TryStreamExt;

use super::nodes;
use super::operands::Operands;
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::hash::{Hasher, Scheme};
use crate::http::retry;
use crate::s3::{Download, S3Error};
use crate::transfer::TransferError;
use crate::transfer::verify::is_cut_short;

/// How often a download that broke off is taken up again without any byte in between.
const MOST_BREAKS: u32 = 4;

/// Arguments of `cec cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec cat cells://common-files/notes.txt\n  \
    cec cat --offset 1000 --count 500 cells://common-files/big.bin | xxd")]
pub struct Args {
    /// Files or patterns on the server
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<String>,
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
        let found = match nodes::parse(ctx, typed) {
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

/// The failure of what is no file.
pub fn no_content(folder: &Node) -> CliError {
    CliError::new(Kind::Failure, format!("'{}' is a folder", folder.path)).about(&folder.path)
}

async fn write(ctx: &Ctx, node: &Node, arguments: &Args) -> Result<(), CliError> {
    if node.is_folder() {
        return Err(no_content(node));
    }
    let wanted = wanted(node.size, arguments);
    let is_whole = wanted == (0..node.size);
    if wanted.is_empty() && !is_whole {
        return Ok(());
    }
    let mut reading =
        Reading { ctx, node, is_whole, position: wanted.start, end: wanted.end, version: None, hasher: None };
    let mut breaks = 0;
    while reading.version.is_none() || reading.position < reading.end {
        let before = reading.position;
        let Err(error) = reading.go_on().await? else {
            if reading.position == before && before < reading.end {
                return Err(CliError::new(Kind::Integrity, format!("'{}' is shorter than the server says", node.path)));
            }
            continue;
        };
        breaks = if reading.position > before { 1 } else { breaks + 1 };
        if breaks > 1 && error.is_broken_off() {
            reading.refuse_damaged().await?;
        }
        if breaks > MOST_BREAKS || retry::Retryable::advice(&error) == retry::Advice::Stop {
            return Err(error.into());
        }
        tracing::debug!(%error, position = reading.position, "going on where it broke off");
    }
    ctx.ui.flush()?;
    reading.check()
}

/// A file on its way to standard output.
struct Reading<'a> {
    ctx: &'a Ctx,
    node: &'a Node,
    /// Whether all of it is asked for, and not a part.
    is_whole: bool,
    /// The next byte, and the one to stop before.
    position: u64,
    end: u64,
    /// The entity tag of the content, once it has begun.
    version: Option<String>,
    hasher: Option<Hasher>,
}

impl Reading<'_> {
    /// Writes as much as one answer brings; the inner error is that of a connection which broke off.
    async fn go_on(&mut self) -> Result<Result<(), S3Error>, CliError> {
        let mut download = self.open().await?;
        loop {
            match download.body.try_next().await {
                Ok(Some(bytes)) => {
                    self.ctx.ui.bytes(&bytes)?;
                    self.position += bytes.len() as u64;
                    self.hasher.iter_mut().for_each(|hasher| hasher.update(&bytes));
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Asks for what is still missing, of the content that was begun with.
    async fn open(&mut self) -> Result<Download, CliError> {
        let (s3, path) = (self.ctx.s3().await?, &self.node.path);
        let range = (self.position > 0 || !self.is_whole).then_some(self.position..self.end);
        let policy = self.ctx.retry_policy()?;
        let download = match retry::run(&policy, |_| s3.get(path, range.clone()), |_, _, _| {}).await {
            Ok(download) => download,
            Err(error) => {
                if error.is_broken_off() {
                    self.refuse_damaged().await?;
                }
                return Err(error.into());
            }
        };
        let etag = &download.info.etag;
        match &self.version {
            Some(version) if version == etag => {}
            Some(_) => {
                return Err(CliError::new(Kind::Integrity, format!("'{path}' changed while it was being read")));
            }
            None => {
                // It may have been replaced since it was looked at.
                self.end = self.position + download.info.length;
                let scheme = self.is_whole.then(|| Scheme::of_etag(etag, self.end)).flatten();
                self.hasher = scheme.map(Hasher::new);
                self.version = Some(etag.clone());
            }
        }
        Ok(download)
    }

    /// Fails where it is the server's copy that ends too soon, and not the connection.
    async fn refuse_damaged(&self) -> Result<(), CliError> {
        let path = &self.node.path;
        if !is_cut_short(self.ctx.s3().await?, path).await {
            return Ok(());
        }
        let why = format!("the connection ends after {} of {} bytes, every time", self.position, self.node.size);
        Err(TransferError::Damaged { path: path.to_string(), why }.into())
    }

    /// Compares what was written with the entity tag, where that tells.
    fn check(self) -> Result<(), CliError> {
        match (self.hasher.map(Hasher::etag), self.version) {
            (Some(etag), Some(version)) if etag != version => {
                let message = format!("'{}' did not arrive as the server has it", self.node.path);
                Err(CliError::new(Kind::Integrity, message)
                    .hint("read it again; if it stays so, the copy there is damaged"))
            }
            _ => Ok(()),
        }
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
