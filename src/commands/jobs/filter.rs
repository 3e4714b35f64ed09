//! The filter for jobs, a JSON object: `{"owner": {"op": "eq", "value": "alice"}}`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use cells_client::api::scheduler::JobEntry;

/// The conditions for jobs, all of which must match.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, Clone)]
enum Condition {
    Owner { equal: bool, value: String },
    Status { equal: bool, value: String },
    Tasks { operator: Operator, value: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Greater,
    Less,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    op: String,
    value: Value,
}

/// The states of tasks.
const STATES: [&str; 8] = ["Unknown", "Idle", "Running", "Finished", "Interrupted", "Paused", "Error", "Queued"];

/// Parses a filter.
pub(super) fn parse(text: &str) -> Result<Filter, String> {
    let wire: BTreeMap<String, Wire> = serde_json::from_slice(text.as_bytes())
        .map_err(|error| format!("expected {{\"FIELD\": {{\"op\": \"eq\", \"value\": …}}}}: {error}"))?;
    wire.into_iter().map(|(field, wire)| condition(&field, &wire)).collect::<Result<_, _>>().map(Filter)
}

fn condition(field: &str, wire: &Wire) -> Result<Condition, String> {
    let operator = match wire.op.as_str() {
        "eq" | "==" => Operator::Equal,
        "ne" | "!=" => Operator::Unequal,
        "gt" | ">" => Operator::Greater,
        "lt" | "<" => Operator::Less,
        other => return Err(format!("'{other}' is not an operator: use eq, ne, gt or lt")),
    };
    let text = || match (&wire.value, operator) {
        (Value::String(text), Operator::Equal | Operator::Unequal) => Ok(text.clone()),
        (Value::String(_), _) => Err(format!("{field} is text, which supports only eq and ne")),
        _ => Err(format!("the value of {field} is a text")),
    };
    let equal = operator == Operator::Equal;
    match field {
        "owner" => Ok(Condition::Owner { equal, value: text()? }),
        "task_status" => {
            let value = text()?;
            if STATES.contains(&value.as_str()) {
                Ok(Condition::Status { equal, value })
            } else {
                Err(format!("'{value}' is not a task state: use one of {}", STATES.join(", ")))
            }
        }
        "numtasks" => {
            let number = match &wire.value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            Ok(Condition::Tasks { operator, value: number.ok_or("the value of numtasks must be a number")? })
        }
        other => Err(format!("'{other}' is not a field: use owner, numtasks or task_status")),
    }
}

impl Filter {
    /// Whether a job matches.
    pub(super) fn fits(&self, job: &JobEntry) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Owner { equal, value } => (job.owner == *value) == *equal,
            Condition::Status { equal, value } => (job.last().is_some_and(|task| task.status == *value)) == *equal,
            Condition::Tasks { operator, value } => {
                #[expect(clippy::cast_precision_loss, reason = "there are no more than a hundred")]
                let count = job.tasks.len() as f64;
                match operator {
                    Operator::Equal => count == *value,
                    Operator::Unequal => count != *value,
                    Operator::Greater => count > *value,
                    Operator::Less => count < *value,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(owner: &str, states: &[&str]) -> JobEntry {
        let task = |status: &&str| cells_client::api::jobs::Task {
            id: String::new(),
            status: (*status).to_owned(),
            message: String::new(),
            progress: None,
            owner: owner.to_owned(),
            started: None,
            ended: None,
            can_stop: true,
        };
        JobEntry {
            id: "a".to_owned(),
            label: String::new(),
            owner: owner.to_owned(),
            created: None,
            tasks: states.iter().map(task).collect(),
            fields: Value::Null,
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        for (filter, fits) in [
            (r"{}", true),
            (r#"{"owner":{"op":"eq","value":"alice"}}"#, true),
            (r#"{"owner":{"op":"ne","value":"alice"}}"#, false),
            (r#"{"task_status":{"op":"==","value":"Error"}}"#, true),
            (r#"{"task_status":{"op":"ne","value":"Finished"},"numtasks":{"op":"gt","value":1}}"#, true),
            (r#"{"numtasks":{"op":"lt","value":"2"}}"#, false),
            (r#"{"owner":{"op":"eq","value":"alice"},"numtasks":{"op":"eq","value":3}}"#, false),
        ] {
            assert_eq!(parse(filter).expect(filter).fits(&job("alice", &["Error", "Finished"])), fits, "{filter}");
        }
        let never = parse(r#"{"task_status":{"op":"eq","value":"Error"}}"#).expect("a filter");
        assert!(!never.fits(&job("alice", &[])));
    }

    #[test]
    fn mistakes_are_reported() {
        for (filter, why) in [
            ("no JSON", "expected"),
            (r#"{"id":{"op":"eq","value":"x"}}"#, "not a field"),
            (r#"{"owner":{"op":"gt","value":"x"}}"#, "only eq and ne"),
            (r#"{"owner":{"op":"like","value":"x"}}"#, "not an operator"),
            (r#"{"task_status":{"op":"eq","value":"error"}}"#, "not a task state"),
            (r#"{"numtasks":{"op":"eq","value":"many"}}"#, "a number"),
        ] {
            let error = parse(filter).expect_err(filter);
            assert!(error.contains(why), "{filter}: {error}");
        }
    }
}
