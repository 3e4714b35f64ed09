//! `cec jobs get`.

use serde_json::{Map, Value, json};

use super::Format;
use super::filter::{self, Filter};
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::jobs::Task;
use cells_client::api::scheduler::{JobEntry, MOST_TASKS};

/// Arguments of `cec jobs get`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lists your own jobs; for an administrator, all jobs, including system jobs. A filter is a JSON \
    object with the fields owner, numtasks and task_status (of the last run: Unknown, Idle, Running, Finished, \
    Interrupted, \
    Paused, Error, Queued), each with op (eq, ne; for numbers also gt, lt) and value; all must match.\n\nExamples:\n  \
    cec jobs get\n  cec jobs get --filter '{\"task_status\": {\"op\": \"eq\", \"value\": \"Error\"}}'\n  \
    cec jobs get --format json"
)]
pub struct Args {
    /// Only these jobs
    #[arg(value_name = "JOB-ID")]
    ids: Vec<String>,
    /// Only jobs that match
    #[arg(long, value_name = "JSON", value_parser = filter::parse)]
    filter: Option<Filter>,
    /// Output format; json is that of the older client, with complete jobs as the server describes them
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
}

const COLUMNS: [Column; 6] = [
    Column::whole("ID"),
    Column::text("LABEL"),
    Column::text("OWNER").rank(1),
    Column::number("NUM TASKS").rank(2),
    Column::fixed("LAST TASK STATUS"),
    Column::fixed("STARTED"),
];

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec jobs", &["ls", "list", "show"], "'cec jobs get' lists them")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists jobs.
    ///
    /// # Errors
    /// Any failure of the call; [`crate::error::Kind::NotFound`] if a job does not exist.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        for id in &self.ids {
            super::find_job(ctx, id).await?;
        }
        let found = ctx.api().await?.jobs(&self.ids).await;
        let mut jobs = found.map_err(|error| CliError::from(error).during("listing jobs"))?;
        if let Some(filter) = &self.filter {
            jobs.retain(|job| filter.fits(job));
        }
        if self.format == Some(Format::Json) {
            let whole: Vec<Value> = jobs.into_iter().map(|job| like_the_older_client(job.fields)).collect();
            ctx.ui.json_indented(&whole)?;
        } else if ctx.ui.is_json() {
            ctx.ui.json_document(&jobs.iter().map(record).collect::<Vec<_>>())?;
        } else {
            if jobs.is_empty() && ctx.ui.stdout_is_terminal() {
                ctx.ui.status("no jobs");
            }
            // Newest run first; jobs that never ran come last.
            jobs.sort_by_key(|job| std::cmp::Reverse(job.last().and_then(|task| task.started)));
            let mut table = Table::new(&ctx.ui, &COLUMNS);
            for job in &jobs {
                let count = if job.tasks.len() >= MOST_TASKS { "99+".to_owned() } else { job.tasks.len().to_string() };
                let status = job.last().map_or_else(|| "-".to_owned(), |task| task.status.clone());
                let started = job.last().and_then(|task| task.started);
                let started = started.map_or_else(|| "-".to_owned(), |time| ctx.ui.time(time));
                table.row(vec![job.id.clone(), job.label.clone(), job.owner.clone(), count, status, started])?;
            }
            table.finish()?;
        }
        Ok(Outcome::Done)
    }
}

/// Returns a job in JSON.
pub(super) fn record(job: &JobEntry) -> Value {
    json!({
        "id": job.id,
        "label": job.label,
        "owner": job.owner,
        "created": job.created.map(|time| time.to_string()),
        "tasks": job.tasks.iter().map(task_record).collect::<Vec<_>>(),
    })
}

/// Returns a run in JSON.
pub(super) fn task_record(task: &Task) -> Value {
    json!({
        "id": task.id,
        "status": task.status.to_lowercase(),
        "message": task.message,
        "progress": task.progress,
        "owner": task.owner,
        "started": task.started.map(|time| time.to_string()),
        "ended": task.ended.map(|time| time.to_string()),
    })
}

/// Returns a job in the older client's form: fields sorted by name, with null for some absent ones.
fn like_the_older_client(job: Value) -> Value {
    const LISTS: [&str; 7] =
        ["Actions", "EventNames", "Hooks", "Languages", "Parameters", "ResourcesDependencies", "Tasks"];
    let mut job = sorted(job);
    add_nulls(&mut job, &LISTS);
    for action in job.get_mut("Actions").and_then(Value::as_array_mut).into_iter().flatten() {
        add_nulls(action, &["ChainedActions", "FailedFilterActions"]);
        if let Some(selector) = action.get_mut("NodesSelector") {
            add_nulls(selector, &["Pathes"]);
        }
    }
    for task in job.get_mut("Tasks").and_then(Value::as_array_mut).into_iter().flatten() {
        add_nulls(task, &["ActionsLogs"]);
    }
    sorted(job)
}

fn add_nulls(value: &mut Value, names: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        for name in names {
            object.entry(*name).or_insert(Value::Null);
        }
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_clients_form_is_sorted_and_has_its_nulls() {
        let job =
            json!({"Owner": "a", "ID": "j", "Actions": [{"ID": "x", "NodesSelector": {}}], "Tasks": [{"ID": "t"}]});
        let text = like_the_older_client(job).to_string();
        assert_eq!(
            text,
            r#"{"Actions":[{"ChainedActions":null,"FailedFilterActions":null,"ID":"x","NodesSelector":{"Pathes":null}}],"EventNames":null,"Hooks":null,"ID":"j","Languages":null,"Owner":"a","Parameters":null,"ResourcesDependencies":null,"Tasks":[{"ActionsLogs":null,"ID":"t"}]}"#
        );
    }
}
