//! Who is let in, by a strict server and by a lax one.

use cells_sandbox::TokenKind;
use std::time::Duration;

use crate::s3::client::{Ask, ask, get, put, sandbox, start};

const KEY: &str = "common-files/file.txt";

#[test]
fn a_strict_server_takes_proper_signatures_alone() {
    let sandbox = sandbox();
    put(KEY, "x").send(&sandbox).expect(200);
    put(KEY, "x").header("x-amz-meta-a", "  one   two ").send(&sandbox).expect(403);
    put(KEY, "x").header("x-amz-meta-a", "one two").send(&sandbox).expect(200);
    let token = sandbox.token("admin");
    let stamp = crate::s3::client::timestamp(0);
    let scope = format!("{}/us-east-1/s3/aws4_request", &stamp[..8]);
    let forged = get(KEY)
        .unsigned()
        .header("x-amz-date", &stamp)
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .header(
            "Authorization",
            &format!("AWS4-HMAC-SHA256 Credential={token}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00"),
        );
    let refusal = forged.send(&sandbox).expect(403);
    assert_eq!(refusal.element("Code"), "SignatureDoesNotMatch");
    assert_eq!(refusal.element("Key"), KEY);
    let lax = start(|config| config.strict_signatures = false);
    lax.tree().put(KEY, "x").unwrap();
    let token = lax.token("admin");
    let forged =
        get(KEY).unsigned().header("x-amz-date", &stamp).header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").header(
            "Authorization",
            &format!("AWS4-HMAC-SHA256 Credential={token}/{scope}, SignedHeaders=host, Signature=00"),
        );
    forged.send(&lax).expect(200);
}

#[test]
fn headers_that_are_not_signed_are_refused() {
    let sandbox = sandbox();
    sandbox.tree().put(KEY, "x").unwrap();
    get(KEY).send(&sandbox).expect(200);
    get(KEY).header("x-other", "not signed and no matter").send(&sandbox).expect(200);
    get(KEY).smuggle("x-amz-acl", "public-read").send(&sandbox).expect(403);
}

#[test]
fn bare_tokens_are_for_lax_servers_and_single_objects() {
    let (strict, lax) = (sandbox(), start(|config| config.strict_signatures = false));
    for (sandbox, status) in [(&strict, 401), (&lax, 200)] {
        sandbox.tree().put(KEY, "x").unwrap();
        let token = sandbox.token("alice");
        get(KEY).unsigned().header("X-Pydio-Bearer", &token).send(sandbox).expect(status);
        get(KEY).unsigned().query("pydio_jwt", &token).send(sandbox).expect(status);
    }
    let bare = |ask: Ask| ask.unsigned().header("X-Pydio-Bearer", &lax.token("alice")).send(&lax);
    bare(put(KEY, "y")).expect(200);
    let create = bare(ask("POST", KEY).query("uploads", "")).expect(200);
    let id = create.element("UploadId");
    bare(put(KEY, "y").query("partNumber", "1").query("uploadId", &id)).expect(200);
    for refused in [
        ask("DELETE", KEY),
        ask("DELETE", KEY).query("uploadId", &id),
        ask("GET", KEY).query("uploadId", &id),
        Ask::to_path("GET", "/io/").query("list-type", "2"),
    ] {
        assert_eq!(bare(refused).expect(403).element("Code"), "AccessDenied");
    }
}

#[test]
fn the_clocks_must_agree_to_a_quarter_of_an_hour() {
    let sandbox = sandbox();
    sandbox.tree().put(KEY, "x").unwrap();
    for fine in [-890, 890] {
        get(KEY).at(fine).send(&sandbox).expect(200);
    }
    for skewed in [-910, 910] {
        let refusal = get(KEY).at(skewed).send(&sandbox).expect(403);
        assert_eq!(refusal.element("Code"), "RequestTimeTooSkewed");
    }
    sandbox.set_clock_offset(7_200);
    let refusal = get(KEY).send(&sandbox).expect(403);
    let server = httpdate::parse_http_date(refusal.header("date")).unwrap();
    assert!(server.duration_since(std::time::SystemTime::now()).unwrap() > Duration::from_secs(7_190));
    get(KEY).at(7_200).send(&sandbox).expect(200);
}

