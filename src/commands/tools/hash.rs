//! `cec tools hash`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::commands::operands::Operands;
use crate::error::{CliError, Kind, Outcome};
use crate::hash::{CELLS_BLOCK, Hasher, Scheme, hex};
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cec tools hash report.pdf
  cec tools hash -r -f report.pdf
  cec tools hash photos/* > photos.hashes && cec tools hash --check photos.hashes
  cec tools hash --algorithm sha256 report.pdf";

const NOTES: &str = "\
Without --algorithm it is the server's own content hash, which 'cec stat' shows: the MD5 of the MD5s of blocks of 10 MiB. \
Lists to check have a line 'HASH  FILE' for each file, as md5sum and sha256sum write them; files are looked for from \
the current folder.";

/// Arguments of `cec tools hash`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NOTES}"))]
pub struct Args {
    /// Files to hash; - is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["file", "check"])]
    files: Vec<PathBuf>,

    /// A file to hash, as the older client takes it
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print the hash alone
    #[arg(short, long)]
    raw: bool,

    /// Which hash
    #[arg(long, value_name = "NAME", value_enum, default_value = "cells")]
    algorithm: Algorithm,

    /// Compare the files that a list names with the hashes that it gives; - is standard input
    #[arg(long, value_name = "LIST", conflicts_with_all = ["files", "file", "raw"])]
    check: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Algorithm {
    /// The server's content hash
    Cells,
    /// MD5 of the whole file
    Md5,
    /// SHA-256 of the whole file
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

/// A compared file in JSON.
#[derive(Debug, Serialize)]
struct Comparison {
    path: String,
    matches: bool,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read; [`Kind::Integrity`] where one differs from the list; [`Kind::Usage`] for a list that is
/// none.
pub fn run(ui: &Ui, arguments: &Args) -> Result<Outcome, CliError> {
    if let Some(list) = &arguments.check {
        return check(ui, list, arguments.algorithm);
    }
    let mut operands = Operands::new(ui);
    let mut records = Vec::new();
    for path in arguments.file.iter().chain(&arguments.files) {
        let hashed = hash_file(path, arguments.algorithm);
        operands.take(hashed.and_then(|(hash, size)| {
            let shown = path.display().to_string();
            if ui.is_json() {
                let algorithm = arguments.algorithm.name();
                records.push(Record { path: shown, algorithm, hash, size });
            } else if arguments.raw {
                ui.line(&hash)?;
            } else {
                ui.line(&format!("{hash}  {}", ui.shown(&shown)))?;
            }
            Ok(())
        }))?;
    }
    if ui.is_json() && !operands.all_failed() {
        ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

fn check(ui: &Ui, list: &Path, algorithm: Algorithm) -> Result<Outcome, CliError> {
    let text = io::read_to_string(open(list)?).map_err(|error| local(list, &error))?;
    let lines: Vec<(&str, &str)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            listed(line).ok_or_else(|| {
                CliError::new(Kind::Usage, format!("line {} of {} is not 'HASH  FILE'", number + 1, list.display()))
            })
        })
        .collect::<Result<_, _>>()?;
    if lines.is_empty() {
        return Err(CliError::new(Kind::Usage, format!("{} lists no file", list.display())));
    }
    let mut operands = Operands::new(ui);
    let mut comparisons = Vec::new();
    for (expected, path) in lines {
        let (hash, _) = match hash_file(Path::new(path), algorithm) {
            Ok(hashed) => hashed,
            Err(error) => {
                operands.failed(error)?;
                continue;
            }
        };
        let matches = hash.eq_ignore_ascii_case(expected);
        if ui.is_json() {
            comparisons.push(Comparison { path: path.to_owned(), matches });
        } else {
            ui.line(&format!("{}: {}", ui.shown(path), if matches { "OK" } else { "FAILED" }))?;
        }
        if matches { operands.succeeded() } else { operands.silent(Kind::Integrity) }
    }
    if ui.is_json() && !comparisons.is_empty() {
        ui.json_document(&comparisons)?;
    }
    Ok(operands.outcome())
}

/// The hash and the name in a line of a list: two spaces between them, or a space and a star (md5sum's binary mode).
fn listed(line: &str) -> Option<(&str, &str)> {
    let (hash, rest) = line.split_once(' ')?;
    let name = rest.strip_prefix([' ', '*'])?;
    let is_hash = matches!(hash.len(), 32 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && !name.is_empty()).then_some((hash, name))
}

fn local(path: &Path, error: &io::Error) -> CliError {
    let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
    CliError::new(kind, format!("cannot read {}: {error}", path.display())).about(path.display())
}

fn open(path: &Path) -> Result<Box<dyn Read>, CliError> {
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

/// The hash of a file, and its size in bytes.
fn hash_file(path: &Path, algorithm: Algorithm) -> Result<(String, u64), CliError> {
    let mut file = open(path)?;
    let mut size = 0;
    let mut hasher = Hasher::new(if algorithm == Algorithm::Md5 { Scheme::Whole } else { Scheme::Parts(CELLS_BLOCK) });
    let mut sha256 = Context::new(&SHA256);
    let mut chunk = vec![0; 256 * 1024];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(local(path, &error)),
        };
        size += read as u64;
        match algorithm {
            Algorithm::Sha256 => sha256.update(&chunk[..read]),
            Algorithm::Cells | Algorithm::Md5 => hasher.update(&chunk[..read]),
        }
    }
    let hash = match algorithm {
        Algorithm::Sha256 => hex(sha256.finish().as_ref()),
        Algorithm::Md5 => hasher.etag(),
        Algorithm::Cells => hasher.cells_hash().unwrap_or_default(),
    };
    Ok((hash, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_usual_tools_write_them() {
        let hash = "5bbf5a52328e7439ae6e719dfe712200";
        assert_eq!(listed(&format!("{hash}  a b.txt")), Some((hash, "a b.txt")));
        assert_eq!(listed(&format!("{hash} *a.txt")), Some((hash, "a.txt")));
        for line in [hash.to_owned(), format!("{hash}  "), format!("{hash} a"), "xyz  a".to_owned(), String::new()] {
            assert_eq!(listed(&line), None, "{line:?}");
        }
    }
}
