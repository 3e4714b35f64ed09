//! The server's websocket. It reports at once what the user has started: the user's own jobs, and runs of the server's
//! jobs.
//!
//! The connection is opened with the shared HTTP client, so that the proxy, certificate and header settings apply. Only
//! the frames are encoded here.

use crate::failure::{ServerError, ServerErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Client;
use super::jobs::{Job, WireJob, WireTask};
use super::wire::number;

/// The path of the websocket.
const PATH: &str = "/ws/event";

/// The suffix that RFC 6455 appends to the key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The longest frame that is accepted, in bytes. An event about one job with thousands of nodes has some hundred
/// kilobytes.
const LONGEST_FRAME: usize = 4 * 1024 * 1024;

/// A stream of events about the user's jobs.
#[derive(Debug)]
pub struct Events {
    socket: WebSocketStream<reqwest::Upgraded>,
}

/// An event. Events may arrive out of order: the end of a task is final, whatever follows.
#[derive(Debug, Clone)]
pub struct News {
    /// The job with the state of its task.
    pub job: Job,
    /// The time of the event, in nanoseconds since the Unix epoch.
    pub stamp: i64,
}

impl News {
    /// Whether both events are about the same run.
    pub fn is_of_same_run(&self, other: &Self) -> bool {
        let task = |news: &Self| news.job.task.as_ref().map(|task| task.id.clone());
        self.job.id == other.job.id && task(self) == task(other)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    #[serde(rename = "TaskUpdated")]
    task: Option<WireTask>,
    #[serde(rename = "Job")]
    job: Option<WireJob>,
    #[serde(rename = "NanoStamp", deserialize_with = "number")]
    stamp: i64,
}

impl Client {
    /// Opens the websocket and subscribes. The server does not confirm the subscription: events of the first moments
    /// may be missing, and if the token is not valid, no event arrives.
    ///
    /// # Errors
    /// There is no websocket: the server is older, or a proxy blocks it.
    pub async fn events(&self) -> Result<Events, ServerError> {
        let token = self.sender.tokens.token(std::time::Duration::ZERO).await?;
        let key = STANDARD.encode(rand::random::<[u8; 16]>());
        let request = self
            .sender
            .http
            .server_request(Method::GET, &self.sender.url, PATH)?
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let response = self.sender.http.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || !accepts(response.headers(), &key) {
            let message = format!("no websocket at {PATH} (HTTP {})", response.status().as_u16());
            return Err(ServerError::new(ServerErrorKind::NotCells, message));
        }
        let connection = response.upgrade().await.map_err(|error| no_socket(&error))?;
        let limits =
            WebSocketConfig::default().max_message_size(Some(LONGEST_FRAME)).max_frame_size(Some(LONGEST_FRAME));
        let mut socket = WebSocketStream::from_raw_socket(connection, Role::Client, Some(limits)).await;
        let wish = json!({"@type": "subscribe", "jwt": token.expose()});
        socket.send(Message::text(wish.to_string())).await.map_err(|error| no_socket(&error))?;
        Ok(Events { socket })
    }
}

impl Events {
    /// Returns the next event; `None` once the connection has ended for any reason. Cancel safe.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    if let Some(news) = read(&text) {
                        return Some(news);
                    }
                }
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the websocket was closed");
                    return None;
                }
            }
        }
    }
}

/// Returns the event in a frame; `None` for other frames (changes of nodes, `"dump"`).
fn read(text: &str) -> Option<News> {
    let frame: Frame = serde_json::from_slice(text.as_bytes()).ok()?;
    let mut job = frame.job?;
    job.tasks = vec![frame.task?];
    Some(News { job: job.into_job(), stamp: frame.stamp })
}

/// Whether the answer proves that a websocket server has read the key.
fn accepts(headers: &HeaderMap, key: &str) -> bool {
    let both = format!("{key}{KEY_SUFFIX}");
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, both.as_bytes());
    let expected = STANDARD.encode(digest.as_ref());
    headers.get("sec-websocket-accept").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn no_socket(error: &dyn std::error::Error) -> ServerError {
    ServerError::new(ServerErrorKind::NotCells, format!("the websocket cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::jobs::JobStatus;
    use crate::auth::recording::answer;

    #[test]
    fn the_key_of_the_standard_is_answered_as_in_the_standard() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-accept", http::HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(accepts(&headers, "dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!accepts(&headers, "another"));
    }

    #[test]
    fn recorded_frames_are_read_and_others_left_alone() {
        let frames: Vec<serde_json::Value> =
            serde_json::from_slice(&answer("120-websocket-events").body).expect("frames");
        let news: Vec<Option<News>> = frames.iter().map(|frame| read(&frame.to_string())).collect();
        let states: Vec<_> = news.iter().map(|news| news.as_ref().map(|news| news.job.status())).collect();
        assert_eq!(states, [Some(JobStatus::Running), Some(JobStatus::Finished), None, None, None]);
        let last = news[1].as_ref().expect("news");
        assert_eq!(last.job.id.0, "copy-move-5ba0d39f-9d78-48f3-a6c6-ef6385dfba75");
        assert_eq!(last.stamp, 1_795_452_086_149_197_401);
        assert!(last.stamp > news[0].as_ref().expect("news").stamp);
    }
}
