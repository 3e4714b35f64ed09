//! `/a/update-server/`: the update server, which offers programs by channel and system. No token is asked for.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::Shared;
use crate::transport::{Answer, Request, Response, full, respond};

/// Where it is.
pub(crate) const PATH: &str = "/a/update-server/";

/// An offered program. A test decides whether its list entry is right or wrong.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// `stable` or `dev`; a question for `dev` is answered with both.
    pub channel: String,
    /// Its version.
    pub version: String,
    /// The system, as Go names it.
    pub os: String,
    /// The processor, as Go names it.
    pub arch: String,
    /// Base64 of the SHA-256.
    pub checksum: String,
    /// Base64 of the signature.
    pub signature: String,
    /// The program.
    pub content: Vec<u8>,
}

/// The programs on offer.
#[derive(Debug, Default)]
pub(crate) struct Updates(Mutex<Vec<Release>>);

impl Updates {
    pub(crate) fn offer(&self, release: Release) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(release);
    }

    fn all(&self) -> Vec<Release> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers a question for programs, or for one of them.
pub(crate) async fn handle(shared: &Shared, request: Request) -> Answer {
    let path = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    if request.method() == Method::GET {
        let number: Option<usize> = path.strip_prefix("files/").and_then(|number| number.parse().ok());
        return Ok(match number.and_then(|number| shared.updates.all().into_iter().nth(number)) {
            Some(release) => respond(StatusCode::OK, "application/octet-stream", full(release.content)),
            None => failure(StatusCode::NOT_FOUND, "there is no such file"),
        });
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Ok(list(shared, &body))
}

fn list(shared: &Shared, body: &Bytes) -> Response {
    let Ok(question) = serde_json::from_slice::<Value>(body) else {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "the question is not JSON");
    };
    if question["PackageName"] != "CellsClient" {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "there is no such package");
    }
    let channel = question["Channel"].as_str().unwrap_or_default();
    let releases = shared.updates.all();
    let offered = releases.iter().enumerate().filter(|(_, release)| {
        let in_channel = release.channel == channel || (channel == "dev" && release.channel == "stable");
        in_channel && question["GOOS"] == release.os.as_str() && question["GOARCH"] == release.arch.as_str()
    });
    let binaries: Vec<Value> = offered
        .map(|(number, release)| {
            json!({
                "PackageName": "CellsClient",
                "Version": release.version,
                "ReleaseDate": 1_795_000_000,
                "Label": format!("cec {}", release.version),
                "BinaryURL": format!("{}{PATH}files/{number}", shared.url),
                "BinaryChecksum": release.checksum,
                "BinarySignature": release.signature,
                "BinaryHashType": "sha256",
                "BinarySize": release.content.len().to_string(),
                "BinaryOS": release.os,
                "BinaryArch": release.arch,
            })
        })
        .collect();
    let answer = json!({"Channel": channel, "AvailableBinaries": binaries});
    respond(StatusCode::OK, "application/json", full(answer.to_string()))
}

fn failure(status: StatusCode, words: &str) -> Response {
    respond(status, "application/json", full(json!({"Title": words, "Detail": words}).to_string()))
}
