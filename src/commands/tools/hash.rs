//! `cec tools hash`.

#![expect(clippy::disallowed_methods, reason = "the content to hash may be standard input")]

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::check;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Offline, OfflineVerb};
use crate::error::{CliError, Kind, Outcome};
use cells_client::hash::parts::{hash_parts, read_at, side_by_side};
use cells_client::hash::{CELLS_BLOCK, Digest, Hasher, LANES, Scheme, hex, md5};

const EXAMPLES: &str = "\
Examples:
  cec tools hash report.pdf
  cec tools hash -r -f report.pdf
  cec tools hash photos/* > photos.hashes && cec tools hash --check photos.hashes
  cec tools hash --algorithm sha256 report.pdf";

const NOTES: &str = "\
The default is the server's own content hash, which 'cec stat' shows: the MD5 of the MD5s of blocks of 10 MiB. A list to \
check has a line 'HASH  FILE' for each file, as md5sum and sha256sum write it (with a \\ before the line if the name \
contains a line break or a \\), or is a file of 'cec scp --manifest'; file names are relative to the current folder.";

/// Arguments of `cec tools hash`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NOTES}"))]
pub struct Args {
    /// Files to hash; - is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["file", "check"])]
    files: Vec<PathBuf>,

    /// File to hash, in the form of the older client
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print only the hash
    #[arg(short, long)]
    raw: bool,

    /// Hash to compute
    #[arg(long, value_name = "NAME", value_enum, default_value = "cells")]
    algorithm: Algorithm,

    /// Compare files with the hashes in a list; - is standard input
    #[arg(long, value_name = "LIST", conflicts_with_all = ["files", "file", "raw"])]
    check: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Algorithm {
    /// The server's content hash
    Cells,
    /// MD5 of the complete file
    Md5,
    /// SHA-256 of the complete file
    Sha256,
}

/// A hashed file in JSON.
#[derive(Debug, Serialize)]
struct Record {
    path: String,
    algorithm: &'static str,
    hash: String,
    size: u64,
}

impl OfflineVerb for Args {
    /// Prints or compares hashes.
    ///
    /// # Errors
    /// A file cannot be read; [`Kind::Integrity`] if a file differs from the list; [`Kind::Usage`] if the list is not
    /// valid.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let ui = stage.ui;
        if let Some(list) = &self.check {
            return check::run(ui, list, self.algorithm);
        }
        let mut operands = Operands::new(ui);
        let mut records = Vec::new();
        let paths: Vec<&Path> = self.file.iter().chain(&self.files).map(PathBuf::as_path).collect();
        let hashed = paths.chunks(LANES).flat_map(|paths| hash_files(paths, self.algorithm));
        for (path, hashed) in paths.iter().zip(hashed) {
            operands.take(hashed.and_then(|(hash, size)| {
                let shown = path.display().to_string();
                if ui.is_json() {
                    let algorithm = self.algorithm.name();
                    records.push(Record { path: shown, algorithm, hash, size });
                } else if self.raw {
                    ui.line(&hash)?;
                } else {
                    let (mark, name) = escaped(&shown);
                    ui.line(&format!("{mark}{hash}  {}", ui.shown(&name)))?;
                }
                Ok(())
            }))?;
        }
        if ui.is_json() && !operands.all_failed() {
            ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// Escapes a name as md5sum does, so that it fits on one line. Returns the mark before the hash too.
pub(super) fn escaped(name: &str) -> (&'static str, String) {
    if !name.contains(['\\', '\n', '\r']) {
        return ("", name.to_owned());
    }
    ("\\", name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r"))
}

/// Reverses [`escaped`]; `None` if the name is not a result of it.
pub(super) fn unescaped(name: &str) -> Option<String> {
    let mut read = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        read.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(read)
}

pub(super) fn local(path: &Path, error: &io::Error) -> CliError {
    let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
    CliError::new(kind, format!("cannot read {}: {error}", path.display())).about(path.display())
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, CliError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(|error| local(path, &error))?))
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Cells => "cells",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }
}

/// Returns the hash of a file and its size in bytes.
pub(super) fn hash_file(path: &Path, algorithm: Algorithm) -> Result<(String, u64), CliError> {
    if algorithm == Algorithm::Sha256 {
        let mut sha256 = Context::new(&SHA256);
        let size = read(path, |chunk| sha256.update(chunk))?;
        return Ok((hex(sha256.finish().as_ref()), size));
    }
    let scheme = if algorithm == Algorithm::Md5 { Scheme::Whole } else { Scheme::Parts(CELLS_BLOCK) };
    let (hasher, size) = hash_by(path, scheme)?;
    let hash = match algorithm {
        Algorithm::Md5 => hasher.etag(),
        _ => hasher.cells_hash().unwrap_or_default(),
    };
    Ok((hash, size))
}

/// The hashes of several files, up to [`LANES`], and their sizes in bytes. Files of one block each are hashed at the same
/// time.
pub(super) fn hash_files(paths: &[&Path], algorithm: Algorithm) -> Vec<Result<(String, u64), CliError>> {
    let most = match algorithm {
        Algorithm::Cells => CELLS_BLOCK,
        Algorithm::Md5 => u64::MAX,
        Algorithm::Sha256 => 0,
    };
    let mut hashes: Vec<Option<(String, u64)>> = vec![None; paths.len()];
    let files = paths.iter().enumerate().filter_map(|(index, path)| {
        let (file, size) = regular_file(path)?;
        (size <= most).then_some((index, file, size))
    });
    let files: Vec<(usize, File, u64)> = files.collect();
    if files.len() > 1 {
        let sizes: Vec<u64> = files.iter().map(|(_, _, size)| *size).collect();
        let mut is_read = vec![true; files.len()];
        let digests = side_by_side(&sizes, |index, offset, buffer| {
            is_read[index] = is_read[index] && read_at(&files[index].1, offset, buffer).is_ok();
            Ok::<(), Infallible>(())
        });
        let Ok(digests) = digests;
        for (((index, _, size), digest), is_read) in files.iter().zip(digests).zip(is_read) {
            hashes[*index] = is_read.then(|| (of_one_block(&digest, algorithm), *size));
        }
    }
    // What is left is read in order, which also finds out why a file cannot be read.
    paths.iter().zip(hashes).map(|(path, hash)| hash.map_or_else(|| hash_file(path, algorithm), Ok)).collect()
}

/// The hash of a file of one block, from the MD5 of its content.
fn of_one_block(digest: &Digest, algorithm: Algorithm) -> String {
    hex(&if algorithm == Algorithm::Md5 { *digest } else { md5(digest) })
}

/// A file that can be read at any offset, and its size in bytes, at least one: a file of no size may have a content.
fn regular_file(path: &Path) -> Option<(File, u64)> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && path != Path::new("-"))?;
    let size = metadata.len();
    if size == 0 { None } else { Some((File::open(path).ok()?, size)) }
}

/// Hashes a file with a scheme. Returns the hasher and the size in bytes.
pub(super) fn hash_by(path: &Path, scheme: Scheme) -> Result<(Hasher, u64), CliError> {
    if let Scheme::Parts(part_size) = scheme
        && let Some((file, size)) = regular_file(path)
        && size > part_size
    {
        match hash_parts(&file, size, part_size) {
            Ok(hasher) => return Ok((hasher, size)),
            // Some files have less than they say (/sys).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(local(path, &error)),
        }
    }
    let mut hasher = Hasher::new(scheme);
    let size = read(path, |chunk| hasher.update(chunk))?;
    Ok((hasher, size))
}

/// Reads a file to its end. Returns its size in bytes.
fn read(path: &Path, mut take: impl FnMut(&[u8])) -> Result<u64, CliError> {
    let mut file = open(path)?;
    let mut size = 0;
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(size),
            Ok(read) => {
                size += read as u64;
                take(&chunk[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(local(path, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_one_line() {
        for (name, mark, written) in
            [("plain name", "", "plain name"), ("a\nb", "\\", "a\\nb"), ("a\\nb", "\\", "a\\\\nb"), ("\r", "\\", "\\r")]
        {
            assert_eq!(escaped(name), (mark, written.to_owned()));
            if !mark.is_empty() {
                assert_eq!(unescaped(written).as_deref(), Some(name));
            }
        }
        assert_eq!((unescaped("a\\"), unescaped("\\x")), (None, None));
    }
}