#[test]
fn what_does_not_parse_is_told_apart() {
    let sandbox = start(|config| config.strict_signatures = false);
    sandbox.tree().put(KEY, "x").unwrap();
    let stamp = crate::s3::client::timestamp(0);
    let (day, token) = (&stamp[..8], sandbox.token("alice"));
    let with = |authorization: &str, date: Option<&str>, payload: bool| {
        let mut ask = get(KEY).unsigned().header("Authorization", authorization);
        if let Some(date) = date {
            ask = ask.header("x-amz-date", date);
        }
        if payload {
            ask = ask.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        }
        let answer = ask.send(&sandbox);
        (answer.status, answer.element("Code"))
    };
    let credential = format!("Credential={token}/{day}/us-east-1/s3/aws4_request");
    let good = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00");
    let now = Some(stamp.as_str());
    assert_eq!(with(&good, now, true).0, 200);
    assert_eq!(with(&good, now, false), (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(with(&good, None, true), (400, "AccessDenied".to_owned()));
    assert_eq!(with(&good, Some("yesterday"), true), (400, "MalformedDate".to_owned()));
    let unsigned = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=");
    assert_eq!(with(&unsigned, now, true), (400, "MissingFields".to_owned()));
    let other = good.replace("/s3/", "/ec2/");
    assert_eq!(with(&other, now, true), (400, "AuthorizationParametersError".to_owned()));
    assert_eq!(with("Basic eDp5", now, true), (400, "InvalidRequest".to_owned()));
    assert_eq!(with(&format!("Bearer {token}"), now, true).0, 401);
    let long = good.replace(&token, &"x".repeat(16_400));
    assert_eq!(with(&long, now, true), (400, "MetadataTooLarge".to_owned()));
}

#[test]
fn tokens_open_what_their_users_may_see() {
    let sandbox = sandbox();
    sandbox.tree().put("a1-ro/x", "x").unwrap();
    sandbox.tree().put("a1-priv/x", "x").unwrap();
    get("a1-ro/x").by("alice").send(&sandbox).expect(200);
    get("a1-priv/x").send(&sandbox).expect(200);
    for (request, code) in [
        (get("a1-priv/x").by("alice"), "NoSuchKey"),
        (put("a1-priv/x", "y").by("alice"), "NoSuchKey"),
        (put("a1-ro/x", "y").by("alice"), "AccessDenied"),
        (get("nowhere/x"), "NoSuchKey"),
        (get(KEY).unsigned(), "NoSuchKey"),
    ] {
        assert_eq!(request.send(&sandbox).element("Code"), code);
    }
}

#[test]
fn expired_and_scoped_tokens_are_limited() {
    let sandbox = sandbox();
    sandbox.tree().put("common-files/in/file", "x").unwrap();
    let scoped = |path: &str| {
        let kind = TokenKind::Scoped { path: path.to_owned(), write: false };
        sandbox.issue_token("admin", kind)
    };
    let file = scoped("common-files/in/file");
    get("common-files/in/file").token(&file).send(&sandbox).expect(200);
    put("common-files/in/file", "y").token(&file).send(&sandbox).expect(403);
    get("common-files/in").token(&file).send(&sandbox).expect(403);
    let folder = scoped("common-files/in");
    get("common-files/in/file").token(&folder).send(&sandbox).expect(403);
    let expired = sandbox.issue_token("admin", TokenKind::Hard(Duration::ZERO));
    let refusal = get("common-files/in/file").token(&expired).send(&sandbox).expect(403);
    assert_eq!((refusal.element("Code").as_str(), refusal.element("Key").as_str()), ("AccessDenied", ""));
}
