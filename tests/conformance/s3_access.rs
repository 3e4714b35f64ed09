//! Whom the gateway lets in.

use std::time::{Duration, SystemTime};

use crate::scenarios;
use crate::server::{Server, encoded};

scenarios! {
    a_signed_request_with_the_token_as_its_key_is_let_in,
    a_bad_token_is_a_missing_right,
    nobody_finds_nothing,
    a_bearer_is_refused_in_text,
    a_clock_that_is_off_is_told,
    a_signature_needs_its_parts,
    both_buckets_hold_the_same,
    nobody_writes_where_he_may_only_read,
    a_workspace_that_is_denied_does_not_exist,
}

async fn a_signed_request_with_the_token_as_its_key_is_let_in(server: &Server) {
    server.write("file", "x").await;
    assert_eq!(server.read("file").await, "x");
}

async fn a_bad_token_is_a_missing_right(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/io/{}", encoded(&server.path("file")));
    for method in ["GET", "PUT", "DELETE"] {
        let reply = server.s3_at("garbage", SystemTime::now(), method, &path, &[], None).await;
        assert_eq!(reply.status, 403, "{method}: {reply:?}");
        assert_eq!(reply.code(), "AccessDenied", "{method}");
    }
    let reply = server.s3_at("garbage", SystemTime::now(), "HEAD", &path, &[], None).await;
    assert_eq!((reply.status, reply.body.len()), (403, 0));
    assert_eq!(server.read("file").await, "x");
}

async fn nobody_finds_nothing(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/io/{}", encoded(&server.path("file")));
    server.send("GET", &path, &[], None).await.refused(404, "NoSuchKey");
    server.send("PUT", &path, &[], Some(b"y")).await.refused(404, "NoSuchKey");
}

async fn a_bearer_is_refused_in_text(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/io/{}", encoded(&server.path("file")));
    let bearer = format!("Bearer {}", server.token);
    let reply = server.send("GET", &path, &[("authorization", &bearer)], None).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(reply.text().contains("Authentication failed, check your access credentials"), "{reply:?}");
}

async fn a_clock_that_is_off_is_told(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/io/{}", encoded(&server.path("file")));
    let now = SystemTime::now();
    let off = |seconds| Duration::from_secs(seconds);
    for time in [now - off(890), now + off(890)] {
        let reply = server.s3_at(&server.token, time, "GET", &path, &[], None).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    for time in [now - off(1000), now + off(1000)] {
        let reply = server.s3_at(&server.token, time, "GET", &path, &[], None).await;
        reply.refused(403, "RequestTimeTooSkewed");
        assert!(httpdate::parse_http_date(reply.header("date")).is_ok(), "the remedy is in the answer: {reply:?}");
    }
}

async fn a_signature_needs_its_parts(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/io/{}", encoded(&server.path("file")));
    let url = server.url.at(&path).expect("a URL");
    let signed = cells_client::s3::sign::headers(
        &http::Method::GET,
        &url,
        &http::HeaderMap::new(),
        &server.token,
        SystemTime::now(),
    );
    let signed = signed.expect("signed");
    let text = |name: &str| signed[name].to_str().expect("text").to_owned();
    let (authorization, hash, date) = (text("authorization"), text("x-amz-content-sha256"), text("x-amz-date"));
    let unsigned = authorization.split("Signature=").next().expect("a start").to_owned() + "Signature=";
    let another = authorization.replace("/s3/aws4_request", "/ec2/aws4_request");
    for (authorization, hash, date, status, code) in [
        (&unsigned, hash.as_str(), date.as_str(), 400, "MissingFields"),
        (&another, &hash, &date, 400, "AuthorizationParametersError"),
        (&authorization, "", &date, 403, "SignatureDoesNotMatch"),
        (&authorization, &hash, "", 400, "AccessDenied"),
        (&authorization, &hash, "yesterday", 400, "MalformedDate"),
    ] {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers
            .extend([("x-amz-content-sha256", hash), ("x-amz-date", date)].into_iter().filter(|it| !it.1.is_empty()));
        let reply = server.send("GET", &path, &headers, None).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{reply:?}");
    }
}

async fn both_buckets_hold_the_same(server: &Server) {
    server.write("file", "x").await;
    let path = format!("/data/{}", encoded(&server.path("file")));
    let reply = server.s3_at(&server.token, SystemTime::now(), "GET", &path, &[], None).await;
    assert_eq!((reply.status, reply.text()), (200, "x".to_owned()));
}

async fn nobody_writes_where_he_may_only_read(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    let path = format!("/io/{workspace}/conformance");
    for (method, query) in [("PUT", ""), ("POST", "?uploads=")] {
        let path = format!("{path}{query}");
        let reply = server.s3_at(&other.token, SystemTime::now(), method, &path, &[], Some(b"x")).await;
        reply.refused(403, "AccessDenied");
    }
}

async fn a_workspace_that_is_denied_does_not_exist(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.denied.as_ref()?))) else {
        return;
    };
    let path = format!("/io/{workspace}/conformance");
    for method in ["GET", "PUT"] {
        let reply = server.s3_at(&other.token, SystemTime::now(), method, &path, &[], None).await;
        reply.refused(404, "NoSuchKey");
    }
}
