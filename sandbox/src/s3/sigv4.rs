//! AWS Signature Version 4 in its header form, from the verifier's side. Pure functions.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::random::hex;

/// The only algorithm there is.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
        let (terminator, service, region, day, access_key) = (next()?, next()?, next()?, next()?, next()?);
        if terminator != "aws4_request" || day.len() != 8 {
            return Err(Malformed::Credential);
        }
        if service != "s3" {
            return Err(Malformed::Service);
        }
        let signed_headers = field("SignedHeaders")?.split(';').collect();
        let signature = field("Signature")?;
        Ok(Self { access_key, day, region, service, signed_headers, signature })
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
        signs("host") && headers.keys().all(|name| !name.as_str().starts_with("x-amz-") || signs(name.as_str()))
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
    /// Returns the canonical request. The path is encoded once and not normalized, as in S3.
    pub(crate) fn canonical(&self, signed_headers: &[&str]) -> String {
        let mut names = signed_headers.to_vec();
        names.sort_unstable();
        let headers: String = names.iter().map(|name| format!("{name}:{}\n", self.header_value(name))).collect();
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

/// Returns the parameters, encoded again and sorted by name, then value.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = parameters(query)
        .map(|(name, value)| {
            let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
            (encode(&name), encode(&value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The parameters of a query, decoded: a plus is a space.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
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
    headers.get("x-amz-date").or_else(|| headers.get(header::DATE))?.to_str().ok()
}

/// Seconds since the Unix epoch of `20261123T163107Z`, or of an HTTP date.
pub(crate) fn seconds(timestamp: &str) -> Option<i64> {
    let Some((day, time)) = timestamp.strip_suffix('Z').and_then(|text| text.split_once('T')) else {
        let date = httpdate::parse_http_date(timestamp).ok()?;
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        return i64::try_from(since.as_secs()).ok();
    };
    if day.len() != 8 || time.len() != 6 {
        return None;
    }
    let number = |text: &str, at: usize, length: usize| -> Option<i64> {
        let digits = text.get(at..at + length)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let days = days_since_epoch(number(day, 0, 4)?, number(day, 4, 2)?, number(day, 6, 2)?);
    Some(days * 86_400 + number(time, 0, 2)? * 3_600 + number(time, 2, 2)? * 60 + number(time, 4, 2)?)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, in years that start in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the examples in the S3 documentation.
    const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// The SHA-256 of nothing.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// Method, target, further headers, signature.
    type Example<'a> = (Method, &'a str, &'a [(&'static str, &'a str)], &'a str);

    /// The same with its name.
    type Case<'a> = (&'a str, Method, &'a str, &'a [(&'static str, &'a str)], &'a str);

    /// The examples of "Signature Calculations for the Authorization Header" in the S3
    /// documentation.
    const EXAMPLES: [Example<'_>; 4] = [
        (
            Method::GET,
            "/test.txt",
            &[("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY)],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Method::PUT,
            "/test%24file.text",
            &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Method::GET,
            "/?lifecycle",
            &[("x-amz-content-sha256", EMPTY)],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Method::GET,
            "/?max-keys=2&prefix=J",
            &[("x-amz-content-sha256", EMPTY)],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];

    /// Cases of AWS's Signature Version 4 test suite, without those that normalize paths, because S3 does not.
    const SUITE: [Case<'_>; 11] = [
        ("get-vanilla", Method::GET, "/", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "get-vanilla-query-order-key-case",
            Method::GET,
            "/?Param2=value2&Param1=value1",
            &[],
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-empty-query-key",
            Method::GET,
            "/?Param1=value1",
            &[],
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        ),
        (
            "get-unreserved",
            Method::GET,
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            &[],
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-vanilla-utf8-query",
            Method::GET,
            "/?\u{1234}=bar",
            &[],
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        ("get-utf8", Method::GET, "/\u{1234}", &[], "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        (
            "get-header-key-duplicate",
            Method::GET,
            "/",
            &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "get-header-value-order",
            Method::GET,
            "/",
            &[("my-header1", "value4"), ("my-header1", "value1"), ("my-header1", "value3"), ("my-header1", "value2")],
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
        ),
        (
            "get-header-value-trim",
            Method::GET,
            "/",
            &[("my-header1", "value1"), ("my-header2", "\"a   b   c\"")],
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        ("post-vanilla", Method::POST, "/", &[], "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-header-key-sort",
            Method::POST,
            "/",
            &[("my-header1", "value1")],
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
    ];

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_examples_of_the_s3_documentation_verify() {
        for (method, target, further, signature) in EXAMPLES {
            let mut lines = vec![("host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")];
            lines.extend_from_slice(further);
            let headers = headers(&lines);
            let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
            names.sort_unstable();
            let fields = format!(
                "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders={},Signature={signature}",
                names.join(";")
            );
            let authorization = Authorization::parse(&fields).unwrap();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let payload_hash = headers["x-amz-content-sha256"].to_str().unwrap();
            let timestamp = "20130524T000000Z";
            let request = Signed { method: &method, path, query, headers: &headers, timestamp, payload_hash };
            assert!(authorization.is_signed_with(S3_SECRET, &request), "{target}");
            assert!(!authorization.is_signed_with("another", &request), "{target}");
            let elsewhere = Signed { path: "/other", ..request };
            assert!(!authorization.is_signed_with(S3_SECRET, &elsewhere), "{target}");
            assert!(authorization.covers(&headers), "{target}");
        }
    }

    #[test]
    fn the_test_suite_of_aws_verifies() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        for (name, method, target, further, signature) in SUITE {
            let mut lines = vec![("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
            lines.extend_from_slice(further);
            let headers = headers(&lines);
            let signed_headers: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let timestamp = "20150830T123600Z";
            let request = Signed { method: &method, path, query, headers: &headers, timestamp, payload_hash: EMPTY };
            let authorization = Authorization {
                access_key: "AKIDEXAMPLE",
                day: "20150830",
                region: "us-east-1",
                service: "service",
                signed_headers,
                signature,
            };
            assert!(authorization.is_signed_with(secret, &request), "{name}");
        }
    }

    #[test]
    fn a_canonical_path_is_encoded_once_and_not_normalised() {
        assert_eq!(canonical_path("/a%20b/%2e%2E//c+d/~%c3%a9"), "/a%20b/..//c%2Bd/~%C3%A9");
        assert_eq!(canonical_query("b=2&a=%2f+x&a=%20&c"), "a=%20&a=%2F%20x&b=2&c=");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(seconds("20130524T000000Z"), Some(1_369_353_600));
        assert_eq!(seconds("20240229T235959Z"), Some(1_709_251_199));
        assert_eq!(seconds("Fri, 24 May 2013 00:00:00 GMT"), Some(1_369_353_600));
        for wrong in ["", "20130524", "2013-05-24T00:00:00Z", "20130524T0000+0Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_header_may_lack_spaces_and_a_key_may_hold_slashes() {
        let fields = "Credential=a/b/20130524/r/s3/aws4_request,SignedHeaders=host,Signature=0";
        let parsed = Authorization::parse(fields).unwrap();
        assert_eq!((parsed.access_key, parsed.region), ("a/b", "r"));
        let spaced = fields.replace(',', ",  ");
        assert_eq!(Authorization::parse(&spaced).unwrap(), parsed);
        let no_signature = "Credential=a/20130524/r/s3/aws4_request,SignedHeaders=host";
        assert_eq!(Authorization::parse(no_signature), Err(Malformed::MissingFields));
        let short = "Credential=a/s3/aws4_request,SignedHeaders=host,Signature=0";
        assert_eq!(Authorization::parse(short), Err(Malformed::Credential));
    }
}
