//! The update server: available programs, their download and verification. It is separate from the Cells server of an
//! account, and receives no credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::{Http, HttpError, HttpErrorKind, redact};

/// The path of the service if the URL has none.
const USUAL_PATH: &str = "/a/update-server/";

/// The name of the client on the update server.
const PACKAGE: &str = "CellsClient";

/// The longest list of offers that is read, in bytes.
const LONGEST_LIST: usize = 4 * 1024 * 1024;

/// The largest program that is downloaded, in bytes. It stays in memory until its signature is verified.
const LARGEST_PROGRAM: usize = 32 * 1024 * 1024;

/// Errors of updates.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The URL of the update server or of a program cannot be used.
    #[error("the URL '{0}' cannot be used for updates")]
    Url(String),
    /// The public key is not valid.
    #[error("the public key for updates cannot be read: it must be a PEM block 'PUBLIC KEY' with an RSA key")]
    Key,
    /// There is no usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server answered with a failure, or with something else than its list.
    #[error("the update server answered: {0}")]
    Server(String),
    /// The program does not match the list, or its signature is not valid.
    #[error("the downloaded program was rejected: {0}")]
    Refused(&'static str),
}

/// A program that the update server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Offer {
    /// The version.
    pub version: String,
    /// A short description.
    pub label: String,
    /// A description of the changes.
    pub description: String,
    #[serde(rename = "BinaryURL")]
    url: String,
    binary_checksum: String,
    binary_signature: String,
    #[serde(rename = "BinaryOS")]
    os: String,
    binary_arch: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    channel: &'a str,
    package_name: &'a str,
    current_version: &'a str,
    #[serde(rename = "GOOS")]
    os: &'a str,
    #[serde(rename = "GOARCH")]
    arch: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct List {
    available_binaries: Vec<Offer>,
    title: String,
    detail: String,
}

/// The public key of the publisher.
#[derive(Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY` that contains an RSA key, either as SubjectPublicKeyInfo or as plain PKCS#1: both
    /// exist under this label.
    ///
    /// # Errors
    /// [`UpdateError::Key`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, UpdateError> {
        let block = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| UpdateError::Key)?;
        rsa_key(&block).map(|key| Self(key.to_vec())).ok_or(UpdateError::Key)
    }
}

