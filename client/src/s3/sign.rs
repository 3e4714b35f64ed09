//! Signs requests with AWS Signature Version 4 in headers, as a pure function of request, token and time.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

/// The secret for every access token. Release 4 ignores it, release 5 compares it.
const SECRET: &str = "gatewaysecret";

/// The region that release 5 requires.
const REGION: &str = "us-east-1";

/// The credentials of a signature.
#[derive(Debug, Clone, Copy)]
struct Key<'a> {
    id: &'a str,
    secret: &'a str,
}

/// The request cannot be signed, because something in it is not a valid header value.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct Unsignable(String);

/// Returns the headers that sign a request to the gateway. `present` are its existing headers; all `x-amz-*` headers
/// among them are signed. The content is not signed.
///
/// # Errors
/// A URL or header cannot be signed.
pub fn headers(
    method: &Method,
    url: &Url,
    present: &HeaderMap,
    token: &str,
    time: SystemTime,
) -> Result<HeaderMap, Unsignable> {
    let key = Key { id: token, secret: SECRET };
    signed(method, url, present, key, time, SignableBody::UnsignedPayload)
}

fn signed(
    method: &Method,
    url: &Url,
    present: &HeaderMap,
    key: Key<'_>,
    time: SystemTime,
    body: SignableBody<'_>,
) -> Result<HeaderMap, Unsignable> {
    let failed = |error: &dyn std::fmt::Display| Unsignable(error.to_string());
    let identity = Credentials::new(key.id, key.secret, None, None, "token").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let mut own = Vec::new();
    for (name, value) in present {
        if must_be_signed(name) {
            own.push((name.as_str(), value.to_str().map_err(|error| failed(&error))?));
        }
    }
    let request =
        SignableRequest::new(method.as_str(), url.as_str(), own.into_iter(), body).map_err(|error| failed(&error))?;
    let (instructions, _) = sign(request, &params).map_err(|error| failed(&error))?.into_parts();
    let mut headers = HeaderMap::new();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| failed(&error))?;
        value.set_sensitive(name == http::header::AUTHORIZATION);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Whether a header must be signed. The gateway requires it for `x-amz-*`; proxies do not change those or Range.
fn must_be_signed(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-amz-") || name == http::header::RANGE || (cfg!(test) && name == http::header::DATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credentials of the examples in the S3 documentation, "Signature Calculations for the Authorization Header".
    const EXAMPLE: Key<'static> =
        Key { id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn example_time() -> SystemTime {
        httpdate::parse_http_date("Fri, 24 May 2013 00:00:00 GMT").expect("a date")
    }

    fn signature(method: &Method, url: &str, pairs: &[(&'static str, &str)], hash: &str) -> String {
        let mut present = HeaderMap::new();
        for (name, value) in pairs {
            present.insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let url = Url::parse(url).expect("a URL");
        let body = SignableBody::Precomputed(hash.to_owned());
        let headers = signed(method, &url, &present, EXAMPLE, example_time(), body).expect("signed");
        headers["authorization"].to_str().expect("text").to_owned()
    }

    #[test]
    fn the_published_get_object_example_comes_out() {
        let text = signature(
            &Method::GET,
            "https://examplebucket.s3.amazonaws.com/test.txt",
            &[("range", "bytes=0-9")],
            EMPTY,
        );
        assert_eq!(
            text,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn the_published_put_object_example_comes_out() {
        let text = signature(
            &Method::PUT,
            "https://examplebucket.s3.amazonaws.com/test%24file.text",
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        );
        assert!(text.contains("SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"), "{text}");
        assert!(text.ends_with("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"), "{text}");
    }

    #[test]
    fn the_published_examples_with_queries_come_out() {
        let lifecycle = signature(&Method::GET, "https://examplebucket.s3.amazonaws.com/?lifecycle", &[], EMPTY);
        assert!(
            lifecycle.ends_with("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            "{lifecycle}"
        );
        let list = signature(&Method::GET, "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", &[], EMPTY);
        assert!(list.ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"), "{list}");
    }

    #[test]
    fn a_gateway_request_says_that_its_content_is_not_signed_and_never_shows_its_token() {
        let url = Url::parse("http://127.0.0.1:8080/io/ws/a%20b").expect("a URL");
        let mut present = HeaderMap::new();
        present.insert("x-amz-meta-pydio-clear-size", HeaderValue::from_static("5"));
        let headers = headers(&Method::POST, &url, &present, "TOKEN", example_time()).expect("signed");
        assert_eq!(headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
        assert_eq!(headers["x-amz-date"], "20130524T000000Z");
        let text = headers["authorization"].to_str().expect("text");
        assert!(text.contains("Credential=TOKEN/20130524/us-east-1/s3/aws4_request"), "{text}");
        assert!(
            text.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-pydio-clear-size"),
            "{text}"
        );
        assert!(!format!("{headers:?}").contains("TOKEN"));
    }
}
