//! The authorization server's client and the listener that the browser comes back to, with a browser that is a few
//! requests.

use std::sync::Arc;
use std::time::Duration;

use cells_client::account::{Credentials, ServerUrl, TokenPair};
use cells_client::auth::AuthError;
use cells_client::auth::oauth::loopback::{Listener, Page};
use cells_client::auth::oauth::password::SignedIn;
use cells_client::auth::oauth::{Attempt, OAuth, OAuthError, Redirect};
use cells_client::http::{Http, SendOptions};
use cells_sandbox::{Fault, Sandbox};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{options, sandbox};

fn oauth(sandbox: &Sandbox) -> OAuth {
    OAuth::new(Http::new(&options()).expect("a client"), ServerUrl::parse(sandbox.url()).expect("a URL"))
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// A listener on a free port that the server accepts.
async fn listener(sandbox: &Sandbox) -> Listener {
    // The port may be free on one address only.
    for _ in 0..20 {
        if let Ok(listener) = Listener::bind(0).await {
            let redirect = format!("http://localhost:{}/servers/callback", listener.port());
            sandbox.register_redirect("cells-client", &redirect);
            return listener;
        }
    }
    panic!("no free port");
}

/// Where a page sends the browser.
async fn redirected(url: &str) -> String {
    let browser = Http::new(&options()).expect("a browser");
    let following = SendOptions { redirect_is_answer: true, ..SendOptions::default() };
    let request = browser.request(reqwest::Method::GET, url.parse().expect("a URL"));
    let page = browser.send_with(request, &following).await.expect("a page");
    page.headers()["location"].to_str().expect("a text").to_owned()
}

/// Logs in on the page of a sign-in, and gives where the browser is sent.
async fn log_in(sandbox: &Sandbox, attempt: &Attempt, login: &str) -> String {
    let location = redirected(attempt.url().as_str()).await;
    let challenge = location.split("login_challenge=").nth(1).expect("a challenge");
    let info = json!({"AuthInfo": {
        "type": "credentials", "login": login, "password": sandbox.password(login), "challenge": challenge,
    }});
    let browser = Http::new(&options()).expect("a browser");
    let server = ServerUrl::parse(sandbox.url()).expect("a URL");
    let session = browser.server_request(reqwest::Method::POST, &server, "/a/frontend/session").expect("a request");
    let answer = browser.send(session.header("content-type", "application/json").body(info.to_string())).await;
    let body = browser.read(answer.expect("an answer"), 10_000).await.expect("a body");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    answer["RedirectTo"].as_str().expect("a redirect").to_owned()
}

/// Sends a request to the listener as a browser does, and gives all of the answer.
async fn visit(address: std::net::SocketAddr, line: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

async fn works(sandbox: &Sandbox, tokens: &TokenPair) -> bool {
    sandbox.is_alive(tokens.access.expose_secret())
}

fn tokens(signed_in: Result<SignedIn, AuthError>) -> TokenPair {
    match signed_in {
        Ok(SignedIn::Tokens(tokens)) => *tokens,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_browser_comes_back_with_a_code_on_either_address() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let addresses = listener(&sandbox).await.addresses();
    for index in 0..addresses.len() {
        let listener = listener(&sandbox).await;
        let attempt = Arc::new(oauth.begin(Redirect::Loopback(listener.port())).expect("an attempt"));
        oauth.challenge(&attempt).await.expect("a login page");
        let target = log_in(&sandbox, &attempt, "alice").await;
        let (host, path) = target.strip_prefix("http://").and_then(|text| text.split_once('/')).expect("a URL");
        assert_eq!(host, format!("localhost:{}", listener.port()));
        let (address, line) = (listener.addresses()[index], format!("GET /{path}"));
        let host = host.to_owned();
        let browser = tokio::spawn(async move { visit(address, &line, &host).await });
        let (code, farewell) = listener.wait(&attempt).await.into_parts();
        let tokens = oauth.exchange(&attempt, code.expect("a code")).await.expect("tokens");
        assert!(works(&sandbox, &tokens).await);
        assert!(tokens.refresh.is_some() && tokens.life.is_some_and(|life| life.as_secs() >= 590), "{tokens:?}");
        let page = Page { success: true, title: "Signed in as <alice>".to_owned(), text: "a & b".to_owned() };
        farewell.show(page).await;
        let shown = browser.await.expect("a page");
        assert!(shown.starts_with("HTTP/1.1 200 OK\r\n"), "{shown}");
        let head = shown.split("\r\n\r\n").next().expect("a head").to_lowercase();
        for header in ["cache-control: no-store", "referrer-policy: no-referrer", "content-type: text/html"] {
            assert!(head.contains(header), "{header}: {head}");
        }
        assert!(shown.contains("Signed in as &lt;alice&gt;") && shown.contains("a &amp; b"), "{shown}");
        let code = target.split("code=").nth(1).and_then(|text| text.split('&').next()).expect("a code");
        for secret in [code, tokens.access.expose_secret()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn only_the_right_callback_ends_the_wait() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let listener = listener(&sandbox).await;
    let attempt = Arc::new(oauth.begin(Redirect::Loopback(listener.port())).expect("an attempt"));
    let state = attempt.url().query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    let (address, port) = (listener.addresses()[0], listener.port());
    let host = format!("localhost:{port}");
    let callback = format!("/servers/callback?code=abc&state={state}");
    let wrong: Vec<(String, String)> = [
        ("GET /favicon.ico", host.as_str()),
        ("GET /", &host),
        ("GET /servers/callback", &host),
        ("GET /servers/callback?code=abc", &host),
        ("GET /servers/callback?code=abc&state=another-state-altogether", &host),
        ("GET /servers/callback?error=access_denied", &host),
        (&format!("GET /servers/callback?state={state}"), &host),
        (&format!("GET /servers/callback/?code=abc&state={state}"), &host),
        (&format!("POST {callback}"), &host),
        (&format!("HEAD {callback}"), &host),
        (&format!("GET {callback}"), "localhost"),
        (&format!("GET {callback}"), &format!("127.0.0.1:{port}")),
        (&format!("GET {callback}"), &format!("evil.example:{port}")),
    ]
    .map(|(line, host): (&str, &str)| (line.to_owned(), host.to_owned()))
    .into();
    let right = format!("GET {callback}");
    let visits = tokio::spawn(async move {
        // A connection that says nothing, as browsers open them ahead of time, holds nobody up.
        let _silent = TcpStream::connect(address).await.expect("a connection");
        for (line, host) in wrong {
            let answer = visit(address, &line, &host).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{line} {host}: {answer}");
        }
        visit(address, &right, &host).await
    });
    let (code, farewell) = listener.wait(&attempt).await.into_parts();
    assert!(code.is_ok(), "{code:?}");
    let page = Page { success: false, title: "No".to_owned(), text: "Not so.".to_owned() };
    farewell.show(page).await;
    assert!(visits.await.expect("all visits").contains("<h1>No</h1>"));
}

#[tokio::test]
async fn a_refusal_in_the_browser_is_told_in_the_servers_words() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let listener = listener(&sandbox).await;
    let attempt = Arc::new(oauth.begin(Redirect::Loopback(listener.port())).expect("an attempt"));
    let challenge = oauth.challenge(&attempt).await.expect("a login page");
    let cancel = format!("{}/oauth2/login?cancel=1&login_challenge={challenge}", sandbox.url());
    let target = redirected(&cancel).await;
    let path = target.split_once("/servers/").expect("a path").1.to_owned();
    let (address, host) = (listener.addresses()[0], format!("localhost:{}", listener.port()));
    let visit = tokio::spawn(async move { visit(address, &format!("GET /servers/{path}"), &host).await });
    let (code, farewell) = listener.wait(&attempt).await.into_parts();
    let Err(OAuthError::Refused { code, description, .. }) = code else { panic!("{code:?}") };
    assert_eq!(code, "access_denied");
    assert!(description.contains("denied the request"), "{description}");
    drop(farewell);
    visit.await.expect("an end");
}

#[tokio::test]
async fn a_port_that_is_taken_on_one_address_is_taken() {
    for taken in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(other) = std::net::TcpListener::bind(taken) else { continue };
        let port = other.local_addr().expect("an address").port();
        let error = Listener::bind(port).await.expect_err("it is taken");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{taken}");
        drop(other);
    }
}

#[tokio::test]
async fn a_listener_leaves_nothing_behind() {
    let sandbox = sandbox();
    let listener = listener(&sandbox).await;
    let port = listener.port();
    let attempt = Arc::new(oauth(&sandbox).begin(Redirect::Loopback(port)).expect("an attempt"));
    let address = listener.addresses()[0];
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let waited = tokio::time::timeout(Duration::from_millis(50), listener.wait(&attempt)).await;
    assert!(waited.is_err());
    drop(listener);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok_and(|read| read.map_or(true, |count| count == 0)));
    Listener::bind(port).await.expect("the port is free again");
}

#[tokio::test]
async fn what_would_leave_a_browser_at_a_dead_end_is_known_before() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let refused = |redirect| {
        let attempt = oauth.begin(redirect).expect("an attempt");
        let oauth = oauth.clone();
        async move { oauth.challenge(&attempt).await.expect_err("a refusal") }
    };
    let OAuthError::Refused { code, .. } = refused(Redirect::Loopback(3001)).await else { panic!("no refusal") };
    assert_eq!(code, "invalid_request");
    let elsewhere = ServerUrl::parse("https://elsewhere.example").expect("a URL");
    assert!(matches!(refused(Redirect::OutOfBand(elsewhere)).await, OAuthError::Refused { .. }));
    let site = oauth.site().await.expect("an address");
    assert_eq!(site.origin(), sandbox.url());
    let attempt = oauth.begin(Redirect::OutOfBand(site)).expect("an attempt");
    oauth.challenge(&attempt).await.expect("a login page");
    for fault in [
        Fault::on("GET", "/oidc/").status(404),
        Fault::on("GET", "/oidc/").html(),
        Fault::on("GET", "/oidc/").empty_ok(),
    ] {
        sandbox.faults().add(fault);
        assert!(matches!(refused(Redirect::Loopback(3000)).await, OAuthError::NotCells(_)));
    }
}

#[tokio::test]
async fn a_password_becomes_tokens_and_is_sent_once() {
    let sandbox = sandbox();
    let signed_in = oauth(&sandbox).sign_in("alice", &secret(sandbox.password("alice"))).await;
    let tokens = tokens(signed_in);
    assert!(works(&sandbox, &tokens).await);
    let sent: Vec<_> =
        sandbox.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(sent, ["GET /oidc/oauth2/auth", "POST /a/frontend/session", "POST /oidc/oauth2/token"]);
    let credentials = Credentials::from(tokens);
    assert_eq!(credentials.kind(), "OAuth token");
}

#[tokio::test]
async fn what_is_wrong_with_a_password_is_told_and_it_is_never_sent_again() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let logins = || sandbox.requests().iter().filter(|request| request.path == "/a/frontend/session").count();
    let wrong = oauth.sign_in("alice", &secret("wrong")).await.expect_err("a wrong password");
    assert!(matches!(wrong, AuthError::WrongPassword), "{wrong:?}");
    assert_eq!(logins(), 1);
    sandbox.set_second_factor("alice", Some("mfa_totp"));
    let asked = oauth.sign_in("alice", &secret(sandbox.password("alice"))).await.expect_err("a further step");
    assert!(matches!(&asked, AuthError::FurtherStep(step) if step == "mfa_totp"), "{asked:?}");
    sandbox.set_locked("alice", true);
    let locked = oauth.sign_in("alice", &secret(sandbox.password("alice"))).await.expect_err("a lock");
    assert!(matches!(locked, AuthError::Locked), "{locked:?}");
    assert_eq!(logins(), 3);
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_a_further_step() {
    let sandbox = sandbox();
    let elsewhere = json!({"RedirectTo": "https://sso.example/login?state=abc"}).to_string();
    sandbox.faults().add(Fault::on("POST", "/a/frontend/session").body("application/json", &elsewhere));
    let asked = oauth(&sandbox).sign_in("alice", &secret("any")).await.expect_err("a further step");
    assert!(matches!(&asked, AuthError::FurtherStep(step) if step == "single sign-on"), "{asked:?}");
}

#[tokio::test]
async fn where_no_tokens_are_given_for_a_password_that_is_known() {
    let sandbox = sandbox();
    let password = secret(sandbox.password("alice"));
    for fault in [
        Fault::on("GET", "/oidc/oauth2/auth").status(404),
        Fault::on("GET", "/oidc/oauth2/auth").redirect("/oauth2/fallbacks/error?error=invalid_client"),
        Fault::on("POST", "/a/frontend/session").body("application/json", "{}"),
        Fault::on("POST", "/oidc/oauth2/token").status(400).body("application/json", r#"{"error":"invalid_grant"}"#),
        Fault::on("POST", "/oidc/oauth2/token")
            .body("application/json", r#"{"access_token":"a.b","token_type":"bearer"}"#),
        Fault::on("POST", "/oidc/oauth2/token").html(),
    ] {
        sandbox.faults().add(fault.clone());
        let signed_in = oauth(&sandbox).sign_in("alice", &password).await;
        assert!(matches!(signed_in, Ok(SignedIn::NotOffered(_))), "{fault:?}: {signed_in:?}");
    }
    sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").close_after());
    let lost = oauth(&sandbox).sign_in("alice", &password).await.expect_err("no answer");
    assert!(matches!(lost, AuthError::Http(_)), "{lost:?}");
}

#[tokio::test]
async fn tokens_are_renewed_once_and_never_by_a_retry() {
    let sandbox = sandbox();
    let oauth = oauth(&sandbox);
    let pair = sandbox.sign_in("alice");
    let first = oauth.refresh(&secret(&pair.refresh)).await.expect("new tokens");
    assert!(works(&sandbox, &first).await && !sandbox.is_alive(&pair.access));
    let refresh = first.refresh.expect("a refresh token");
    sandbox.clear_requests();
    for fault in
        [Fault::on("POST", "/oidc/oauth2/token").status(503), Fault::on("POST", "/oidc/oauth2/token").close_before()]
    {
        sandbox.faults().add(fault);
        oauth.refresh(&refresh).await.expect_err("no answer");
    }
    assert_eq!(sandbox.requests().len(), 2, "one request each");
    sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").close_after());
    let lost = oauth.refresh(&refresh).await.expect_err("no answer");
    assert!(matches!(&lost, OAuthError::Http(error) if !error.unsent), "{lost:?}");
    let replayed = oauth.refresh(&refresh).await.expect_err("it is used up");
    assert!(matches!(&replayed, OAuthError::Refused { code, .. } if code == "token_inactive"), "{replayed:?}");
}

#[tokio::test]
async fn a_session_can_be_ended() {
    let sandbox = sandbox();
    let pair = sandbox.sign_in("alice");
    oauth(&sandbox).revoke(&secret(&pair.refresh)).await.expect("an answer");
    assert!(!sandbox.is_alive(&pair.access));
    oauth(&sandbox).revoke(&secret("garbage")).await.expect("the server says yes to anything");
    sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/revoke").status(503));
    oauth(&sandbox).revoke(&secret(&pair.refresh)).await.expect_err("it did not work");
}

#[tokio::test]
async fn answers_that_are_no_tokens_are_not_shown() {
    let sandbox = sandbox();
    for (kind, body) in [
        ("text/html", "<html>secret-of-the-answer</html>"),
        ("application/json", r#"{"access_token":"","token_type":"bearer","x":"secret-of-the-answer"}"#),
        ("application/json", r#"{"access_token":"secret of the-answer","token_type":"bearer"}"#),
        ("application/json", r#"{"access_token":"secret-of-the-answer","token_type":"mac"}"#),
        ("application/json", ""),
    ] {
        sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").body(kind, body));
        let error = oauth(&sandbox).refresh(&secret("any")).await.expect_err(body);
        assert!(matches!(error, OAuthError::NotCells(_)), "{body}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("secret-of"), "{error:?}");
    }
}