/// Returns the PKCS#1 key in a DER block: the block itself if it contains two numbers, or the content of a
/// SubjectPublicKeyInfo.
fn rsa_key(block: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    let (tag, inside, rest) = element(block)?;
    let (first, _, after) = element(inside)?;
    match (tag, first, rest) {
        (SEQUENCE, INTEGER, []) => Some(block),
        (SEQUENCE, SEQUENCE, []) => match element(after)? {
            // The first byte of a bit string is the number of unused bits.
            (BIT_STRING, [0, key @ ..], []) => rsa_key(key).filter(|found| found.len() == key.len()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the first element of a DER text: its tag, its content, and the rest of the text.
fn element(text: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = text else { return None };
    let (length, rest) = match length {
        length if *length < 0x80 => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((*tag, inside, rest))
}

/// The update server.
#[derive(Debug)]
pub struct UpdateServer {
    http: Http,
    url: Url,
}

impl UpdateServer {
    /// Creates a client for the server at a URL.
    ///
    /// # Errors
    /// [`UpdateError::Url`] if the scheme is neither http nor https.
    pub fn new(http: Http, url: &str) -> Result<Self, UpdateError> {
        let wrong = || UpdateError::Url(url.to_owned());
        let mut parsed = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(wrong());
        }
        match parsed.path() {
            "" | "/" => parsed.set_path(USUAL_PATH),
            path if !path.ends_with('/') => parsed.set_path(&format!("{path}/")),
            _ => {}
        }
        Ok(Self { http, url: parsed })
    }

    /// Returns scheme, host and port of the server.
    pub fn origin(&self) -> String {
        redact::origin(&self.url)
    }

    /// Returns the offers for a system. `channel` is stable or dev; `os` and `arch` have Go's names.
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub async fn offers(&self, channel: &str, version: &str, os: &str, arch: &str) -> Result<Vec<Offer>, UpdateError> {
        let question = Question { channel, package_name: PACKAGE, current_version: version, os, arch };
        let body = serde_json::to_vec(&question).map_err(|error| UpdateError::Server(error.to_string()))?;
        let request = self.http.request(Method::POST, self.url.clone());
        let request = request.header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/json").body(body);
        let response = self.http.send(request).await?;
        let status = response.status();
        let answer = self.http.read_whole(response, LONGEST_LIST).await?;
        let list: Option<List> = serde_json::from_slice(&answer).ok();
        match list {
            Some(list) if status.is_success() => {
                let fits = |offer: &Offer| offer.os == os && offer.binary_arch == arch;
                Ok(list.available_binaries.into_iter().filter(fits).collect())
            }
            Some(List { title, detail, .. }) if !(title.is_empty() && detail.is_empty()) => {
                Err(UpdateError::Server(if detail.is_empty() { title } else { detail }))
            }
            _ => Err(UpdateError::Server(format!("HTTP {status}, without a list of programs"))),
        }
    }

    /// Downloads a program and verifies its SHA-256 and the signature over that. The bytes are returned only if both
    /// are valid.
    ///
    /// # Errors
    /// [`UpdateError::Refused`] if anything is missing or wrong.
    pub async fn fetch(&self, offer: &Offer, key: &PublicKey) -> Result<Bytes, UpdateError> {
        if offer.binary_checksum.is_empty() || offer.binary_signature.is_empty() {
            return Err(UpdateError::Refused("it has no checksum or no signature"));
        }
        let url = self.url.join(&offer.url).map_err(|_| UpdateError::Url(offer.url.clone()))?;
        let response = self.http.send(self.http.request(Method::GET, url)).await?;
        if !response.status().is_success() {
            return Err(UpdateError::Server(format!("HTTP {} for the program", response.status())));
        }
        let program = self.http.read(response, LARGEST_PROGRAM + 1).await.map_err(|error| match error.kind {
            HttpErrorKind::Closed => HttpError::new(error.kind, format!("the download was interrupted: {error}")),
            _ => error,
        })?;
        if program.len() > LARGEST_PROGRAM {
            return Err(UpdateError::Refused("it is larger than any version of this program"));
        }
        verify(&program, offer, key)?;
        Ok(program)
    }
}

fn verify(program: &[u8], offer: &Offer, key: &PublicKey) -> Result<(), UpdateError> {
    let decode = |text: &str| STANDARD.decode(text).ok();
    let checksum = ring::digest::digest(&ring::digest::SHA256, program);
    if decode(&offer.binary_checksum).as_deref() != Some(checksum.as_ref()) {
        return Err(UpdateError::Refused("its checksum is wrong"));
    }
    let signature = decode(&offer.binary_signature).ok_or(UpdateError::Refused("its signature is malformed"))?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.0)
        .verify(program, &signature)
        .map_err(|_| UpdateError::Refused("it is not signed with the key that this program trusts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPKI: &str = include_str!("../../../tests/fixtures/update-test-key.spki.pem");
    const PKCS1: &str = include_str!("../../../tests/fixtures/update-test-key.pkcs1.pem");

    #[test]
    fn both_forms_of_a_key_are_the_same_key() {
        let (one, other) = (PublicKey::from_pem(SPKI).expect("a key"), PublicKey::from_pem(PKCS1).expect("a key"));
        assert_eq!(one.0, other.0);
        assert!(PublicKey::from_pem("no key").is_err());
        let short = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
        assert!(PublicKey::from_pem(short).is_err());
    }

    #[test]
    fn urls_without_a_path_get_the_usual_one() {
        let http = || Http::new(&crate::http::HttpOptions::default()).expect("a client");
        let url = |text| UpdateServer::new(http(), text).map(|server| server.url.to_string()).ok();
        assert_eq!(url("https://u.example.com").as_deref(), Some("https://u.example.com/a/update-server/"));
        assert_eq!(url("https://u.example.com/x/y").as_deref(), Some("https://u.example.com/x/y/"));
        assert_eq!(url("ftp://u.example.com"), None);
        assert_eq!(url("nonsense"), None);
    }
}
