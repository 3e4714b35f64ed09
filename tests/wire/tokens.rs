//! Tokens that die, sessions that renew themselves, rights that are missing.

use std::time::Duration;

use cells_client::auth::AuthError;
use cells_client::failure::{ServerError, ServerErrorKind};
use cells_sandbox::{Fault, Sandbox, TokenKind};

use crate::support::*;

fn logins(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.path == "/a/frontend/session").count()
}

#[tokio::test]
async fn a_password_logs_in_once_for_many_calls() {
    let sandbox = sandbox();
    let clients = with_password(&sandbox, "alice");
    let calls = (0..20).map(|_| clients.api.workspaces());
    for answer in futures_util::future::join_all(calls).await {
        answer.expect("workspaces");
    }
    clients.s3.put(&path("personal-files/a"), 1, &body(b"a")).await.expect("put");
    assert_eq!(logins(&sandbox), 1);
    let session =
        sandbox.requests().into_iter().find(|request| request.path == "/a/frontend/session").expect("a login");
    assert_eq!(session.header("authorization"), "");
    assert!(clients.sender.tokens.expires_at().is_some());
}

#[tokio::test]
async fn a_dead_session_token_is_renewed_once_for_all() {
    let sandbox = sandbox();
    let clients = with_password(&sandbox, "alice");
    clients.api.workspaces().await.expect("workspaces");
    sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").expire_token());
    let calls = (0..10).map(|_| clients.api.workspaces());
    for answer in futures_util::future::join_all(calls).await {
        answer.expect("workspaces");
    }
    assert_eq!(logins(&sandbox), 2, "one login, one renewal");
}

#[tokio::test]
async fn a_token_that_dies_under_an_upload_is_renewed_and_the_body_made_anew() {
    let sandbox = sandbox();
    let clients = with_password(&sandbox, "alice");
    sandbox.faults().add(Fault::on("PUT", "/io/common-files/a").expire_token());
    clients.s3.put(&path("common-files/a"), 5, &body(b"hello")).await.expect("put");
    assert_eq!(sandbox.tree().read("common-files/a").as_deref(), Some(&b"hello"[..]));
    assert_eq!(logins(&sandbox), 2);
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    let sandbox = sandbox();
    let clients = with_password(&sandbox, "alice");
    let first = clients.sender.tokens.token(Duration::ZERO).await.expect("a token");
    let same = clients.sender.tokens.token(Duration::from_secs(240)).await.expect("a token");
    assert_eq!(first.expose(), same.expose());
    let renewed = clients.sender.tokens.renew(&first).await.expect("a token");
    assert_ne!(first.expose(), renewed.expose());
    let kept = clients.sender.tokens.renew(&first).await.expect("a token");
    assert_eq!(renewed.expose(), kept.expose(), "renewed by another meanwhile");
    clients.sender.tokens.close().await;
    assert_eq!(clients.sender.tokens.expires_at(), None);
}

#[tokio::test]
async fn a_refused_cookie_leads_to_one_login() {
    let sandbox = sandbox();
    let clients = with_password(&sandbox, "alice");
    let first = clients.sender.tokens.token(Duration::ZERO).await.expect("a token");
    sandbox.faults().add(Fault::on("POST", "/a/frontend/session").close_after());
    clients.sender.tokens.renew(&first).await.expect("a new login");
    assert_eq!(logins(&sandbox), 3);
    clients.api.workspaces().await.expect("workspaces");
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let sandbox = sandbox();
    let clients = clients_of(sandbox.url(), password("alice", "wrong"), &options());
    for _ in 0..3 {
        assert_eq!(clients.api.workspaces().await.expect_err("refused").kind, ServerErrorKind::Auth);
        assert_eq!(clients.s3.head(&path("personal-files/a")).await.expect_err("refused").kind, ServerErrorKind::Auth);
    }
    assert_eq!(logins(&sandbox), 1);
}

