//! The direction of a transfer: sorts the operands into sources and target, local, remote and piped.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::commands::shared::nodes;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::account::LinkUrl;
use cells_client::path::RemotePath;

/// The operand for standard input or output.
const PIPE: &str = "-";

/// The sources and the target.
pub(super) enum Direction {
    /// Local sources, the remote target, and whether it ends with a slash and so is a folder.
    Up(Vec<PathBuf>, RemotePath, bool),
    Down(Vec<RemoteSource>, PathBuf),
    /// Standard input, and the target as in [`Direction::Up`].
    PipeUp(RemotePath, bool),
    /// Remote sources whose contents are written to standard output.
    PipeDown(Vec<RemotePath>),
}

/// A path or pattern on the server. With `contents`, it ended in `/.` and means only the content of the folder.
pub(super) struct RemoteSource {
    pub(super) path: RemotePath,
    pub(super) contents: bool,
}

/// Returns a remote operand without `/.` at its end, and whether it had one.
pub(super) fn without_dot(text: &str) -> (&str, bool) {
    match text.strip_suffix("/.") {
        Some(folder) if RemotePath::is_marked(folder) || LinkUrl::is_meant(folder) => (folder, true),
        _ => (text, false),
    }
}

/// Sorts the operands.
///
/// # Errors
/// The combination is not valid, which is always a usage error.
pub(super) fn direction(ctx: &Ctx, paths: &[OsString]) -> Result<Direction, CliError> {
    let usage = |message: String| CliError::new(Kind::Usage, message);
    let Some((target, sources)) = paths.split_last() else {
        return Err(usage("a source and a target are needed".to_owned()));
    };
    if sources.is_empty() {
        return Err(
            usage(format!("'{}' has no target", target.display())).hint("name the target last: cec scp <SRC>... <DST>")
        );
    }
    if paths.iter().any(|path| path.is_empty()) {
        return Err(usage("a path is empty".to_owned()).hint("is a variable not set? this folder is written ."));
    }
    let is_remote = |text: &&str| RemotePath::is_marked(text) || LinkUrl::is_meant(text);
    let remote = |path: &OsString| path.to_str().filter(is_remote).map(str::to_owned);
    let remote_sources: Vec<String> = sources.iter().filter_map(remote).collect();
    let piped = sources.iter().any(|source| source == PIPE);
    match (remote(target), remote_sources.len()) {
        (Some(_), 0) if piped && sources.len() > 1 => {
            Err(usage("standard input cannot be one of several sources".to_owned()).hint("a file of that name is ./-"))
        }
        (Some(target), 0) => {
            let (path, is_folder) = (nodes::parse(ctx, &target)?, target.ends_with('/'));
            let sources = sources.iter().map(PathBuf::from).collect();
            Ok(if piped { Direction::PipeUp(path, is_folder) } else { Direction::Up(sources, path, is_folder) })
        }
        (None, count) if count == sources.len() => {
            let parsed = remote_sources.iter().map(|text| {
                let (text, contents) = without_dot(text);
                Ok(RemoteSource { path: nodes::parse(ctx, text)?, contents })
            });
            let sources: Vec<RemoteSource> = parsed.collect::<Result<_, CliError>>()?;
            if target == PIPE {
                return Ok(Direction::PipeDown(sources.into_iter().map(|source| source.path).collect()));
            }
            Ok(Direction::Down(sources, PathBuf::from(target)))
        }
        (None, 0) => Err(usage("neither the sources nor the target are on the server".to_owned())
            .hint(format!("mark the remote side: {}", marked(paths)))),
        (Some(_), _) => Err(usage("both the sources and the target are on the server".to_owned())
            .hint("'cec cp' copies on the server, 'cec mv' moves there")),
        (None, _) => Err(usage("local and remote sources cannot be mixed".to_owned())),
    }
}

/// Returns an operand in its marked form for a hint: one with a part of the marker (`cells:ws/x`), otherwise a target
/// that is not a local folder.
fn marked(paths: &[OsString]) -> String {
    let almost = paths.iter().filter_map(|path| path.to_str()?.strip_prefix("cells:"));
    let target = paths.last().and_then(|path| path.to_str()).filter(|path| {
        path.contains('/') && !path.starts_with(['/', '.', '~']) && !std::path::Path::new(path).exists()
    });
    match almost.chain(target).next() {
        Some(path) => format!("cells://{}", path.trim_start_matches('/')),
        None => "cells://workspace/path".to_owned(),
    }
}
