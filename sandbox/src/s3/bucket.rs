//! Requests without a key: the bucket, and what S3 knows of buckets other than their content.

use http::{Method, StatusCode};

use super::auth::Identity;
use super::error::Failure;
use super::exchange::Exchange;
use super::{Outcome, list};
use crate::Shared;
use crate::transport::{Response, full, respond};

/// What the gateway knows about a bucket but does not implement.
const NOT_IMPLEMENTED: [&str; 10] = [
    "versioning",
    "versions",
    "lifecycle",
    "encryption",
    "tagging",
    "object-lock",
    "replication",
    "notification",
    "publicAccessBlock",
    "ownershipControls",
];

/// What the gateway says of any bucket: the parameter that asks, the content type, the answer.
const FIXED: [(&str, &str, &str); 4] = [
    (
        "policy",
        "application/json",
        r#"{"Version":"","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::*/*"]}]}"#,
    ),
    (
        "accelerate",
        "application/xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>",
    ),
    (
        "requestPayment",
        "application/xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
    ),
    (
        "policyStatus",
        "application/xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PolicyStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsPublic>FALSE</IsPublic></PolicyStatus>",
    ),
];

/// Who may do what with any bucket or object: its owner, who has no name, everything.
const ACCESS_CONTROL: &str = "<AccessControlPolicy><Owner><ID></ID><DisplayName></DisplayName></Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><Type>CanonicalUser</Type></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>";

/// Answers a request for a bucket.
pub(super) fn answer(shared: &Shared, exchange: &Exchange, identity: &Identity) -> Outcome {
    let has = |name: &str| exchange.parameter(name).is_some();
    if NOT_IMPLEMENTED.iter().any(|name| has(name)) {
        return Err(Failure::not_implemented().into());
    }
    if identity.bare_token {
        return Err(Failure::access_denied().into());
    }
    match *exchange.method() {
        Method::GET if has("location") => Ok(exchange.document(list::location())),
        Method::GET if has("uploads") => Ok(exchange.document(list::uploads(exchange))),
        Method::GET if has("cors") => Err(Failure::no_such_cors().into()),
        Method::GET if has("website") => Err(Failure::no_such_website().into()),
        Method::GET if has("acl") => Ok(access_control()),
        Method::GET => match FIXED.iter().find(|(name, ..)| has(name)) {
            Some((_, content_type, body)) => {
                let mut response = respond(StatusCode::OK, content_type, full(*body));
                exchange.add_headers(response.headers_mut());
                Ok(response)
            }
            None => Ok(exchange.document(list::objects(shared, exchange, &identity.caller)?)),
        },
        Method::POST if has("delete") => Err(match exchange.header("content-md5") {
            Some(_) => Failure::bad_gateway().into(),
            None => Failure::missing_content_md5().into(),
        }),
        Method::HEAD => Err(Failure::bad_request().early().into()),
        _ => Err(Failure::method_not_allowed().into()),
    }
}

/// The answer to `?acl`, of a bucket or an object.
pub(super) fn access_control() -> Response {
    respond(StatusCode::OK, "text/plain; charset=utf-8", full(ACCESS_CONTROL))
}
