//! The authorization server: codes, proof keys, refresh tokens, races.

use std::time::Duration;

use cells_sandbox::{Fault, Lifetimes, Race, Sandbox};
use serde_json::{Value, json};

use crate::rest::recordings::pair;
use crate::rest::support::{Answer, Ask, quick};

pub(crate) const CALLBACK: &str = "http://localhost:3000/servers/callback";

/// A verifier and the challenge made of it, from RFC 7636.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One sign-in as `cells-client`, step by step.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    client: String,
    redirect: String,
    scope: String,
    pub(crate) state: String,
    more: String,
    verifier: Option<String>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            client: "cells-client".to_owned(),
            redirect: CALLBACK.to_owned(),
            scope: "openid email profile pydio offline".to_owned(),
            state: "abcdefgh12345678".to_owned(),
            more: String::new(),
            verifier: None,
        }
    }
}

impl Flow {
    pub(crate) fn with_proof(mut self) -> Self {
        self.more = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
        self.verifier = Some(VERIFIER.to_owned());
        self
    }

    fn start(&self, sandbox: &Sandbox) -> Answer {
        let pairs = [
            pair("client_id", &self.client),
            pair("redirect_uri", &self.redirect),
            pair("scope", &self.scope),
            pair("state", &self.state),
        ];
        let query = format!("response_type=code&{}{}", pairs.join("&"), self.more);
        Ask::get(&format!("/oidc/oauth2/auth?{query}")).send(sandbox).unwrap()
    }

    pub(crate) fn challenge(&self, sandbox: &Sandbox) -> String {
        let answer = self.start(sandbox);
        assert_eq!(answer.status, 302, "{answer:?}");
        answer.header("location").split_once("/oauth2/login?login_challenge=").unwrap().1.to_owned()
    }

    pub(crate) fn log_in(&self, sandbox: &Sandbox, challenge: &str) -> Answer {
        let info = json!({
            "type": "credentials", "login": "alice", "password": sandbox.password("alice"), "challenge": challenge,
        });
        Ask::post("/a/frontend/session", &json!({"AuthInfo": info})).send(sandbox).unwrap()
    }

    pub(crate) fn code(&self, sandbox: &Sandbox) -> String {
        let challenge = self.challenge(sandbox);
        let target = self.log_in(sandbox, &challenge).json()["RedirectTo"].as_str().unwrap().to_owned();
        let query = target.strip_prefix(&format!("{}?code=", self.redirect)).unwrap();
        let (code, state) = query.split_once("&state=").unwrap();
        assert_eq!(state, self.state);
        code.to_owned()
    }

    pub(crate) fn trade(&self, sandbox: &Sandbox, code: &str) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("client_id", &self.client),
        ];
        if let Some(verifier) = &self.verifier {
            form.push(("code_verifier", verifier));
        }
        post(sandbox, "/oidc/oauth2/token", &form)
    }
}

fn form(path: &str, form: &[(&str, &str)]) -> Ask {
    let pairs: Vec<String> = form.iter().map(|(name, value)| pair(name, value)).collect();
    Ask::new("POST", path).header("Content-Type", "application/x-www-form-urlencoded").body(pairs.join("&"))
}

fn post(sandbox: &Sandbox, path: &str, pairs: &[(&str, &str)]) -> Answer {
    form(path, pairs).send(sandbox).unwrap()
}

pub(crate) fn refresh(sandbox: &Sandbox, token: &str) -> Answer {
    refresh_as(token).send(sandbox).unwrap()
}

fn refresh_as(token: &str) -> Ask {
    let pairs = [("grant_type", "refresh_token"), ("client_id", "cells-client"), ("refresh_token", token)];
    form("/oidc/oauth2/token", &pairs)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn works(sandbox: &Sandbox, token: &str) -> bool {
    Ask::get("/a/tree/stat/common-files").bearer(token).send(sandbox).unwrap().status == 200
}

#[test]
fn a_code_becomes_tokens_that_work_and_can_be_renewed() {
    let sandbox = quick();
    sandbox.tree().mkdir("common-files/x").unwrap();
    let flow = Flow::default().with_proof();
    let first = flow.trade(&sandbox, &flow.code(&sandbox)).json();
    assert!(works(&sandbox, &text(&first, "access_token")));
    assert!(!works(&sandbox, &text(&first, "id_token")));
    let second = refresh(&sandbox, &text(&first, "refresh_token")).json();
    assert!(!works(&sandbox, &text(&first, "access_token")));
    assert!(works(&sandbox, &text(&second, "access_token")));
}

#[test]
fn scopes_decide_which_tokens_there_are() {
    let sandbox = quick();
    let bare = Flow { scope: "email".to_owned(), ..Flow::default() };
    let answer = bare.trade(&sandbox, &bare.code(&sandbox)).json();
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none(), "{answer}");
    assert!(works(&sandbox, &text(&answer, "access_token")));
    let unknown = Flow { scope: "openid offline_access".to_owned(), ..Flow::default() };
    let refused = unknown.start(&sandbox);
    assert_eq!(refused.status, 303);
    assert!(refused.header("location").starts_with(&format!("{CALLBACK}?error=invalid_scope&")), "{refused:?}");
}

