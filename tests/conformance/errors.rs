//! Wrong requests, and the forms that errors come in.

use cells_client::failure::ServerErrorKind;
use serde_json::json;

use crate::scenarios;
use crate::server::Server;

scenarios! {
    wrong_methods_and_unknown_routes_are_told_in_text,
    unknown_services_are_a_web_page_with_status_200,
    a_body_of_another_type_is_refused,
    an_answer_in_xml_is_empty,
    broken_json_is_an_error_of_the_server,
    large_answers_can_be_compressed,
    the_client_names_the_kinds_of_errors,
}

async fn wrong_methods_and_unknown_routes_are_told_in_text(server: &Server) {
    let stat = format!("/a/tree/stat/{}", server.workspace());
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    server.send("POST", &stat, &headers, Some(b"{}")).await.is_bare(405, "405: Method Not Allowed");
    server.send("GET", "/a/tree/stats", &headers, None).await.is_bare(405, "405: Method Not Allowed");
    server.send("GET", "/a/tree/no-such-route", &headers, None).await.is_bare(404, "404: Page Not Found");
    for method in ["HEAD", "OPTIONS"] {
        assert_eq!(server.send(method, &stat, &headers, None).await.status, 401, "{method}");
    }
}

async fn unknown_services_are_a_web_page_with_status_200(server: &Server) {
    for path in ["/a/no-such-service", "/a/no-such-service/x", "/v2/n/nodes", "/no-such-page"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.media()), (200, "text/html"), "{path}");
        assert!(reply.text().trim_start().to_lowercase().starts_with("<!doctype html"), "{path}");
    }
    assert_eq!(server.post("/v2/n/nodes", &json!({})).await.media(), "text/html");
}

async fn a_body_of_another_type_is_refused(server: &Server) {
    let bearer = format!("Bearer {}", server.token);
    let typed = [("authorization", bearer.as_str()), ("content-type", "text/plain"), ("accept", "application/json")];
    let reply = server.send("POST", "/a/tree/stats", &typed, Some(b"{}")).await;
    assert!(reply.status == 415 || (reply.status == 500 && reply.text().contains("text/plain")), "{reply:?}");
    let untyped = [("authorization", bearer.as_str()), ("accept", "application/json")];
    let reply = server.send("POST", "/a/tree/stats", &untyped, Some(b"{}")).await;
    assert!(reply.status == 415 || reply.status == 500, "{reply:?}");
}

async fn an_answer_in_xml_is_empty(server: &Server) {
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", bearer.as_str()), ("accept", "application/xml")];
    let reply = server.send("GET", &format!("/a/tree/stat/{}", server.workspace()), &headers, None).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0), "{reply:?}");
}

async fn broken_json_is_an_error_of_the_server(server: &Server) {
    let bearer = format!("Bearer {}", server.token);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", "application/json")];
    for body in ["{", "[]", "x", "{\"Nodes\":[{\"Path\":1}]}", "{\"Nodes\":[{\"Type\":\"FILE\"}]}"] {
        let reply = server.send("POST", "/a/tree/create", &headers, Some(body.as_bytes())).await;
        assert!(reply.status == 500 && reply.media() == "application/json", "{body}: {reply:?}");
        assert!(reply.detail().starts_with("proto:"), "{body}: {reply:?}");
    }
}

async fn large_answers_can_be_compressed(server: &Server) {
    let reply = server.send("GET", "/a/frontend/bootconf", &[("accept-encoding", "gzip")], None).await;
    // Whether it was, the client does not say: it takes the coding off. What matters is that the answer is whole.
    assert!(reply.json()["backend"].is_object());
}

async fn the_client_names_the_kinds_of_errors(server: &Server) {
    let api = server.api();
    let raw = async |path: &str| api.raw(http::Method::GET, path, None).await;
    let html = raw("/a/no-such-service").await;
    assert!(html.is_err() || html.is_ok_and(|answer| !answer.body.starts_with(b"{")));
    let unknown = cells_client::path::RemotePath::parse("no-such-workspace/x").expect("a path");
    assert_eq!(api.stat(&unknown).await.expect_err("unknown").kind, ServerErrorKind::NotFound);
    assert_eq!(
        api.create_folders(std::slice::from_ref(&unknown)).await.expect_err("unknown").kind,
        ServerErrorKind::NotFound
    );
    let long = server.remote(&"n".repeat(256));
    let error = api.create_folders(&[long]).await.expect_err("too long");
    assert!(matches!(error.kind, ServerErrorKind::Server | ServerErrorKind::BadRequest), "{error:?}");
}