#[tokio::test]
async fn what_a_login_may_answer_is_understood() {
    let sandbox = sandbox();
    for (status, body, wanted) in [
        (200, "{}", "contains no token"),
        (200, r#"{"Trigger":"otp"}"#, "another sign-in step"),
        (200, r#"{"RedirectTo":"https://sso"}"#, "another sign-in step"),
        (401, r#"{"Title":"User is locked - Please contact your admin"}"#, "locked"),
        (401, r#"{"Title":"Falsch","Detail":"E_LOGIN_FAILED"}"#, "wrong login or password"),
        (503, r#"{"Title":"away"}"#, "away"),
    ] {
        sandbox.faults().clear();
        sandbox.faults().add(Fault::on("POST", "/a/frontend/session").status(status).body("application/json", body));
        let error = with_password(&sandbox, "alice").sender.tokens.token(Duration::ZERO).await.expect_err(body);
        assert!(error.to_string().contains(wanted), "{body}: {error}");
    }
    sandbox.faults().clear();
    sandbox.faults().add(Fault::on("POST", "/a/frontend/session").html());
    let error = with_password(&sandbox, "alice").sender.tokens.token(Duration::ZERO).await.expect_err("a page");
    assert!(matches!(error, AuthError::NotCells(_)), "{error}");
}

#[tokio::test]
async fn a_dead_personal_token_is_told_from_a_missing_right() {
    let sandbox = sandbox();
    let dead = clients_of(sandbox.url(), token("garbage"), &options());
    assert_eq!(dead.api.workspaces().await.expect_err("dead").kind, ServerErrorKind::Unauthenticated);
    for error in [
        dead.s3.head(&path("common-files/a")).await.expect_err("dead"),
        dead.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect_err("dead"),
    ] {
        assert_eq!(error.kind, ServerErrorKind::Unauthenticated, "{error}");
    }
    let alice = with_token(&sandbox, "alice");
    let workspaces = alice.api.workspaces().await.expect("workspaces");
    let locked = workspaces.iter().find(|node| node.read_only).expect("a read-only workspace");
    let error = alice.s3.put(&locked.path.join("a"), 1, &body(b"a")).await.expect_err("read only");
    assert_eq!((error.kind, error.status), (ServerErrorKind::Forbidden, Some(403)), "{error}");
    assert!(!error.in_doubt);
}

#[tokio::test]
async fn the_answers_of_newer_gateways_to_a_dead_token_are_understood() {
    let sandbox = sandbox();
    for (status, code) in [(401, "UnauthorizedAccess"), (504, "TokenTimeMismatch")] {
        let clients = with_password(&sandbox, "alice");
        let first = clients.sender.tokens.token(Duration::ZERO).await.expect("a token");
        let answer = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        sandbox.faults().add(Fault::on("PUT", "/io/").status(status).body("application/xml", &answer));
        sandbox.revoke_token(first.expose());
        clients.s3.put(&path("personal-files/a"), 1, &body(b"a")).await.expect(code);
    }
}

/// What gateways answer to a dead token, and to other things.
const MAYBE_DEAD: [(u16, &str); 4] =
    [(403, "AccessDenied"), (403, "UnauthorizedAccess"), (401, "UnauthorizedAccess"), (504, "TokenTimeMismatch")];

/// The gateway gives such an answer to a method, once.
fn answer_once(sandbox: &Sandbox, method: &str, (status, code): (u16, &str)) {
    let answer = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    sandbox.faults().add(Fault::on(method, "/io/").status(status).body("application/xml", &answer));
}

fn counts(sandbox: &Sandbox) -> (usize, usize) {
    let requests = sandbox.requests();
    let count = |path: &str| requests.iter().filter(|request| request.path.starts_with(path)).count();
    (count("/oidc/oauth2/token"), count("/io/"))
}

async fn upload(clients: &Clients) -> Result<(), ServerError> {
    clients.s3.put(&path("personal-files/a"), 5, &body(b"hello")).await.map(drop)
}

async fn download(clients: &Clients) -> Result<(), ServerError> {
    assert_eq!(content(clients, "personal-files/a", None).await?, b"hello");
    Ok(())
}

#[tokio::test]
async fn what_rest_confirms_to_be_a_dead_token_is_renewed_once_and_the_call_signed_anew() {
    for answer in MAYBE_DEAD {
        for method in ["PUT", "GET"] {
            let sandbox = sandbox();
            sandbox.tree().put("personal-files/a", "hello").expect("a file");
            let pair = sandbox.sign_in("admin");
            let clients = clients_of(sandbox.url(), oauth(&pair), &options());
            sandbox.revoke_token(&pair.access);
            answer_once(&sandbox, method, answer);
            let done = if method == "PUT" { upload(&clients).await } else { download(&clients).await };
            done.unwrap_or_else(|error| panic!("{method} {answer:?}: {error}"));
            assert_eq!(counts(&sandbox), (1, 2), "{method} {answer:?}");
            let requests = sandbox.requests();
            let signed = requests.iter().filter(|request| request.path.starts_with("/io/"));
            let keys: std::collections::BTreeSet<_> =
                signed.map(|request| request.header("authorization").split('/').next().map(str::to_owned)).collect();
            assert_eq!(keys.len(), 2, "signed anew, with the new token");
            assert_eq!(sandbox.tree().read("personal-files/a").as_deref(), Some(&b"hello"[..]));
        }
    }
}

#[tokio::test]
async fn what_rest_does_not_confirm_is_no_reason_to_renew() {
    for answer in MAYBE_DEAD {
        for method in ["PUT", "GET"] {
            let sandbox = sandbox();
            sandbox.tree().put("personal-files/a", "hello").expect("a file");
            let pair = sandbox.sign_in("admin");
            let clients = clients_of(sandbox.url(), oauth(&pair), &options());
            answer_once(&sandbox, method, answer);
            let done = if method == "PUT" { upload(&clients).await } else { download(&clients).await };
            let error = done.expect_err("the gateway's own refusal");
            assert_eq!((error.status, error.code.as_deref()), (Some(answer.0), Some(answer.1)), "{method} {answer:?}");
            assert_eq!(counts(&sandbox), (0, 1), "{method} {answer:?}");
            assert!(sandbox.is_alive(&pair.access));
        }
    }
}

#[tokio::test]
async fn a_token_that_is_dead_again_after_its_renewal_is_not_renewed_in_circles() {
    let sandbox = sandbox();
    let clients = clients_of(sandbox.url(), oauth(&sandbox.sign_in("admin")), &options());
    sandbox.faults().add(Fault::on("*", "/io/").expire_token().always());
    let error = upload(&clients).await.expect_err("dead");
    assert_eq!(error.kind, ServerErrorKind::Forbidden, "{error}");
    assert_eq!(counts(&sandbox), (1, 2));
    sandbox.faults().clear();
    sandbox.faults().add(Fault::on("*", "/a/").expire_token().always());
    let error = clients.api.workspaces().await.expect_err("dead");
    assert_eq!(error.kind, ServerErrorKind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn a_token_with_spaces_in_it_is_refused_before_it_is_sent() {
    let sandbox = sandbox();
    let clients = clients_of(sandbox.url(), token("two\nlines"), &options());
    assert_eq!(clients.api.workspaces().await.expect_err("no header").kind, ServerErrorKind::Transport);
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn a_scoped_token_reads_its_node() {
    let sandbox = sandbox();
    sandbox.tree().put("common-files/only", "x").expect("a file");
    let scoped = sandbox.issue_token("admin", TokenKind::Scoped { path: "common-files/only".to_owned(), write: false });
    let clients = clients_of(sandbox.url(), token(&scoped), &options());
    clients.api.stat(&path("common-files/only")).await.expect("its own node");
    sandbox.tree().put("common-files/other", "x").expect("a file");
    let error = clients.api.stat(&path("common-files/other")).await.expect_err("outside");
    assert_eq!(error.kind, ServerErrorKind::Forbidden, "{error}");
}
