//! Signing in with a password, and what becomes of the session.

use cells_client::account::Credentials;
use cells_client::auth::AuthError;
use serde_json::{Value, json};

use crate::answers::Reply;
use crate::scenarios;
use crate::server::{Login, Server};

scenarios! {
    a_password_gives_a_token_for_ten_minutes,
    a_wrong_password_and_an_unknown_user_look_the_same,
    a_refresh_replaces_the_token_and_the_cookie,
    a_cookie_used_twice_ends_the_session,
    a_logout_ends_the_session,
    a_request_without_a_known_type_gives_nothing,
    a_bad_token_spoils_even_the_sign_in,
    the_client_signs_in_renews_and_leaves,
}

fn login(server: &Server) -> Option<&Login> {
    if server.login.is_none() {
        server.left_out("CEC_TEST_LOGIN and CEC_TEST_PASSWORD name nobody");
    }
    server.login.as_ref()
}

async fn session(server: &Server, info: &Value, cookie: Option<&str>) -> Reply {
    let body = json!({"AuthInfo": info}).to_string();
    let mut headers = vec![("content-type", "application/json"), ("accept", "application/json")];
    headers.extend(cookie.map(|cookie| ("cookie", cookie)));
    server.send("POST", "/a/frontend/session", &headers, Some(body.as_bytes())).await
}

async fn sign_in(server: &Server, login: &Login) -> Reply {
    let info = json!({"type": "credentials", "login": login.name, "password": login.password});
    let reply = session(server, &info, None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

fn access(reply: &Reply) -> String {
    reply.json()["JWT"].as_str().unwrap_or_default().to_owned()
}

async fn works(server: &Server, token: &str) -> bool {
    let path = format!("/a/tree/stat/{}", server.workspace());
    let reply = server.rest_as(token, "GET", &path, None).await.expect("an answer");
    if reply.status == 401 {
        reply.is_text(401, "Unauthorized.");
    }
    reply.status == 200
}

async fn a_password_gives_a_token_for_ten_minutes(server: &Server) {
    let Some(login) = login(server) else { return };
    let reply = sign_in(server, login).await;
    let answer = reply.json();
    let token = access(&reply);
    assert!(!token.is_empty(), "{reply:?}");
    assert_eq!(answer["Token"]["AccessToken"], token.as_str());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    let expires = answer["ExpireTime"].as_u64().expect("a number");
    assert!((540..=660).contains(&expires.saturating_sub(now)), "{expires} against {now}");
    assert_eq!(answer["Token"]["ExpiresAt"], expires.to_string(), "the same as text");
    assert!(answer["Token"]["IDToken"].as_str().is_some_and(|token| token.split('.').count() == 3));
    assert!(answer["Token"].get("RefreshToken").is_none(), "it is in the cookie alone");
    let set = reply.header("set-cookie");
    for part in ["pydio=", "Path=/a/frontend", "HttpOnly", "Max-Age=3600"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    assert!(works(server, &token).await);
    assert!(!works(server, answer["Token"]["IDToken"].as_str().expect("text")).await, "an ID token opens nothing");
}

async fn a_wrong_password_and_an_unknown_user_look_the_same(server: &Server) {
    let Some(login) = login(server) else { return };
    for info in [
        json!({"type": "credentials", "login": login.name, "password": "wrong"}),
        json!({"type": "credentials", "login": "nobody-of-that-name", "password": login.password}),
    ] {
        let reply = session(server, &info, None).await;
        reply.says(401, "Unauthorized: Login failed");
        assert_eq!(reply.json(), json!({"Title": "Login failed", "Detail": "Unauthorized: Login failed"}));
    }
    // A success forgets the failures, so that they never add up to a lock.
    sign_in(server, login).await;
}

async fn a_refresh_replaces_the_token_and_the_cookie(server: &Server) {
    let Some(login) = login(server) else { return };
    let first = sign_in(server, login).await;
    let second = session(server, &json!({"type": "refresh"}), Some(&cookie(&first))).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_ne!(access(&first), access(&second));
    assert_ne!(cookie(&first), cookie(&second));
    assert!(!works(server, &access(&first)).await, "the old one dies at once");
    assert!(works(server, &access(&second)).await);
    let third = session(server, &json!({"type": "refresh"}), Some(&cookie(&second))).await;
    assert!(works(server, &access(&third)).await);
}

async fn a_cookie_used_twice_ends_the_session(server: &Server) {
    let Some(login) = login(server) else { return };
    let first = sign_in(server, login).await;
    let second = session(server, &json!({"type": "refresh"}), Some(&cookie(&first))).await;
    let replay = session(server, &json!({"type": "refresh"}), Some(&cookie(&first))).await;
    assert!(replay.status == 401 && replay.text().contains("token_inactive"), "{replay:?}");
    assert!(!works(server, &access(&second)).await, "the newest token is dead too");
    let after = session(server, &json!({"type": "refresh"}), Some(&cookie(&second))).await;
    assert_eq!(after.status, 401, "{after:?}");
    let none = session(server, &json!({"type": "refresh"}), None).await;
    assert!(none.status == 401 && none.text().contains("No refresh token"), "{none:?}");
}

async fn a_logout_ends_the_session(server: &Server) {
    let Some(login) = login(server) else { return };
    let first = sign_in(server, login).await;
    let reply = session(server, &json!({"type": "logout"}), Some(&cookie(&first))).await;
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()));
    assert!(!works(server, &access(&first)).await);
}

async fn a_request_without_a_known_type_gives_nothing(server: &Server) {
    for info in [json!({}), json!({"type": "no-such-type"})] {
        let reply = session(server, &info, None).await;
        assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()), "{info}");
    }
}

async fn a_bad_token_spoils_even_the_sign_in(server: &Server) {
    let Some(login) = login(server) else { return };
    let info = json!({"AuthInfo": {"type": "credentials", "login": login.name, "password": login.password}});
    let reply = server.rest_as("garbage", "POST", "/a/frontend/session", Some(&info)).await.expect("an answer");
    reply.is_text(401, "Unauthorized.");
}

async fn the_client_signs_in_renews_and_leaves(server: &Server) {
    let Some(login) = login(server) else { return };
    let credentials = Credentials::Password { login: login.name.clone(), password: login.password.clone().into() };
    let sender = server.sender(credentials);
    let token = sender.tokens.token(std::time::Duration::from_secs(60)).await.expect("a token");
    assert!(works(server, token.expose()).await);
    let renewed = sender.tokens.renew(&token).await.expect("another token");
    assert!(works(server, renewed.expose()).await);
    let user = cells_client::api::Client::new(sender.clone()).user().await.expect("an answer").expect("a user");
    assert_eq!(user.login, login.name);
    sender.tokens.close().await;
    assert!(!works(server, renewed.expose()).await, "signed out");
    let wrong = Credentials::Password { login: login.name.clone(), password: "wrong".to_owned().into() };
    let error = server.sender(wrong).tokens.token(std::time::Duration::ZERO).await.expect_err("refused");
    assert!(!matches!(error, AuthError::Http(_)), "{error:?}");
    sign_in(server, login).await;
}
