//! `cec tools hash --check`: compares files with a list of hashes.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::hash::{Algorithm, escaped, hash_by, hash_files, local, open, unescaped};
use crate::commands::shared::operands::Operands;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::Ui;
use cells_client::hash::{LANES, Scheme};

/// The comparison of a file in JSON.
#[derive(Debug, Serialize)]
struct Comparison {
    path: String,
    matches: bool,
}

/// The entry of a file in a list.
#[derive(Debug, PartialEq)]
struct Entry {
    path: String,
    expected: Expected,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Hash(String),
    /// The ETag that the server reported, and the size in bytes.
    Etag(String, u64),
    /// The file was not transferred.
    Nothing,
}

/// A line in a manifest of `cec scp` (docs/scripting.md).
#[derive(Debug, Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    source: String,
    target: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    status: String,
    etag: Option<String>,
}

/// Compares the files in a list.
///
/// # Errors
/// A file cannot be read; [`Kind::Integrity`] if a file differs from the list; [`Kind::Usage`] if the list is not
/// valid.
pub(super) fn run(ui: &Ui, list: &Path, algorithm: Algorithm) -> Result<Outcome, CliError> {
    let text = io::read_to_string(open(list)?).map_err(|error| local(list, &error))?;
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        entries.extend(
            read(line).map_err(|what| {
                CliError::new(Kind::Usage, format!("line {} of {} {what}", number + 1, list.display()))
            })?,
        );
    }
    if entries.is_empty() {
        return Err(CliError::new(Kind::Usage, format!("{} lists no file", list.display())));
    }
    let mut operands = Operands::new(ui);
    let mut comparisons = Vec::new();
    let matched = entries.chunks(LANES).flat_map(|entries| matches(entries, algorithm));
    for (entry, matches) in entries.iter().zip(matched) {
        let matches = match matches {
            Ok(matches) => matches,
            Err(error) => {
                operands.failed(error)?;
                continue;
            }
        };
        if ui.is_json() {
            comparisons.push(Comparison { path: entry.path.clone(), matches });
        } else {
            let (mark, name) = escaped(&entry.path);
            ui.line(&format!("{mark}{}: {}", ui.shown(&name), if matches { "OK" } else { "FAILED" }))?;
        }
        if matches { operands.succeeded() } else { operands.silent(Kind::Integrity) }
    }
    if ui.is_json() && !comparisons.is_empty() {
        ui.json_document(&comparisons)?;
    }
    Ok(operands.outcome())
}

/// Whether each of some files is as the list says.
fn matches(entries: &[Entry], algorithm: Algorithm) -> Vec<Result<bool, CliError>> {
    let is_hash = |entry: &&Entry| matches!(entry.expected, Expected::Hash(_));
    let paths: Vec<&Path> = entries.iter().filter(is_hash).map(|entry| Path::new(&entry.path)).collect();
    let mut hashed = hash_files(&paths, algorithm).into_iter();
    let compare = |entry: &Entry| match &entry.expected {
        Expected::Hash(hash) => hashed.next().map_or(Ok(false), |found| Ok(found?.0.eq_ignore_ascii_case(hash))),
        _ => matches_etag(entry),
    };
    entries.iter().map(compare).collect()
}

fn matches_etag(entry: &Entry) -> Result<bool, CliError> {
    let path = Path::new(&entry.path);
    match &entry.expected {
        Expected::Etag(etag, size) => {
            let Some(scheme) = Scheme::of_etag(etag, *size) else {
                let message = format!("the ETag of {} ({etag}) is not a content hash", entry.path);
                return Err(CliError::new(Kind::Failure, message).about(&entry.path));
            };
            let (hasher, found) = hash_by(path, scheme)?;
            Ok(found == *size && hasher.etag() == *etag)
        }
        Expected::Hash(_) | Expected::Nothing => Ok(false),
    }
}

/// Returns the entry in a line, if there is one.
///
/// # Errors
/// What is wrong with the line, as the end of a sentence.
fn read(line: &str) -> Result<Option<Entry>, &'static str> {
    if line.starts_with('{') {
        let line: Line = serde_json::from_slice(line.as_bytes()).map_err(|_| "is not a line of a manifest")?;
        return Ok(of_manifest(line));
    }
    let (line, is_escaped) = line.strip_prefix('\\').map_or((line, false), |line| (line, true));
    let found =
        listed(line).and_then(|(hash, path)| Some((hash, if is_escaped { unescaped(path)? } else { path.to_owned() })));
    match found {
        Some((hash, path)) => Ok(Some(Entry { path, expected: Expected::Hash(hash.to_owned()) })),
        None => Err("is not 'HASH  FILE'"),
    }
}

/// Returns the entry for the local file in a manifest. Skipped files and streams have none.
fn of_manifest(line: Line) -> Option<Entry> {
    // Without a target, there is only a failure on this side.
    let path = if line.direction == "upload" { line.source } else { line.target.unwrap_or(line.source) };
    let expected = match (line.status.as_str(), line.etag, line.size) {
        ("failed", ..) => Expected::Nothing,
        ("transferred" | "unchanged", Some(etag), Some(size)) => Expected::Etag(etag, size),
        _ => return None,
    };
    (line.r#type == "file" && path != "-").then_some(Entry { path, expected })
}

/// Returns the hash and the name in a line of a list. They are separated by two spaces, or a space and a star (md5sum's
/// binary mode).
fn listed(line: &str) -> Option<(&str, &str)> {
    let (hash, rest) = line.split_once(' ')?;
    let name = rest.strip_prefix([' ', '*'])?;
    let is_hash = matches!(hash.len(), 32 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && !name.is_empty()).then_some((hash, name))
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

    #[test]
    fn manifests_tell_of_the_files_on_this_side() {
        let line = |direction: &str, status: &str, etag: &str| {
            let line = format!(
                r#"{{"type":"file","direction":"{direction}","source":"s","target":"t","size":3,"status":"{status}","etag":{etag}}}"#
            );
            read(&line).expect("a line").map(|entry| (entry.path, entry.expected))
        };
        let etag = || Expected::Etag("e".to_owned(), 3);
        assert_eq!(line("upload", "transferred", "\"e\""), Some(("s".to_owned(), etag())));
        assert_eq!(line("download", "unchanged", "\"e\""), Some(("t".to_owned(), etag())));
        assert_eq!(line("download", "failed", "null"), Some(("t".to_owned(), Expected::Nothing)));
        assert_eq!(line("download", "skipped", "\"e\""), None);
        assert_eq!(line("download", "planned", "null"), None);
        assert_eq!(read(r#"{"type":"summary","files":1}"#), Ok(None));
        assert!(read("{}").is_err() && read("{").is_err());
    }
}
