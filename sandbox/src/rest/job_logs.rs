//! `/a/jobs/tasks/logs`: what tasks have written down.

use serde_json::{Value as Json, json};

use super::error::RestResult;
use super::json::{Field, JsonError, Value, message};
use super::{Call, reply};
use crate::jobs::TaskStatus;

message! {
    struct LogsRequest {
        query: String = "Query",
        page: i32 = "Page",
        size: i32 = "Size",
        format: Format = "Format",
        sort_field: String = "SortField",
        sort_desc: bool = "SortDesc",
    }
}

/// How the lines are written; the answer here is always JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Format(i64);

impl Field for Format {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        value.enum_value(&[("JSON", 0), ("CSV", 1), ("XLSX", 2)], name, source).map(Self)
    }
}

/// `POST /a/jobs/tasks/logs`: the query names an operation, a job's id with the first 8 characters of a task's.
pub(super) async fn list(call: &mut Call) -> RestResult {
    let request: LogsRequest = call.message().await?;
    let wanted =
        request.query.trim_start_matches('+').trim_start_matches("OperationUuid:").trim_matches('"').to_owned();
    let caller = call.caller()?;
    let owner = (!caller.admin).then_some(caller.login.as_str());
    let mut lines = Vec::new();
    for job in call.shared.jobs.list(owner, &[]) {
        let Some(task) = &job.task else { continue };
        let operation = format!("{}-{}", job.id, task.id.get(..8).unwrap_or(&task.id));
        if operation != wanted {
            continue;
        }
        let line = |time: i64, level: &str, message: &str| {
            json!({
                "Ts": time,
                "Level": level,
                "Logger": "pydio.grpc.tasks",
                "Msg": message,
                "UserName": job.owner,
                "OperationUuid": operation,
                "OperationLabel": job.label,
            })
        };
        lines.push(line(task.started, "info", &format!("Starting job {}", job.label)));
        lines.extend(job.log.iter().map(|text| line(task.ended.unwrap_or(task.started), "info", text)));
        match task.status {
            TaskStatus::Running => {}
            TaskStatus::Finished => lines.push(line(task.ended.unwrap_or(task.started), "info", &task.message)),
            TaskStatus::Error => lines.push(line(task.ended.unwrap_or(task.started), "error", &task.message)),
        }
    }
    let size = usize::try_from(request.size).ok().filter(|size| *size > 0).unwrap_or(100);
    let skipped = usize::try_from(request.page).unwrap_or(0) * size;
    // The newest comes first.
    let shown: Vec<Json> = lines.into_iter().rev().skip(skipped).take(size).collect();
    reply(&if shown.is_empty() { json!({}) } else { json!({"Logs": shown}) })
}
