//! `/a/jobs/…`: starting, polling and controlling background jobs.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{RestError, RestResult};
use super::json::{Field, JsonError, Value, message};
use super::{Call, reply};
use crate::jobs::{Action, JobView, News, Order, SYSTEM_USER, TaskStatus, TaskView};
use crate::tree::changes::{Target, Transfer};
use crate::tree::node::Kind;
use crate::tree::{Access, Place, find};

/// A task id shorter than this crashes the real service.
const SHORTEST_TASK_ID: usize = 8;

message! {
    struct StartRequest {
        job_name: String = "JobName",
        json_parameters: String = "JsonParameters",
    }
}

message! {
    struct ListRequest {
        owner: String = "Owner",
        events_only: bool = "EventsOnly",
        timers_only: bool = "TimersOnly",
        load_tasks: StatusInput = "LoadTasks",
        job_ids: Vec<String> = "JobIDs",
        tasks_offset: i32 = "TasksOffset",
        tasks_limit: i32 = "TasksLimit",
    }
}

message! {
    struct ControlRequest {
        command: Command = "Cmd",
        job_id: String = "JobId",
        task_id: String = "TaskId",
        owner_id: String = "OwnerId",
        run_parameters: BTreeMap<String, String> = "RunParameters",
    }
}

message! {
    struct DeleteTasksRequest {
        job_id: String = "JobId",
        task_ids: Vec<String> = "TaskID",
        statuses: Vec<StatusInput> = "Status",
        prune_limit: i32 = "PruneLimit",
    }
}

/// A state of tasks in a request; 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusInput(i64);

impl StatusInput {
    const NAMES: [(&'static str, i64); 9] = [
        ("Unknown", 0),
        ("Idle", 1),
        ("Running", 2),
        ("Finished", 3),
        ("Interrupted", 4),
        ("Paused", 5),
        ("Any", 6),
        ("Error", 7),
        ("Queued", 8),
    ];
    const ANY: Self = Self(6);
}

impl Field for StatusInput {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        value.enum_value(&Self::NAMES, name, source).map(Self)
    }
}

/// What to do with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command(i64);

