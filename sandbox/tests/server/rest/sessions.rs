//! Passwords, refreshing with the cookie, locks.

use cells_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::rest::support::{Answer, Ask, quick};

fn post(sandbox: &Sandbox, info: &Value, cookie: &str) -> Answer {
    let ask = Ask::post("/a/frontend/session", &json!({"AuthInfo": info}));
    let ask = if cookie.is_empty() { ask } else { ask.header("Cookie", cookie) };
    ask.send(sandbox).unwrap()
}

fn log_in(sandbox: &Sandbox, login: &str, password: &str) -> Answer {
    let info = json!({"type": "credentials", "login": login, "password": password});
    post(sandbox, &info, "")
}

fn refresh(sandbox: &Sandbox, cookie: &str) -> Answer {
    post(sandbox, &json!({"type": "refresh"}), cookie)
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn token(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(json["JWT"], json["Token"]["AccessToken"]);
    json["JWT"].as_str().unwrap().to_owned()
}

fn works(sandbox: &Sandbox, token: &str) -> bool {
    let answer = Ask::get("/a/tree/stat/common-files").bearer(token).send(sandbox).unwrap();
    answer.status == 200
}

#[test]
fn a_refresh_kills_the_token_before() {
    let sandbox = quick();
    let first = log_in(&sandbox, "alice", "alice-Passw0rd!");
    assert!(works(&sandbox, &token(&first)));
    let second = refresh(&sandbox, &cookie(&first));
    assert!(works(&sandbox, &token(&second)));
    assert!(!works(&sandbox, &token(&first)));
}

#[test]
fn using_a_cookie_twice_kills_the_whole_session() {
    let sandbox = quick();
    let first = log_in(&sandbox, "alice", "alice-Passw0rd!");
    let second = refresh(&sandbox, &cookie(&first));
    let third = refresh(&sandbox, &cookie(&second));
    assert!(works(&sandbox, &token(&third)));
    let replay = refresh(&sandbox, &cookie(&first));
    assert_eq!(replay.status, 401);
    assert!(replay.detail().contains("token_inactive"));
    assert!(!works(&sandbox, &token(&third)));
    assert_eq!(refresh(&sandbox, &cookie(&third)).status, 401);
    let other = log_in(&sandbox, "alice", "alice-Passw0rd!");
    assert!(works(&sandbox, &token(&other)));
}

#[test]
fn a_session_token_lives_ten_minutes() {
    let sandbox = quick();
    let answer = log_in(&sandbox, "bob", sandbox.password("bob"));
    let token = token(&answer);
    sandbox.set_clock_offset(598);
    assert!(works(&sandbox, &token));
    sandbox.set_clock_offset(601);
    assert!(!works(&sandbox, &token));
    assert_eq!(refresh(&sandbox, &cookie(&answer)).status, 200);
}

#[test]
fn logging_out_needs_the_cookie() {
    let sandbox = quick();
    let answer = log_in(&sandbox, "bob", sandbox.password("bob"));
    let logout = json!({"type": "logout"});
    assert_eq!(post(&sandbox, &logout, "").json(), json!({}));
    assert!(works(&sandbox, &token(&answer)));
    assert_eq!(post(&sandbox, &logout, &cookie(&answer)).json(), json!({}));
    assert!(!works(&sandbox, &token(&answer)));
}

#[test]
fn ten_wrong_passwords_lock_the_user() {
    let sandbox = quick();
    let before = token(&log_in(&sandbox, "alice", "alice-Passw0rd!"));
    for attempt in 1..=10 {
        let detail = log_in(&sandbox, "alice", "wrong").detail();
        assert_eq!(detail.contains("locked"), attempt == 10, "{attempt}: {detail}");
    }
    let right = log_in(&sandbox, "alice", "alice-Passw0rd!");
    assert_eq!(right.status, 401);
    assert_eq!(right.detail(), "Unauthorized: User is locked - Please contact your admin");
    assert!(!works(&sandbox, &before));
    assert_eq!(log_in(&sandbox, "bob", "bob-Passw0rd!").status, 200);
}

#[test]
fn a_success_forgets_the_wrong_passwords() {
    let sandbox = quick();
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(log_in(&sandbox, "alice", "wrong").status, 401);
        }
        assert_eq!(log_in(&sandbox, "alice", "alice-Passw0rd!").status, 200);
    }
}

#[test]
fn without_a_type_nothing_happens() {
    let sandbox = quick();
    assert_eq!(post(&sandbox, &json!({}), "").json(), json!({}));
    let answer = Ask::post("/a/frontend/session", &json!({})).send(&sandbox).unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let bad = Ask::post("/a/frontend/session", &json!({})).bearer("garbage").send(&sandbox);
    assert_eq!(bad.unwrap().text(), "Unauthorized.\n");
}

#[test]
fn the_identity_token_is_no_token() {
    let sandbox = quick();
    let answer = log_in(&sandbox, "alice", "alice-Passw0rd!").json();
    let identity = answer["Token"]["IDToken"].as_str().unwrap();
    assert_eq!(identity.split('.').count(), 3);
    assert!(!works(&sandbox, identity));
}
