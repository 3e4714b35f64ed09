//! Who is let in, and in which words the others are not.

use cells_client::failure::ServerErrorKind;
use serde_json::json;

use crate::scenarios;
use crate::server::{Server, token};

scenarios! {
    no_token_and_a_bad_one_differ_by_a_full_stop,
    only_the_exact_form_of_the_header_counts,
    what_is_public_still_refuses_a_bad_token,
    the_state_is_given_to_everyone,
    a_missing_right_sounds_like_a_missing_token,
    a_token_for_a_file_opens_the_file_alone,
    a_token_for_a_folder_does_not_open_what_is_in_it,
    the_client_tells_a_dead_token_from_a_missing_right,
}

async fn no_token_and_a_bad_one_differ_by_a_full_stop(server: &Server) {
    let paths = [("GET", format!("/a/tree/stat/{}", server.workspace())), ("POST", "/a/tree/stats".to_owned())];
    for (method, path) in paths {
        let body = (method == "POST").then_some(b"{}".as_slice());
        let headers = [("content-type", "application/json")];
        let none = server.send(method, &path, &headers, body).await;
        none.is_text(401, "Unauthorized");
        assert_eq!(none.header("www-authenticate"), "");
        let dead = "x".repeat(43) + "." + &"y".repeat(43);
        for bad in ["garbage", dead.as_str()] {
            let json = json!({});
            let reply = server.rest_as(bad, method, &path, (method == "POST").then_some(&json)).await;
            reply.expect("an answer").is_text(401, "Unauthorized.");
        }
    }
}

async fn only_the_exact_form_of_the_header_counts(server: &Server) {
    let path = format!("/a/tree/stat/{}", server.workspace());
    let (small, bare) = (format!("bearer {}", server.token), server.token.clone());
    for value in [small.as_str(), bare.as_str(), "Bearer ", "Basic YTpi"] {
        let reply = server.send("GET", &path, &[("authorization", value)], None).await;
        assert_eq!(reply.status, 401, "{reply:?}");
    }
    let reply = server.send("GET", &format!("{path}?pydio_jwt={}", server.token), &[], None).await;
    assert_eq!(reply.status, 401, "{reply:?}");
}

async fn what_is_public_still_refuses_a_bad_token(server: &Server) {
    for path in ["/a/config/discovery", "/a/frontend/bootconf"] {
        assert_eq!(server.send("GET", path, &[], None).await.status, 200, "{path}");
        let reply = server.rest_as("garbage", "GET", path, None).await.expect("an answer");
        reply.is_text(401, "Unauthorized.");
    }
}

async fn the_state_is_given_to_everyone(server: &Server) {
    for headers in [vec![], vec![("authorization", "Bearer garbage")]] {
        let reply = server.send("GET", "/a/frontend/state", &headers, None).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.text().contains("<user "), "{headers:?}");
        assert!(reply.media().contains("xml"), "{:?}", reply.headers);
    }
}

async fn a_missing_right_sounds_like_a_missing_token(server: &Server) {
    let Some(other) = server.someone_else() else { return };
    let reply = server.rest_as(&other.token, "GET", "/a/config/discovery", None).await.expect("an answer");
    reply.is_text(401, "Unauthorized");
    let request = json!({"Node": {"Path": "pydiods1"}});
    let reply = server.rest_as(&other.token, "POST", "/a/tree/admin/list", Some(&request)).await.expect("an answer");
    reply.is_text(401, "Unauthorized");
}

async fn document_token(server: &Server, path: &str) -> String {
    let reply = server.post("/a/auth/token/document", &json!({"Path": path})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["AccessToken"].as_str().unwrap_or_default().to_owned()
}

async fn a_token_for_a_file_opens_the_file_alone(server: &Server) {
    server.write("file", "x").await;
    server.write("other", "x").await;
    let token = document_token(server, &server.path("file")).await;
    let stat = async |name: &str| {
        let path = format!("/a/tree/stat/{}", server.path(name));
        server.rest_as(&token, "GET", &path, None).await.expect("an answer")
    };
    assert_eq!(stat("file").await.status, 200);
    stat("other").await.says(404, "Forbidden: path is not readable");
    let missing = server.post("/a/auth/token/document", &json!({"Path": server.path("none")})).await;
    assert_eq!(missing.status, 404, "{missing:?}");
}

async fn a_token_for_a_folder_does_not_open_what_is_in_it(server: &Server) {
    server.write("folder/file", "x").await;
    let token = document_token(server, &server.path("folder")).await;
    let path = format!("/a/tree/stat/{}", server.path("folder/file"));
    let reply = server.rest_as(&token, "GET", &path, None).await.expect("an answer");
    reply.says(404, "Forbidden: path is not readable");
}

async fn the_client_tells_a_dead_token_from_a_missing_right(server: &Server) {
    server.write("file", "x").await;
    let dead = server.sender(token("garbage"));
    let error = cells_client::api::Client::new(dead.clone()).stat(&server.remote("file")).await.expect_err("refused");
    assert!(matches!(error.kind, ServerErrorKind::Unauthenticated | ServerErrorKind::Auth), "{error:?}");
    let error = cells_client::s3::Client::new(dead).head(&server.remote("file")).await.expect_err("refused");
    assert!(matches!(error.kind, ServerErrorKind::Unauthenticated | ServerErrorKind::Auth), "{error:?}");
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    let sender = server.sender(token(&other.token));
    let path = cells_client::path::RemotePath::parse(&format!("{workspace}/conformance")).expect("a path");
    let body = || reqwest::Body::from("x");
    let error = cells_client::s3::Client::new(sender.clone()).put(&path, 1, &body).await.expect_err("refused");
    assert_eq!(error.kind, ServerErrorKind::Forbidden, "{error:?}");
    let error = cells_client::api::Client::new(sender).create_folders(&[path]).await.expect_err("refused");
    assert_eq!(error.kind, ServerErrorKind::Forbidden, "{error:?}");
}