#[test]
fn redirects_are_compared_byte_for_byte() {
    let sandbox = quick();
    for redirect in [
        "http://localhost:3001/servers/callback",
        "http://localhost/servers/callback",
        "http://[::1]:3000/servers/callback",
        "http://LOCALHOST:3000/servers/callback",
        "https://localhost:3000/servers/callback",
        "http://localhost:3000/servers/callback/",
        "http://localhost:3000/servers/callback?x=1",
        "http://localhost:3000/servers/callback#x",
        "urn:ietf:wg:oauth:2.0:oob",
        "",
    ] {
        let answer = Flow { redirect: redirect.to_owned(), ..Flow::default() }.start(&sandbox);
        let page = format!("{}/oauth2/fallbacks/error?error=invalid_request&", sandbox.url());
        assert_eq!(answer.status, 302, "{redirect}");
        assert!(answer.header("location").starts_with(&page), "{redirect}: {answer:?}");
    }
    let oob = Flow { redirect: format!("{}/oauth2/oob", sandbox.url()), ..Flow::default() };
    assert_eq!(oob.trade(&sandbox, &oob.code(&sandbox)).status, 200);
    let more = "http://localhost:41234/servers/callback";
    sandbox.register_redirect("cells-client", more);
    let flow = Flow { redirect: more.to_owned(), ..Flow::default() };
    assert_eq!(flow.trade(&sandbox, &flow.code(&sandbox)).status, 200);
}

#[test]
fn the_state_comes_back_as_it_was_sent() {
    let sandbox = quick();
    let flow = Flow { state: "a b+c&d=e f".to_owned(), ..Flow::default() };
    let challenge = flow.challenge(&sandbox);
    let target = text(&flow.log_in(&sandbox, &challenge).json(), "RedirectTo");
    assert!(target.ends_with("&state=a b+c&d=e f"), "{target}");
}

#[test]
fn using_a_code_twice_kills_its_tokens() {
    let sandbox = quick();
    let flow = Flow::default();
    let code = flow.code(&sandbox);
    let tokens = flow.trade(&sandbox, &code).json();
    assert_eq!(flow.trade(&sandbox, &code).status, 400);
    assert!(!works(&sandbox, &text(&tokens, "access_token")));
    assert_eq!(refresh(&sandbox, &text(&tokens, "refresh_token")).status, 401);
}

#[test]
fn a_wrong_proof_burns_the_code_and_a_wrong_redirect_does_not() {
    let sandbox = quick();
    let flow = Flow::default().with_proof();
    let code = flow.code(&sandbox);
    let elsewhere = Flow { redirect: "http://localhost:3000/other".to_owned(), ..flow.clone() };
    assert_eq!(elsewhere.trade(&sandbox, &code).status, 400);
    let other_client = Flow { client: "cells-sync".to_owned(), ..flow.clone() };
    assert_eq!(other_client.trade(&sandbox, &code).status, 400);
    assert_eq!(flow.trade(&sandbox, &code).status, 200);
    let code = flow.code(&sandbox);
    let guess = Flow { verifier: Some("x".repeat(43)), ..flow.clone() };
    assert_eq!(guess.trade(&sandbox, &code).status, 400);
    assert_eq!(flow.trade(&sandbox, &code).status, 400);
}

#[test]
fn methods_other_than_s256_fail_at_the_login_and_count_as_wrong_passwords() {
    let sandbox = quick();
    for attempt in 1..=10 {
        let more = ["&code_challenge=abc&code_challenge_method=plain", "&code_challenge=abc"][attempt % 2];
        let flow = Flow { more: more.to_owned(), ..Flow::default() };
        let challenge = flow.challenge(&sandbox);
        let answer = flow.log_in(&sandbox, &challenge);
        assert_eq!(answer.status, 401, "{attempt}");
        assert_eq!(answer.detail().contains("locked"), attempt == 10, "{attempt}: {answer:?}");
    }
}

