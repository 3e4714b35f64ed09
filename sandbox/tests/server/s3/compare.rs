//! Compares an answer with a recorded one: status, headers and the whole document, but for what
//! differs from run to run.

use cells_sandbox::Sandbox;
use serde_json::Value;

use crate::s3::client::{Answer, hex, host};

/// Names of the recorded server and what they are here.
const NAMES: [(&str, &str); 4] = [
    ("a3-ro", "a1-ro"),
    ("a3-quota", "common-files"),
    ("/a3user/", "/alice/"),
    // The MD5 of a part whose content was not kept, and that of "x".
    ("9e756ffd52785e71bd7b4f11fe5af3a1", "9dd4e461268c8034f5c8564e155c67a6"),
];

/// Headers that are compared when either answer has them. The length of documents differs.
const HEADERS: [&str; 14] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "server",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-xss-protection",
    "location",
];

/// Headers that have to be there or not, whatever they say.
const PRESENT: [&str; 2] = ["last-modified", "x-amz-request-id"];

/// A recorded text with the names of this server.
pub(crate) fn names(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Where an answer differs from the recorded one; empty when it does not.
pub(crate) fn differences(sandbox: &Sandbox, recorded: &Value, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, recorded: &str, found: &str| {
        if recorded != found {
            wrong.push(format!("{what} is {found:?}, recorded {recorded:?}"));
        }
    };
    compare("status", &recorded["status"].to_string(), &answer.status.to_string());
    let header = |wanted: &str| {
        let headers = recorded["headers"].as_object().unwrap();
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map_or("", |(_, value)| value.as_str().unwrap()).to_owned()
    };
    let is_document = header("content-type") == "application/xml";
    for name in HEADERS.iter().filter(|name| !(is_document && **name == "content-length")) {
        compare(name, &header(name), answer.header(name));
    }
    for name in PRESENT {
        let there = |value: &str| (!value.is_empty()).to_string();
        compare(name, &there(&header(name)), &there(answer.header(name)));
    }
    let expected = recorded["body"].as_str().unwrap();
    if let Some(digits) = expected.strip_prefix("<binary ") {
        let digits = digits.split("hex ").nth(1).unwrap().trim_end_matches('>');
        compare("body", digits, &hex(&answer.body));
    } else if !expected.starts_with("<elided") {
        let found = answer.text().replace(&host(sandbox), "127.0.0.1:8080");
        compare("body", &stable(&names(expected)), &stable(&found));
    }
    wrong
}

/// A document without what differs from run to run.
fn stable(document: &str) -> String {
    let mut text = document.to_owned();
    for element in ["RequestId", "UploadId", "LastModified"] {
        text = blank(&text, &format!("<{element}>"), &format!("</{element}>"));
    }
    if text.contains("<ListPartsResult") {
        text = blank(&text, "<Key>", "</Key>");
    }
    if text.contains("lockc16") {
        // The content that was recorded is not known.
        text = blank(&text, "<ETag>", "</ETag>");
    }
    // A cause with addresses of the inner network.
    text = blank(&text, "Put &#34;", "Bad digest");
    text
}

/// Replaces what is between two marks, wherever they are, by a star; nothing stays nothing.
fn blank(text: &str, open: &str, close: &str) -> String {
    let mut parts = text.split(open);
    let mut blanked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        blanked += open;
        match part.split_once(close) {
            Some(("", rest)) => blanked += &format!("{close}{rest}"),
            Some((_, rest)) => blanked += &format!("*{close}{rest}"),
            None => blanked += part,
        }
    }
    blanked
}
