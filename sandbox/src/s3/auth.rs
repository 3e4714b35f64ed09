//! Authenticates the sender of a request.

use base64::Engine as _;
use http::header::AUTHORIZATION;

use super::error::Failure;
use super::exchange::Exchange;
use super::sigv4::{self, Authorization, Malformed, Signed};
use crate::Shared;
use crate::tokens::Caller;

/// The secret that goes with every token, and with the gateway's own key.
const SECRET: &str = "gatewaysecret";

/// The gateway's own access key.
const GATEWAY_KEY: &str = "gateway";

/// The only region a strict server takes.
const REGION: &str = "us-east-1";

/// How far the clocks may be apart, in seconds.
const WINDOW: i64 = 15 * 60;

/// Longest access key, in bytes, that fits the gateway's limit for headers.
const LONGEST_KEY: usize = 16 * 1024;

/// A request's sender, and how the request was signed.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) caller: Caller,
    /// A bare token opens single objects only.
    pub(crate) bare_token: bool,
    /// Whether the token was in the URL: browsers must save the answer as a file.
    pub(crate) attachment: bool,
}

/// Finds out who sends a request.
pub(crate) fn identify(shared: &Shared, exchange: &Exchange) -> Result<Identity, Failure> {
    let header = exchange.parts.headers.get(AUTHORIZATION);
    let header = header.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(header) = header else {
        return without_header(shared, exchange);
    };
    let (scheme, fields) = header.split_once(' ').unwrap_or((&header, ""));
    match scheme {
        sigv4::ALGORITHM => signed(shared, exchange, fields),
        "AWS" => {
            let key = fields.split(':').next().unwrap_or_default();
            match bearer(exchange).filter(|_| key == GATEWAY_KEY && !shared.s3.is_strict()) {
                Some(token) => accept(shared, token, false),
                None => Err(Failure::invalid_access_key_id()),
            }
        }
        "Bearer" => Err(Failure::bearer_refused()),
        _ => Err(Failure::invalid_request()),
    }
}

/// Checks a request with an AWS signature in its header.
fn signed(shared: &Shared, exchange: &Exchange, fields: &str) -> Result<Identity, Failure> {
    let timestamp = check_date(shared, exchange)?;
    if fields.len() > LONGEST_KEY {
        return Err(Failure::metadata_too_large());
    }
    let authorization = Authorization::parse(fields).map_err(|malformed| match malformed {
        Malformed::MissingFields => Failure::missing_fields(),
        Malformed::Credential => Failure::malformed_credential(),
        Malformed::Service => Failure::authorization_parameters(),
    })?;
    let strict = shared.s3.is_strict();
    let by_gateway = authorization.access_key == GATEWAY_KEY;
    let identity = match bearer(exchange).filter(|_| by_gateway) {
        Some(_) if strict => return Err(Failure::unauthorized_access().bare()),
        Some(token) => accept(shared, token, false)?,
        None => accept(shared, authorization.access_key, false)?,
    };
    let payload_hash = exchange.header("x-amz-content-sha256").ok_or_else(Failure::signature_does_not_match)?;
    let parts = &exchange.parts;
    let request = Signed {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        timestamp,
        payload_hash,
    };
    if strict && (authorization.region != REGION || !authorization.covers(&parts.headers)) {
        return Err(Failure::signature_does_not_match());
    }
    if (strict || by_gateway) && !authorization.is_signed_with(SECRET, &request) {
        return Err(Failure::signature_does_not_match());
    }
    Ok(identity)
}

/// Checks the time of a signed request against this server's clock, and gives its text.
fn check_date<'a>(shared: &Shared, exchange: &'a Exchange) -> Result<&'a str, Failure> {
    let timestamp = sigv4::timestamp(&exchange.parts.headers).ok_or_else(|| Failure::missing_date().early())?;
    let seconds = sigv4::seconds(timestamp).ok_or_else(|| Failure::malformed_date().early())?;
    if (shared.clock.now() - seconds).abs() > WINDOW {
        return Err(Failure::time_too_skewed().early());
    }
    Ok(timestamp)
}

/// A request without an `Authorization` header.
fn without_header(shared: &Shared, exchange: &Exchange) -> Result<Identity, Failure> {
    let in_query = exchange.parameter("pydio_jwt");
    let old_presigned = exchange.parameter("AWSAccessKeyId").is_some();
    let presigned = old_presigned || exchange.parameter("X-Amz-Signature").is_some();
    let token = in_query.or_else(|| bearer(exchange));
    let Some(token) = token else {
        return Err(match presigned {
            true => Failure::invalid_access_key_id(),
            false => Failure::no_such_key(),
        });
    };
    if shared.s3.is_strict() {
        return Err(Failure::unauthorized_access().bare());
    }
    let identity = accept(shared, token, in_query.is_some())?;
    Ok(Identity { bare_token: !presigned, ..identity })
}

/// The token of the gateway's own header.
fn bearer(exchange: &Exchange) -> Option<&str> {
    exchange.header("x-pydio-bearer")
}

fn accept(shared: &Shared, token: &str, attachment: bool) -> Result<Identity, Failure> {
    let caller = shared.tokens.check(token).ok_or_else(|| Failure::access_denied().bare())?;
    Ok(Identity { caller, bare_token: false, attachment })
}

/// What a request says about the content of its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) sha256: Option<[u8; 32]>,
    /// Whether the body is sent in signed chunks, which the gateway cannot pass on.
    pub(crate) signed_chunks: bool,
}

impl Promised {
    /// Reads `Content-MD5` and `x-amz-content-sha256`.
    pub(crate) fn read(exchange: &Exchange) -> Result<Self, Failure> {
        let md5 = match exchange.header("content-md5") {
            None => None,
            Some(text) => {
                let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok();
                let sum = decoded.and_then(|sum| <[u8; 16]>::try_from(sum).ok());
                Some(sum.ok_or_else(Failure::invalid_digest)?)
            }
        };
        let mut promised = Self { md5, ..Self::default() };
        match exchange.header("x-amz-content-sha256") {
            None | Some("UNSIGNED-PAYLOAD") => {}
            Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") => promised.signed_chunks = true,
            Some(text) => {
                let sum = unhex(text).and_then(|sum| <[u8; 32]>::try_from(sum).ok());
                promised.sha256 = Some(sum.ok_or_else(Failure::content_sha256_mismatch)?);
            }
        }
        Ok(promised)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
