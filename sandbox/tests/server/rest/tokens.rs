//! Which tokens are accepted, for how long, and what they reach.

use std::thread::sleep;
use std::time::Duration;

use cells_sandbox::{Sandbox, TokenKind};
use serde_json::json;

use crate::rest::support::{Answer, Ask, quick};

fn stat(sandbox: &Sandbox, token: &str, path: &str) -> Answer {
    Ask::get(&format!("/a/tree/stat/{path}")).bearer(token).send(sandbox).unwrap()
}

#[test]
fn a_long_lived_token_has_the_shape_of_a_real_one() {
    let sandbox = quick();
    let token = sandbox.token("admin");
    assert_eq!(token, sandbox.token("admin"));
    assert_ne!(token, sandbox.token("alice"));
    let halves: Vec<usize> = token.split('.').map(str::len).collect();
    assert_eq!(halves, [43, 43]);
}

#[test]
fn a_hard_token_dies_on_time_and_a_revoked_one_at_once() {
    let sandbox = quick();
    let hard = sandbox.issue_token("alice", TokenKind::Hard(Duration::from_secs(60)));
    assert_eq!(stat(&sandbox, &hard, "common-files").status, 200);
    sandbox.set_clock_offset(59);
    assert_eq!(stat(&sandbox, &hard, "common-files").status, 200);
    sandbox.set_clock_offset(61);
    let expired = stat(&sandbox, &hard, "common-files");
    assert_eq!((expired.status, expired.text().as_str()), (401, "Unauthorized.\n"));
    let token = sandbox.token("admin");
    sandbox.revoke_token(&token);
    assert_eq!(stat(&sandbox, &token, "common-files").text(), "Unauthorized.\n");
}

#[test]
fn a_sliding_token_lives_while_it_is_used() {
    let sandbox = quick();
    let sliding = sandbox.issue_token("alice", TokenKind::Sliding(Duration::from_secs(12)));
    for seconds in [8, 16, 24] {
        sandbox.set_clock_offset(seconds);
        assert_eq!(stat(&sandbox, &sliding, "common-files").status, 200);
    }
    sandbox.set_clock_offset(38);
    assert_eq!(stat(&sandbox, &sliding, "common-files").status, 401);
}

#[test]
fn an_unknown_user_has_no_token() {
    let sandbox = quick();
    assert_eq!(stat(&sandbox, &sandbox.token("nobody"), "common-files").text(), "Unauthorized.\n");
}

#[test]
fn a_short_token_dies_in_real_time_too() {
    let sandbox = quick();
    let token = sandbox.issue_token("alice", TokenKind::Hard(Duration::from_millis(150)));
    assert_eq!(stat(&sandbox, &token, "common-files").status, 200);
    sleep(Duration::from_millis(200));
    assert_eq!(stat(&sandbox, &token, "common-files").status, 401);
}

#[test]
fn a_scoped_token_reaches_its_node_alone() {
    let sandbox = quick();
    sandbox.tree().put("common-files/f/in.txt", "x").unwrap();
    let scoped = |path: &str, write: bool| {
        let path = path.to_owned();
        sandbox.issue_token("admin", TokenKind::Scoped { path, write })
    };
    let file = scoped("common-files/f/in.txt", true);
    assert_eq!(stat(&sandbox, &file, "common-files/f/in.txt").status, 200);
    for path in ["common-files/f", "common-files", "common-files/nope"] {
        let refused = stat(&sandbox, &file, path);
        assert_eq!((refused.status, refused.detail().as_str()), (404, "Forbidden: path is not readable"));
    }
    let list = |token: &str| {
        let body = json!({"NodePaths": ["common-files/f/*"]});
        Ask::post("/a/tree/stats", &body).bearer(token).send(&sandbox).unwrap()
    };
    assert_eq!(list(&file).status, 404);
    let folder = scoped("common-files/f", true);
    assert_eq!(stat(&sandbox, &folder, "common-files/f").status, 200);
    assert_eq!(stat(&sandbox, &folder, "common-files/f/in.txt").status, 404);
    assert_eq!(list(&folder).json(), json!({}));
    let make = |token: &str, path: &str| {
        let body = json!({"Nodes": [{"Path": path}]});
        Ask::post("/a/tree/create", &body).bearer(token).send(&sandbox).unwrap()
    };
    assert_eq!(make(&folder, "common-files/f/new").detail(), "Forbidden: path is not writeable");
    assert_eq!(make(&folder, "common-files/f").status, 200);
    assert_eq!(make(&scoped("common-files/f", false), "common-files/f").status, 500);
    let roots = Ask::post("/a/tree/stats", &json!({"NodePaths": ["/*"]})).bearer(&folder);
    assert_eq!(roots.send(&sandbox).unwrap().json(), json!({}));
}

#[test]
fn a_document_token_is_one_of_a_single_node() {
    let sandbox = quick();
    sandbox.tree().put("common-files/doc.txt", "x").unwrap();
    let issue = |body: &serde_json::Value| Ask::post("/a/auth/token/document", body).ok(&sandbox);
    let answer = issue(&json!({"Path": "common-files/doc.txt"}));
    let token = answer["AccessToken"].as_str().unwrap();
    assert_eq!(stat(&sandbox, token, "common-files/doc.txt").status, 200);
    assert_eq!(stat(&sandbox, token, "common-files").status, 404);
    let empty = issue(&json!({}));
    assert_eq!(empty["AccessToken"].as_str().unwrap().len(), 87);
}

#[test]
fn only_the_exact_form_of_the_header_is_a_token() {
    let sandbox = quick();
    let token = sandbox.token("admin");
    let forms = [format!("bearer {token}"), token.clone(), "Bearer ".into(), format!("Basic {token}")];
    for form in forms {
        let ask = Ask::get("/a/tree/stat/common-files").header("Authorization", &form);
        let answer = ask.send(&sandbox).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (401, "Unauthorized\n"), "{form}");
    }
    let query = Ask::get(&format!("/a/tree/stat/common-files?pydio_jwt={token}"));
    assert_eq!(query.send(&sandbox).unwrap().status, 401);
}
