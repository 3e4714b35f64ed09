//! AWS Signature Version 4 in its header form, from the verifier's side. Pure functions.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::random::hex;

/// The only algorithm there is.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is encoded in a canonical path: the slashes stay.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The fields of an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) access_key: &'a str,
    /// `20261123`
    pub(crate) day: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// Lower-case names, in the order they were given.
    pub(crate) signed_headers: Vec<&'a str>,
    pub(crate) signature: &'a str,
}

/// Why an `Authorization` header is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A part of the header is absent or empty.
    MissingFields,
    /// The credential has not the five parts it needs, or ends in another terminator.
    Credential,
    /// The credential is for another service than S3.
    Service,
}

impl<'a> Authorization<'a> {
    /// Reads what follows the algorithm. The access key may contain slashes.
    pub(crate) fn parse(fields: &'a str) -> Result<Self, Malformed> {
        let field = |name: &str| {
            fields
                .split(',')
                .filter_map(|field| field.trim().split_once('='))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
                .ok_or(Malformed::MissingFields)
        };
        let mut scope = field("Credential")?.rsplitn(5, '/');
        let mut next = || scope.next().ok_or(Malformed::Credential);
        let (terminator, service, region, day, access_key) =
            (next()?, next()?, next()?, next()?, next()?);
        if terminator != "aws4_request" || day.len() != 8 {
            return Err(Malformed::Credential);
        }
        if service != "s3" {
            return Err(Malformed::Service);
        }
        let signed_headers = field("SignedHeaders")?.split(';').collect();
        let signature = field("Signature")?;
        Ok(Self {
            access_key,
            day,
            region,
            service,
            signed_headers,
            signature,
        })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }

    /// Whether the signature is the one that `secret` gives for this request.
    pub(crate) fn is_signed_with(&self, secret: &str, request: &Signed<'_>) -> bool {
        let canonical = request.canonical(&self.signed_headers);
        let to_sign = string_to_sign(request.timestamp, &self.scope(), &canonical);
        let key = signing_key(secret, self.day, self.region, self.service);
        hex(&hmac(&key, &to_sign)) == self.signature
    }

    /// Whether the signature covers what it has to: the host and each `x-amz-` header.
    pub(crate) fn covers(&self, headers: &HeaderMap) -> bool {
        let signs = |name: &str| self.signed_headers.contains(&name);
        signs("host")
            && headers
                .keys()
                .all(|name| !name.as_str().starts_with("x-amz-") || signs(name.as_str()))
    }
}

/// The parts of a request that its signature is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    /// As sent, percent-encoded.
    pub(crate) path: &'a str,
    /// As sent, without the question mark.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// `20261123T163107Z`
    pub(crate) timestamp: &'a str,
    /// The value of `x-amz-content-sha256`.
    pub(crate) payload_hash: &'a str,
}

impl Signed<'_> {
    /// The canonical request: the path encoded once and not normalised, as S3 has it.
    pub(crate) fn canonical(&self, signed_headers: &[&str]) -> String {
        let mut names = signed_headers.to_vec();
        names.sort_unstable();
        let headers: String = names
            .iter()
            .map(|name| format!("{name}:{}\n", self.header_value(name)))
            .collect();
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            self.method,
            canonical_path(self.path),
            canonical_query(self.query),
            names.join(";"),
            self.payload_hash,
        )
    }

    /// All values of a header, each with its white space collapsed.
    fn header_value(&self, name: &str) -> String {
        let values: Vec<String> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        values.join(",")
    }
}

fn canonical_path(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    percent_encoding::percent_encode(&decoded, RESERVED_IN_PATH).to_string()
}

/// The parameters encoded anew and sorted by name, then value.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = parameters(query)
        .map(|(name, value)| {
            let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
            (encode(&name), encode(&value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The parameters of a query, decoded: a plus is a space.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                let text = text.replace('+', " ");
                percent_decode_str(&text).decode_utf8_lossy().into_owned()
            };
            (decode(name), decode(value))
        })
}

/// What is signed: the time, the scope and the hash of the canonical request.
pub(crate) fn string_to_sign(timestamp: &str, scope: &str, canonical: &str) -> String {
    let hash = hex(&Sha256::digest(canonical));
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{hash}")
}

/// The key that a secret gives for one day, region and service.
pub(crate) fn signing_key(secret: &str, day: &str, region: &str, service: &str) -> [u8; 32] {
    let day_key = hmac(format!("AWS4{secret}").as_bytes(), day);
    let region_key = hmac(&day_key, region);
    hmac(&hmac(&region_key, service), "aws4_request")
}

fn hmac(key: &[u8], message: &str) -> [u8; 32] {
    let mut padded = [0_u8; 64];
    if key.len() <= padded.len() {
        padded[..key.len()].copy_from_slice(key);
    } else {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    }
    let mut mac = Hmac::<Sha256>::new(&padded.into());
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The time of a request: `X-Amz-Date`, or else `Date` in either form.
pub(crate) fn timestamp(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("x-amz-date")
        .or_else(|| headers.get(header::DATE))?
        .to_str()
        .ok()
}

/// Seconds since the Unix epoch of `20261123T163107Z`, or of an HTTP date.
pub(crate) fn seconds(timestamp: &str) -> Option<i64> {
    let Some((day, time)) = timestamp
        .strip_suffix('Z')
        .and_then(|text| text.split_once('T'))
    else {
        let date = httpdate::parse_http_date(timestamp).ok()?;
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        return i64::try_from(since.as_secs()).ok();
    };
    if day.len() != 8 || time.len() != 6 {
        return None;
    }
    let number = |text: &str, at: usize, length: usize| -> Option<i64> {
        let digits = text.get(at..at + length)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let days = days_since_epoch(number(day, 0, 4)?, number(day, 4, 2)?, number(day, 6, 2)?);
    Some(
        days * 86_400
            + number(time, 0, 2)? * 3_600
            + number(time, 2, 2)? * 60
            + number(time, 4, 2)?,
    )
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, in years that start in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}
