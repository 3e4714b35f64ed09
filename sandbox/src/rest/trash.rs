//! Deletion, to the recycle bin or permanently, and restoring.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::error::{RestError, RestResult};
use super::json::message;
use super::tree::NodeInput;
use super::{Call, reply};
use crate::jobs::{Action, Order};
use crate::tree::{Access, Place, find};
use crate::world::RootKind;

/// The message for an attempt to delete a complete workspace.
const ROOT: &str = "please do not modify directly the root of a workspace";

message! {
    struct DeleteRequest {
        nodes: Vec<NodeInput> = "Nodes",
        recursive: bool = "Recursive",
        remove_permanently: bool = "RemovePermanently",
    }
}

message! {
    struct RestoreRequest {
        nodes: Vec<NodeInput> = "Nodes",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteAnswer {
    delete_jobs: Vec<JobAnswer>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RestoreAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restore_jobs: Vec<JobAnswer>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct JobAnswer {
    uuid: String,
    label: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    node_uuid: String,
}

/// `POST /a/tree/delete`: one job for each recycle bin, and one for permanent deletions.
pub(super) async fn delete(call: &mut Call) -> RestResult {
    let request: DeleteRequest = call.message().await?;
    if request.nodes.is_empty() {
        return Err(RestError::internal("please provide at least one node"));
    }
    let mut to_bin: BTreeMap<&'static str, Vec<Place>> = BTreeMap::new();
    let mut for_good = Vec::new();
    for input in &request.nodes {
        let place = deletable(call, &input.path, request.remove_permanently)?;
        if request.remove_permanently || place.is_in_bin() {
            for_good.push(place);
        } else {
            to_bin.entry(place.workspace.slug).or_default().push(place);
        }
    }
    let mut delete_jobs = Vec::new();
    for places in to_bin.into_values() {
        delete_jobs.push(recycle(call, places)?);
    }
    if !for_good.is_empty() {
        delete_jobs.push(erase(call, for_good)?);
    }
    reply(&DeleteAnswer { delete_jobs })
}

fn deletable(call: &Call, path: &str, for_good: bool) -> Result<Place, RestError> {
    let nodes = &call.shared.nodes;
    let place = match nodes.resolve(call.caller()?, path) {
        Access::Allowed(place) => place,
        Access::WriteOnly(_) => return Err(RestError::not_readable().with_status(StatusCode::FORBIDDEN)),
        Access::ReadOnly(place) if place.visit.as_ref().is_some_and(|_| place.is_root()) => {
            return Err(RestError::internal(ROOT));
        }
        Access::FileFolder(_) => return Err(RestError::internal(ROOT)),
        Access::ReadOnly(_) | Access::NotReadable => {
            return Err(RestError::not_writeable().with_status(StatusCode::FORBIDDEN));
        }
        Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
    };
    // The personal workspace of a user is silently deleted with all its content.
    if place.is_root() && !(for_good && place.workspace.root_kind == RootKind::Personal && place.visit.is_none()) {
        return Err(RestError::internal(ROOT));
    }
    if nodes.read(|forest| find(forest, &place)).is_none() {
        return Err(RestError::no_node(&place.shown()));
    }
    if !place.is_root() && nodes.is_one_root(&place) {
        return Err(RestError::internal(ROOT));
    }
    if nodes.is_locked(&place) {
        return Err(RestError::locked());
    }
    Ok(place)
}

fn recycle(call: &Call, places: Vec<Place>) -> Result<JobAnswer, RestError> {
    let label = "Moving to recycle bin in background...";
    let target = places
        .first()
        .map_or_else(String::new, |place| format!("{}/{}", place.workspace.slug, crate::tree::changes::RECYCLE_BIN));
    let parameters = super::jobs::transfer_parameters("move", &target, true);
    let order = Order {
        prefix: "copy-move",
        label: label.to_owned(),
        owner: call.caller()?.login.clone(),
        trigger: call.caller()?.login.clone(),
        action: Action { id: "actions.tree.copymove", paths: places.iter().map(Place::path).collect(), parameters },
        running: "Starting...".to_owned(),
    };
    let nodes = call.shared.nodes.clone();
    let uuid = call.shared.jobs.start(order, move || nodes.recycle(&places));
    Ok(JobAnswer { uuid, label, node_uuid: String::new() })
}

fn erase(call: &Call, places: Vec<Place>) -> Result<JobAnswer, RestError> {
    let label = "Deleting selection in background...";
    let order = Order {
        prefix: "delete",
        label: label.to_owned(),
        owner: call.caller()?.login.clone(),
        trigger: call.caller()?.login.clone(),
        action: Action {
            id: "actions.tree.delete",
            paths: places.iter().map(Place::path).collect(),
            parameters: BTreeMap::new(),
        },
        running: "Starting...".to_owned(),
    };
    let nodes = call.shared.nodes.clone();
    let uuid = call.shared.jobs.start(order, move || {
        nodes.erase(&places);
        Ok(())
    });
    Ok(JobAnswer { uuid, label, node_uuid: String::new() })
}

/// `POST /a/tree/restore`: a job for each node.
pub(super) async fn restore(call: &mut Call) -> RestResult {
    let request: RestoreRequest = call.message().await?;
    if request.nodes.is_empty() {
        return Err(RestError::internal("please provide at least one node"));
    }
    let mut found = Vec::new();
    for input in &request.nodes {
        found.push(restorable(call, &input.path)?);
    }
    let mut restore_jobs = Vec::new();
    for (place, node_uuid) in found {
        let label = "Moving file in background...";
        let origin = call.shared.nodes.origin_of(&place).unwrap_or_default();
        let order = Order {
            prefix: "copy-move",
            label: label.to_owned(),
            owner: call.caller()?.login.clone(),
            trigger: call.caller()?.login.clone(),
            action: Action {
                id: "actions.tree.copymove",
                paths: vec![place.path()],
                parameters: super::jobs::return_parameters(place.at(&origin).internal()),
            },
            running: "Starting...".to_owned(),
        };
        let nodes = call.shared.nodes.clone();
        let uuid = call.shared.jobs.start(order, move || nodes.restore(&[place]));
        restore_jobs.push(JobAnswer { uuid, label, node_uuid });
    }
    reply(&RestoreAnswer { restore_jobs })
}

fn restorable(call: &Call, path: &str) -> Result<(Place, String), RestError> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let nodes = &call.shared.nodes;
    let place = match nodes.resolve(call.caller()?, path) {
        Access::Allowed(place) => place,
        Access::ReadOnly(_) | Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable => {
            return Err(RestError::not_writeable());
        }
        Access::UnknownWorkspace(slug) => {
            return Err(RestError::no_workspace(&slug).with_status(status));
        }
    };
    if nodes.read(|forest| find(forest, &place)).is_none() {
        return Err(RestError::no_node(&place.shown()).with_status(status));
    }
    match nodes.restorable(&place) {
        Some(uuid) => Ok((place, uuid)),
        None => {
            let message = "cannot find restore location for selected node";
            Err(RestError::internal(message))
        }
    }
}
