//! What the log may hold: never a secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::support::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Set in the process that does the logging. It has no other tests beside it: what tracing remembers of who listens is
/// the process's, and other threads' requests would race with it.
const CHILD: &str = "WIRE_CHILD_LOGS";

#[test]
fn requests_are_logged_without_secrets() {
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "logs::as_a_child"])
        .env(CHILD, "1")
        .output()
        .expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What the test above runs in a process of its own; nothing elsewhere.
#[tokio::test]
async fn as_a_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let sandbox = sandbox();
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let own = layer.with_filter(Targets::new().with_target("cells_client", LevelFilter::TRACE));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(own));
    let clients = with_password(&sandbox, "alice");
    let token = clients.sender.tokens.token(std::time::Duration::ZERO).await.expect("a token");
    clients.api.stat(&path("common-files")).await.expect("a node");
    clients.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect("put");
    drop(guard);
    let text = String::from_utf8(lines.0.lock().expect("a lock").clone()).expect("text");
    for wanted in [
        "/a/frontend/session",
        "/a/tree/stat/common-files",
        "/io/common-files/a",
        "PUT",
        "status=200",
        "millis=",
        "n=1",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    for secret in [token.expose(), sandbox.password("alice"), "Bearer", "Signature", "pydio="] {
        assert!(!text.contains(secret), "{text}");
    }
}
