//! `cec cat`.

use std::ops::Range;
use std::time::Duration;

use futures_util::TryStreamExt;

use crate::api::Node;
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::failure::ServerError;
use crate::hash::{CELLS_BLOCK, Hasher, MEBIBYTE, Scheme};
use crate::http::retry;
use crate::s3::Download;
use crate::transfer::TransferError;
use crate::transfer::fetch::listed::{Listed, Verdict};
use crate::transfer::verify::{is_cut_short, ways_to_hash, ways_to_tell};

/// How often a download that broke off is continued without progress in between.
const MOST_BREAKS: u32 = 7;

/// How many bytes are progress: a line that breaks off after some bytes, every time, is to be told.
const PROGRESS: u64 = MEBIBYTE;

/// The pauses before each look at the server's own hash.
const HASH_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500)];

/// Arguments of `cec cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec cat cells://common-files/notes.txt\n  \
    cec cat --offset 1000 --count 500 cells://common-files/big.bin | xxd")]
pub struct Args {
    /// Files or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
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

impl Verb for Args {
    const ACTIVITY: &'static str = "fetching";
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["head", "tail", "less", "more", "type"], "'cec cat' writes files to standard output")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Writes the content of files, one after the other.
    ///
    /// # Errors
    /// What ends the whole command; failures of single operands are told and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        for typed in &self.paths {
            let found = match nodes::parse(ctx, typed) {
                Ok(path) => nodes::resolve(ctx, &path, self.no_glob).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => {
                    for node in &found {
                        let result = write(ctx, node, &self).await;
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
}

/// The bytes of a file that are asked for.
fn byte_range(size: u64, arguments: &Args) -> Range<u64> {
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
    let wanted = byte_range(node.size, arguments);
    let is_whole = wanted == (0..node.size);
    // Of an empty file that is encrypted the server finds no content (docs/protocol.md §5.8).
    if wanted.is_empty() && (!is_whole || node.is_encrypted()) {
        return Ok(());
    }
    let mut reading = Reading {
        ctx,
        node,
        listed: Listed::of(node),
        is_whole,
        position: wanted.start,
        end: wanted.end,
        version: None,
        hashers: Vec::new(),
    };
    let mut breaks = 0;
    while reading.version.is_none() || reading.position < reading.end {
        let before = reading.position;
        let Err(error) = reading.go_on().await? else {
            if reading.position == before && before < reading.end {
                return Err(CliError::new(Kind::Integrity, format!("'{}' is shorter than the server says", node.path)));
            }
            continue;
        };
        breaks = if reading.position >= before + PROGRESS { 1 } else { breaks + 1 };
        if breaks > 1 && error.is_broken_off() {
            reading.refuse_damaged().await?;
        }
        if breaks > MOST_BREAKS || retry::Retryable::advice(&error) == retry::Advice::Stop {
            return Err(error.into());
        }
        tracing::debug!(%error, position = reading.position, "going on where it broke off");
    }
    ctx.ui.flush()?;
    reading.check().await
}

/// A file on its way to standard output.
struct Reading<'a> {
    ctx: &'a Ctx,
    node: &'a Node,
    listed: Listed,
    /// Whether all of it is asked for, and not a part.
    is_whole: bool,
    /// The next byte, and the one to stop before.
    position: u64,
    end: u64,
    /// The entity tag of the content, once it has begun.
    version: Option<String>,
    /// Its sums so far.
    hashers: Vec<Hasher>,
}

impl Reading<'_> {
    /// Writes as much as one answer brings; the inner error is that of a connection which broke off.
    async fn go_on(&mut self) -> Result<Result<(), ServerError>, CliError> {
        let mut download = self.open().await?;
        loop {
            match download.body.try_next().await {
                Ok(Some(bytes)) => {
                    self.ctx.ui.bytes(&bytes)?;
                    self.position += bytes.len() as u64;
                    self.hashers.iter_mut().for_each(|hasher| hasher.update(&bytes));
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Asks for what is still missing, of the content that was begun with.
    async fn open(&mut self) -> Result<Download, CliError> {
        let (api, s3, path) = (self.ctx.api().await?, self.ctx.s3().await?, &self.node.path);
        let range = (self.position > 0 || !self.is_whole).then_some(self.position..self.end);
        let (listed, is_whole) = (tokio::sync::Mutex::new(&mut self.listed), self.is_whole);
        let ask = |_| async {
            let mut listed = listed.lock().await;
            let known = listed.known().filter(|_| is_whole);
            let download = s3.get_known(path, range.clone(), known).await?;
            match listed.compare(api, path, &download.info).await? {
                // What was written cannot be taken back: its sum decides in the end.
                Verdict::Same | Verdict::OtherEtag => Ok(download),
                Verdict::Other => Err(listed.other(path, &download.info)),
            }
        };
        let download = match retry::run(&self.ctx.retry_policy()?, ask, |_, _, _| {}).await {
            Ok(download) => download,
            Err(error) => {
                if matches!(&error, TransferError::Server(cause) if cause.is_broken_off()) {
                    self.refuse_damaged().await?;
                }
                return Err(error.into());
            }
        };
        let etag = self.listed.etag().unwrap_or(&download.info.etag);
        match &self.version {
            Some(version) if version == etag => {}
            Some(_) => {
                return Err(CliError::new(Kind::Integrity, format!("'{path}' changed while it was being read")));
            }
            None => {
                // It may have been replaced since it was looked at.
                self.end = self.position + download.info.length;
                if self.is_whole {
                    let encrypted = self.node.is_encrypted();
                    let ways = if encrypted { vec![Scheme::Parts(CELLS_BLOCK)] } else { ways_to_tell(etag, self.end) };
                    self.hashers = ways.into_iter().map(Hasher::new).collect();
                }
                self.version = Some(etag.to_owned());
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

    /// Compares what was written with the entity tag, and with the server's own hash where that does not tell.
    async fn check(self) -> Result<(), CliError> {
        let Some(version) = self.version.filter(|_| !self.hashers.is_empty()) else { return Ok(()) };
        if self.hashers.iter().any(|hasher| hasher.clone().etag() == version) {
            return Ok(());
        }
        let path = &self.node.path;
        if let Some(found) = self.hashers.into_iter().find_map(Hasher::cells_hash) {
            // The hash may come a moment after the content; where another sum tells, that is found out sooner.
            let encrypted = self.node.is_encrypted();
            for pause in HASH_PAUSES.iter().take(if encrypted { HASH_PAUSES.len() } else { 1 }) {
                tokio::time::sleep(*pause).await;
                let mut nodes = self.ctx.api().await?.stat_many(std::slice::from_ref(path)).await?;
                match nodes.pop().and_then(|node| node.hash) {
                    Some(hash) if hash == found => return Ok(()),
                    // Neither the entity tag nor anything else tells.
                    None if encrypted || ways_to_hash(&version, self.end).is_empty() => return Ok(()),
                    _ => {}
                }
            }
        }
        let message = format!("'{path}' did not arrive as the server has it");
        Err(CliError::new(Kind::Integrity, message).hint("read it again; if it stays so, the copy there is damaged"))
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
            assert_eq!(byte_range(10, &arguments(offset, count)), expected);
        }
    }
}
