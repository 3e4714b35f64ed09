//! Converts operands to the jobs of a run, before anything is transferred.

use std::collections::HashSet;

use super::direction::{Direction, RemoteSource};
use crate::commands::shared::nodes;
use crate::error::{CliError, Kind};
use crate::ui::Ui;
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::transfer::plan::Job;
use cells_client::transfer::plan::target::DownloadSource;
use cells_client::transfer::{Engine, TransferError, event};
use cells_client::walk::glob::{self, Reading};

/// Removes matches of a pattern that are inside other matches, since a folder includes its content.
fn topmost(nodes: Vec<Node>) -> Vec<Node> {
    let mut folders: HashSet<RemotePath> = HashSet::new();
    // They are sorted by path, so each folder comes before its content.
    let mut is_topmost = |node: &Node| {
        let mut above = std::iter::successors(node.path.parent(), RemotePath::parent);
        if above.any(|folder| folders.contains(&folder)) {
            return false;
        }
        if node.is_folder() {
            folders.insert(node.path.clone());
        }
        true
    };
    nodes.into_iter().filter(|node| is_topmost(node)).collect()
}

/// Returns the jobs of a run. A stream has none.
pub(super) async fn plan(ui: &Ui, engine: &Engine, direction: Direction, literal: bool) -> Result<Vec<Job>, CliError> {
    let (sources, target) = match direction {
        Direction::Down(sources, target) => (sources, target),
        Direction::Up(sources, target, folder) => {
            let jobs = engine.upload_jobs(&sources, &target, folder).await;
            return jobs.map_err(|error| while_planning(error, &target.marked()));
        }
        Direction::PipeUp(..) | Direction::PipeDown(..) => return Ok(Vec::new()),
    };
    let (mut nodes, mut jobs) = (Vec::new(), Vec::new());
    for RemoteSource { path: source, contents } in &sources {
        let found = expand_source(ui, engine, source, literal).await?;
        if found.is_empty() && sources.len() == 1 {
            let message = format!("'{source}' does not exist on the server");
            return Err(CliError::new(Kind::NotFound, message).about(source));
        }
        if found.is_empty() {
            // As in cp, the other sources are still transferred.
            let error = TransferError::NotFound(format!("'{source}' does not exist on the server"));
            jobs.push(Job::Refused { direction: event::Direction::Download, source: source.marked(), error });
        }
        nodes.extend(found.into_iter().map(|node| DownloadSource { node, contents: *contents }));
    }
    if !nodes.is_empty() {
        let planned = engine.download_jobs(nodes, &target).await;
        jobs.extend(planned.map_err(|error| while_planning(error, &target.display().to_string()))?);
    }
    Ok(jobs)
}

/// Converts an error from planning, and adds what the failed call was for.
fn while_planning(error: TransferError, target: &str) -> CliError {
    let is_call = matches!(error, TransferError::Server(_) | TransferError::Walk(_));
    let error = CliError::from(error);
    if is_call { error.during(format!("looking for {target}")) } else { error }
}

/// Returns the nodes that a remote source names.
pub(super) async fn expand_source(
    ui: &Ui,
    engine: &Engine,
    source: &RemotePath,
    literal: bool,
) -> Result<Vec<Node>, CliError> {
    if source.is_root() {
        let message = "name a workspace to download from, for example cells://common-files";
        return Err(CliError::new(Kind::Usage, message));
    }
    let found = glob::expand(&engine.api, &engine.s3, source, Reading { literal, ..Reading::default() }).await;
    let found = found.map_err(|error| CliError::from(error).during(format!("looking for {}", source.marked())))?;
    nodes::warn_of_literal_names(ui, &found);
    Ok(topmost(found.nodes))
}