impl Command {
    const NAMES: [(&'static str, i64); 8] = [
        ("None", 0),
        ("Pause", 1),
        ("Resume", 2),
        ("Stop", 3),
        ("Delete", 4),
        ("RunOnce", 5),
        ("Inactive", 6),
        ("Active", 7),
    ];
    const STOP: Self = Self(3);
    const DELETE: Self = Self(4);
}

impl Field for Command {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        value.enum_value(&Self::NAMES, name, source).map(Self)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartAnswer {
    pub(super) job_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<WireJob>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireJob {
    #[serde(rename = "ID")]
    id: String,
    label: String,
    owner: String,
    created_at: i64,
    modified_at: i64,
    languages: [&'static str; 1],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    auto_start: bool,
    auto_clean: bool,
    actions: [WireAction; 1],
    max_concurrency: i32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<WireTask>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireAction {
    #[serde(rename = "ID")]
    id: &'static str,
    nodes_selector: Selector,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Selector {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pathes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireTask {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "JobID")]
    job_id: String,
    status: &'static str,
    status_message: String,
    trigger_owner: String,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    can_stop: bool,
    has_progress: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ControlAnswer {
    msg: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteTasksAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<String>,
}

/// The event that listeners receive about a task.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewsFrame {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_updated: Option<WireTask>,
    job: WireJob,
    nano_stamp: String,
}

/// Parameters of a copy or move: a JSON text inside the JSON of the request.
#[derive(Deserialize)]
struct TransferParameters {
    nodes: Option<Vec<String>>,
    target: Option<String>,
    #[serde(rename = "targetParent")]
    into_target: Option<bool>,
}

/// `PUT /a/jobs/user/{name}`
pub(super) async fn start(call: &mut Call, name: &str) -> RestResult {
    let request: StartRequest = call.message().await?;
    let name = match request.job_name.as_str() {
        "" => name,
        name => name,
    };
    match name {
        "copy" => start_transfer(call, Transfer::Copy, &request.json_parameters),
        "move" => start_transfer(call, Transfer::Move, &request.json_parameters),
        "compress" => super::archives::compress(call, &request.json_parameters),
        "extract" => super::archives::extract(call, &request.json_parameters),
        "datasource-resync" => start_resync(call, &request.json_parameters),
        "remote-download" => {
            let message = "you are not allowed to use this feature";
            Err(RestError::internal(message))
        }
        _ => Err(RestError::internal("unknown job name").followed_by("{}")),
    }
}

#[derive(Deserialize)]
struct ResyncParameters {
    #[serde(rename = "dsName")]
    name: String,
}

/// Compares a data source with its storage: for everybody, always with the same id, as a job of the server. Only the
/// job detects that a name is unknown.
fn start_resync(call: &Call, parameters: &str) -> RestResult {
    let ResyncParameters { name } = serde_json::from_str(parameters).map_err(|_| RestError::Panic)?;
    let order = Order {
        prefix: "resync-ds",
        label: format!("Sync datasource {name} then rehash new files"),
        owner: SYSTEM_USER.to_owned(),
        trigger: call.caller()?.login.clone(),
        action: Action {
            id: "actions.cmd.resync",
            paths: Vec::new(),
            parameters: BTreeMap::from([("service", format!("pydio.grpc.data.sync.{name}"))]),
        },
        running: format!("Resyncing {name}"),
    };
    let known = super::datasources::is_known(&name);
    let work = move || {
        if known {
            Ok(())
        } else {
            Err("rpc error: code = Unavailable desc = service is not known by the registry".to_owned())
        }
    };
    let job_uuid = call.shared.jobs.start_as(format!("resync-ds-{name}"), order, work);
    reply(&StartAnswer { job_uuid })
}

fn start_transfer(call: &Call, transfer: Transfer, parameters: &str) -> RestResult {
    // The real handler requires the JSON and its keys, and panics without them.
    let parameters: TransferParameters = serde_json::from_str(parameters).map_err(|_| RestError::Panic)?;
    let (Some(nodes), Some(target), Some(into_target)) = (parameters.nodes, parameters.target, parameters.into_target)
    else {
        return Err(RestError::Panic);
    };
    let mut sources = Vec::new();
    let mut first_kind = Kind::File;
    for path in &nodes {
        let (place, kind) = source(call, path, transfer)?;
        if sources.is_empty() {
            first_kind = kind;
        }
        sources.push(place);
    }
    let place = target_place(call, &target)?;
    let (kind, noun) = match transfer {
        Transfer::Copy => ("copy", "Copying"),
        Transfer::Move => ("move", "Moving"),
    };
    let what = match first_kind {
        Kind::File => "file",
        Kind::Folder => "folder",
    };
    let order = Order {
        prefix: "copy-move",
        label: format!("{noun} {what} in background..."),
        owner: call.caller()?.login.clone(),
        trigger: call.caller()?.login.clone(),
        action: Action {
            id: "actions.tree.copymove",
            paths: nodes,
            parameters: transfer_parameters(kind, &target, into_target),
        },
        running: format!("{noun} {}", sources.first().map_or("", Place::name)),
    };
    let target = if into_target { Target::Into(place) } else { Target::As(place) };
    let tree = call.shared.nodes.clone();
    let begun = match sources.as_slice() {
        [source] if transfer == Transfer::Copy => tree.begin_copy(source, &target),
        _ => None,
    };
    let job_uuid = call.shared.jobs.start_with_log(order, move || match begun {
        Some(begun) => Ok(tree.finish_copy(begun)),
        None => tree.transfer(&sources, &target, transfer),
    });
    reply(&StartAnswer { job_uuid })
}

/// A source must exist; that of a move must be writeable.
fn source(call: &Call, path: &str, transfer: Transfer) -> Result<(Place, Kind), RestError> {
    let nodes = &call.shared.nodes;
    let place = match nodes.resolve(call.caller()?, path) {
        Access::ReadOnly(_) if transfer == Transfer::Move => return Err(forbidden()),
        Access::Allowed(place) | Access::ReadOnly(place) => place,
        Access::WriteOnly(_) | Access::FileFolder(_) => {
            return Err(RestError::not_readable().with_status(StatusCode::FORBIDDEN));
        }
        Access::NotReadable => return Err(RestError::not_readable()),
        Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
    };
    let kind = nodes.read(|forest| {
        let id = find(forest, &place)?;
        forest.get(id).map(|node| node.kind)
    });
    match kind {
        Some(_) if transfer == Transfer::Move && nodes.is_locked(&place) => Err(RestError::locked()),
        Some(kind) => Ok((place, kind)),
        None => Err(RestError::no_node(&place.shown())),
    }
}

pub(super) fn target_place(call: &Call, path: &str) -> Result<Place, RestError> {
    if path.trim_matches('/').is_empty() {
        return Err(RestError::internal("no.workspace.in.path"));
    }
    let nodes = &call.shared.nodes;
    let place = match nodes.resolve(call.caller()?, path) {
        Access::Allowed(place) | Access::WriteOnly(place) => place,
        Access::ReadOnly(_) | Access::FileFolder(_) | Access::NotReadable => return Err(forbidden()),
        Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
    };
    if nodes.is_rootless(&place) {
        return Err(RestError::no_root());
    }
    if nodes.is_locked(&place) {
        return Err(RestError::locked());
    }
    Ok(place)
}

fn forbidden() -> RestError {
    RestError::not_writeable().with_status(StatusCode::FORBIDDEN)
}

/// The parameters that a job record shows for a copy or move.
pub(super) fn transfer_parameters(kind: &str, target: &str, into_target: bool) -> BTreeMap<&'static str, String> {
    let into_target = if into_target { "true" } else { "" };
    BTreeMap::from([
        ("create", "true".to_owned()),
        ("recursive", "true".to_owned()),
        ("scope", "owner".to_owned()),
        ("target", target.to_owned()),
        ("targetParent", into_target.to_owned()),
        ("type", kind.to_owned()),
    ])
}

/// The parameters that a job record shows for the return of something to where it was: an internal path.
pub(super) fn return_parameters(target: String) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("create", "true".to_owned()),
        ("recursive", "true".to_owned()),
        ("target", target),
        ("type", "move".to_owned()),
    ])
}

/// `POST /a/jobs/user`
pub(super) async fn list(call: &mut Call) -> RestResult {
    let request: ListRequest = call.message().await?;
    let caller = call.caller()?;
    let owner = (!caller.admin || request.owner != "*").then_some(caller.login.as_str());
    let wanted = request.load_tasks;
    let jobs = call
        .shared
        .jobs
        .list(owner, &request.job_ids)
        .into_iter()
        .filter_map(|mut job| {
            if wanted == StatusInput::default() {
                job.task = None;
            } else if wanted != StatusInput::ANY {
                job.task = job.task.filter(|task| task.status as i64 == wanted.0);
                job.task.as_ref()?;
            }
            Some(wire(job))
        })
        .collect();
    reply(&ListAnswer { jobs })
}

/// Returns the text frame of an event.
pub(crate) fn frame(mut news: News) -> String {
    let task = news.job.task.take();
    let task_updated = task.map(|task| wire_task(&news.job, &task));
    let frame = NewsFrame { task_updated, job: wire(news.job), nano_stamp: news.nanoseconds.to_string() };
    // Texts and numbers can always be serialized.
    serde_json::to_string(&frame).unwrap_or_default()
}

fn wire(job: JobView) -> WireJob {
    let tasks = job.task.iter().map(|task| wire_task(&job, task)).collect();
    WireJob {
        label: job.label,
        owner: job.owner,
        created_at: job.created,
        modified_at: job.created,
        languages: ["en-us"],
        auto_start: job.auto_start,
        auto_clean: true,
        actions: [WireAction {
            id: job.action.id,
            nodes_selector: Selector { pathes: job.action.paths },
            parameters: job.action.parameters,
        }],
        max_concurrency: 1,
        tasks,
        id: job.id,
    }
}

fn wire_task(job: &JobView, task: &TaskView) -> WireTask {
    WireTask {
        id: task.id.clone(),
        job_id: job.id.clone(),
        status: match task.status {
            TaskStatus::Running => "Running",
            TaskStatus::Finished => "Finished",
            TaskStatus::Error => "Error",
        },
        status_message: task.message.clone(),
        trigger_owner: job.trigger.clone(),
        start_time: task.started,
        end_time: task.ended,
        can_stop: true,
        has_progress: true,
    }
}

/// `PUT /a/jobs/user`: always a success, whether or not it has any effect.
pub(super) async fn control(call: &mut Call) -> RestResult {
    let request: ControlRequest = call.message().await?;
    let jobs = &call.shared.jobs;
    let msg = match request.command {
        Command::STOP => {
            jobs.stop(&request.job_id);
            "Published"
        }
        Command::DELETE => {
            jobs.delete_task(&request.job_id, &request.task_id);
            "Deleted 1 tasks"
        }
        _ => "Published",
    };
    reply(&ControlAnswer { msg })
}

/// `POST /a/jobs/tasks/delete`: a task id that is too short ends the service.
pub(super) async fn delete_tasks(call: &mut Call) -> RestResult {
    let request: DeleteTasksRequest = call.message().await?;
    let jobs = &call.shared.jobs;
    if request.task_ids.iter().any(|id| id.len() < SHORTEST_TASK_ID) {
        jobs.crash();
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(RestError::untyped(status, "Service temporarily unavailable"));
    }
    for id in &request.task_ids {
        jobs.delete_task(&request.job_id, id);
    }
    reply(&DeleteTasksAnswer { deleted: request.task_ids })
}