#[test]
fn a_browser_with_a_session_gets_its_code_without_a_password() {
    let sandbox = quick();
    let info = json!({"AuthInfo": {"type": "credentials", "login": "bob", "password": sandbox.password("bob")}});
    let login = Ask::post("/a/frontend/session", &info).send(&sandbox).unwrap();
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let flow = Flow::default();
    let external = json!({"AuthInfo": {"type": "external", "challenge": flow.challenge(&sandbox)}});
    let answer = Ask::post("/a/frontend/session", &external).header("Cookie", &cookie).send(&sandbox).unwrap();
    assert!(text(&answer.json(), "RedirectTo").starts_with(&format!("{CALLBACK}?code=")));
    let without = Ask::post("/a/frontend/session", &external).send(&sandbox).unwrap();
    assert_eq!(without.status, 401);
}

#[test]
fn a_second_factor_is_asked_for_after_the_right_password_only() {
    let sandbox = quick();
    sandbox.set_second_factor("alice", Some("mfa_totp"));
    let flow = Flow::default();
    let challenge = flow.challenge(&sandbox);
    let answer = flow.log_in(&sandbox, &challenge).json();
    assert_eq!(text(&answer, "Trigger"), "mfa_totp");
    assert!(answer.get("RedirectTo").is_none());
    sandbox.set_second_factor("alice", None);
    assert!(flow.log_in(&sandbox, &challenge).json().get("RedirectTo").is_some());
}

#[test]
fn a_password_that_must_be_changed_shows_in_the_state_alone() {
    let sandbox = quick();
    sandbox.set_must_change_password("alice", true);
    let state = |login: &str| Ask::get("/a/frontend/state").by(&sandbox, login).send(&sandbox).unwrap().text();
    assert!(state("alice").contains("<special_rights lock=\"pass_change\">"));
    assert!(!state("bob").contains("special_rights"));
    assert!(works(&sandbox, &sandbox.token("alice")));
}

#[test]
fn a_locked_user_can_refresh_but_not_use_what_comes_of_it() {
    let sandbox = quick();
    let pair = sandbox.sign_in("alice");
    sandbox.set_locked("alice", true);
    let answer = refresh(&sandbox, &pair.refresh);
    assert_eq!(answer.status, 200);
    assert!(!works(&sandbox, &text(&answer.json(), "access_token")));
    sandbox.set_locked("alice", false);
    assert!(works(&sandbox, &text(&answer.json(), "access_token")));
}

#[test]
fn using_a_refresh_token_twice_kills_the_whole_family() {
    let sandbox = quick();
    let first = sandbox.sign_in("alice");
    let second = refresh(&sandbox, &first.refresh).json();
    assert_eq!(text(&refresh(&sandbox, &first.refresh).json(), "error"), "token_inactive");
    assert!(!works(&sandbox, &text(&second, "access_token")));
    assert_eq!(refresh(&sandbox, &text(&second, "refresh_token")).status, 401);
}

#[test]
fn lifetimes_can_be_chosen() {
    let sandbox = quick();
    sandbox.set_lifetimes(Lifetimes {
        access: Duration::from_secs(5),
        refresh: Duration::from_secs(60),
        ..Lifetimes::default()
    });
    let pair = sandbox.sign_in("alice");
    sandbox.set_clock_offset(6);
    assert!(!sandbox.is_alive(&pair.access));
    let next = refresh(&sandbox, &pair.refresh).json();
    assert_eq!(next["expires_in"], 4);
    assert!(sandbox.is_alive(&text(&next, "access_token")));
    sandbox.set_clock_offset(70);
    assert_eq!(refresh(&sandbox, &text(&next, "refresh_token")).status, 401);
}

/// Sends the same refresh token so often at once; gives the answers in the order in which they were sent.
fn race(sandbox: &Sandbox, token: &str, times: usize) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let ask = || {
            let before = sandbox.requests().len();
            let racer = scope.spawn(|| refresh(sandbox, token));
            crate::rest::support::wait_for("the request", || sandbox.requests().len() > before);
            racer
        };
        let racers: Vec<_> = (0..times).map(|_| ask()).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

const LONG_ENOUGH: Duration = Duration::from_millis(1500);

#[test]
fn in_a_race_others_are_refused() {
    let sandbox = quick();
    sandbox.set_refresh_race(Race::OthersRefused, LONG_ENOUGH);
    let pair = sandbox.sign_in("alice");
    let answers = race(&sandbox, &pair.refresh, 2);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 400]);
    assert!(works(&sandbox, &text(&answers[0].json(), "access_token")));
    let recorded = crate::rest::recordings::Recording::load("auth/65-refresh-race-loser");
    assert_eq!(answers[1].json(), recorded.response["body"]);
}

