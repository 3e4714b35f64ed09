//! Recorded answers of a real server, for tests.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::sender::Answer;

/// Returns a complete recording.
pub(crate) fn recording(folder: &str, name: &str) -> Value {
    let path = format!("{}/../tests/recordings/{folder}/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("a recording is JSON")
}

/// Returns the recorded answer to a REST call.
pub(crate) fn answer(name: &str) -> Answer {
    answer_in(&recording("rest", name))
}

/// Returns the answer in a recording.
pub(crate) fn answer_in(recording: &Value) -> Answer {
    let response = &recording["response"];
    let mut headers = HeaderMap::new();
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, HeaderValue::from_str(value.as_str().unwrap_or_default()).expect("a value"));
    }
    let body = match &response["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = u16::try_from(response["status"].as_u64().unwrap_or(0)).expect("a status");
    Answer { status: StatusCode::from_u16(status).expect("a status"), headers, body: Bytes::from(body) }
}

/// Creates an answer.
pub(crate) fn answer_of(status: u16, kind: &'static str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(kind));
    let status = StatusCode::from_u16(status).expect("a status");
    Answer { status, headers, body: Bytes::from(body.to_owned()) }
}