#[test]
fn in_a_race_all_may_be_answered_and_one_pair_lives() {
    let sandbox = quick();
    sandbox.set_refresh_race(Race::OnePairAlive, LONG_ENOUGH);
    let pair = sandbox.sign_in("alice");
    let answers: Vec<Value> = race(&sandbox, &pair.refresh, 2).iter().map(Answer::json).collect();
    let alive: Vec<&Value> = answers.iter().filter(|answer| sandbox.is_alive(&text(answer, "access_token"))).collect();
    assert_eq!(alive.len(), 1, "{answers:?}");
    let dead = answers.iter().find(|answer| *answer != alive[0]).unwrap();
    sandbox.set_refresh_race(Race::OthersRefused, Duration::ZERO);
    assert_eq!(refresh(&sandbox, &text(dead, "refresh_token")).status, 401);
    assert!(!works(&sandbox, &text(alive[0], "access_token")));
}

#[test]
fn in_a_race_all_may_die() {
    let sandbox = quick();
    sandbox.set_refresh_race(Race::AllDead, LONG_ENOUGH);
    let pair = sandbox.sign_in("alice");
    let answers = race(&sandbox, &pair.refresh, 2);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let winner = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    assert!(!works(&sandbox, &text(&winner, "access_token")));
    assert_eq!(refresh(&sandbox, &text(&winner, "refresh_token")).status, 401);
}

#[test]
fn a_refresh_whose_answer_is_lost_has_happened() {
    let sandbox = quick();
    let pair = sandbox.sign_in("alice");
    sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").close_after());
    assert!(refresh_as(&pair.refresh).send(&sandbox).is_err());
    assert!(!sandbox.is_alive(&pair.access));
    assert_eq!(refresh(&sandbox, &pair.refresh).status, 401);
}

#[test]
fn revoking_either_token_kills_both_for_the_right_client() {
    let sandbox = quick();
    for by_refresh in [true, false] {
        let pair = sandbox.sign_in("alice");
        let token = if by_refresh { &pair.refresh } else { &pair.access };
        let revoke = |client: &str| post(&sandbox, "/oidc/oauth2/revoke", &[("token", token), ("client_id", client)]);
        assert_eq!(revoke("cells-sync").status, 200);
        assert!(sandbox.is_alive(&pair.access));
        assert_eq!(revoke("cells-client").status, 200);
        assert!(!sandbox.is_alive(&pair.access));
        assert_eq!(refresh(&sandbox, &pair.refresh).status, 401);
    }
}

#[test]
fn the_authorization_server_wants_the_port_in_the_host() {
    let sandbox = quick();
    let path = "/oidc/.well-known/openid-configuration";
    let answer = Ask::get(path).header("Host", "127.0.0.1").send(&sandbox).unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (404, "text/html; charset=utf-8"));
    assert_eq!(Ask::get(path).send(&sandbox).unwrap().status, 200);
    assert_eq!(Ask::get("/oidc/nowhere").send(&sandbox).unwrap().status, 404);
    assert_eq!(Ask::get("/oidc/oauth2/token").send(&sandbox).unwrap().status, 405);
    let stranger = Ask::get("/a/config/discovery").header("Host", "localhost:1").send(&sandbox).unwrap();
    assert_eq!((stranger.status, stranger.text().as_str()), (200, ""));
}

#[test]
fn only_forms_are_read() {
    let sandbox = quick();
    let body = json!({"grant_type": "refresh_token", "client_id": "cells-client", "refresh_token": "x"});
    let answer = Ask::post("/oidc/oauth2/token", &body).send(&sandbox).unwrap();
    assert_eq!((answer.status, text(&answer.json(), "error").as_str()), (400, "invalid_request"));
    assert!(text(&answer.json(), "error_description").ends_with("The POST body can not be empty."));
}

#[test]
fn the_pages_of_a_login_have_what_a_browser_needs() {
    let sandbox = quick();
    let page = |path: &str| Ask::get(path).send(&sandbox).unwrap().text();
    let login = page("/oauth2/login?login_challenge=x");
    for field in ["application-login", "application-password", "dialog-login-submit", "dialog-login-cancel"] {
        assert!(login.contains(&format!("id=\"{field}\"")), "{field}");
    }
    assert!(page("/oauth2/oob?code=a%22b&state=s").contains("value=\"a&quot;b\""));
    let failed = page("/oauth2/fallbacks/error?error=invalid_request&error_description=Not+%3Cb%3E+so");
    assert!(failed.contains("Authentication Failed") && failed.contains("Not &lt;b&gt; so"), "{failed}");
    let flow = Flow::default();
    let challenge = flow.challenge(&sandbox);
    let cancelled = Ask::get(&format!("/oauth2/login?cancel=1&login_challenge={challenge}")).send(&sandbox).unwrap();
    let location = cancelled.header("location");
    assert!(location.starts_with(&format!("{CALLBACK}?error=access_denied&error_description=The+")), "{location}");
    assert!(location.ends_with(&format!("&state={}", flow.state)), "{location}");
    assert_eq!(flow.log_in(&sandbox, &challenge).status, 401);
}
