//! Refusals and how they are written.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderName, HeaderValue, StatusCode};

use super::exchange::Exchange;
use super::xml::Writer;
use crate::transport::{Response, full, respond, text};

/// The level of detail of an error document, which depends on how far the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// With the key and the bucket: refused by the gateway proper.
    Object,
    /// Without them: refused before the path was looked at.
    Bare,
    /// Not even a request id: refused by the first look at the date.
    Early,
    /// No document and none of the gateway's headers: the proxy in front lost its backend.
    Proxy,
    /// Plain text from the proxy's side.
    Text,
}

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    shape: Shape,
    /// Headers about the object that the answer contains anyway, and other additions.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $message:literal;)*) => {
        impl Failure {
            $(
                $(#[$doc])*
                pub(crate) fn $name() -> Self {
                    Self::new($status, $code, $message)
                }
            )*
        }
    };
}

failures! {
    access_denied = 403 "AccessDenied" "Access Denied.";
    signature_does_not_match = 403 "SignatureDoesNotMatch" "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    invalid_access_key_id = 403 "InvalidAccessKeyId" "The Access Key Id you provided does not exist in our records.";
    no_such_key = 404 "NoSuchKey" "The specified key does not exist.";
    no_such_cors = 404 "NoSuchCORSConfiguration" "The CORS configuration does not exist";
    no_such_website = 404 "NoSuchWebsiteConfiguration" "The specified bucket does not have a website configuration";
    no_such_upload = 404 "NoSuchUpload" "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    missing_content_length = 411 "MissingContentLength" "You must provide the Content-Length HTTP header.";
    precondition_failed = 412 "PreconditionFailed" "At least one of the pre-conditions you specified did not hold";
    invalid_range = 416 "InvalidRange" "The requested range is not satisfiable";
    quota_exceeded = 422 "QuotaExceeded" "You have reached your authorized quota";
    not_implemented = 501 "NotImplemented" "A header you provided implies functionality that is not implemented";
    /// A lock was not acquired in time, or the store gave up on the body.
    backend_down = 503 "XMinioBackendDown" "Object storage backend is unreachable";
    invalid_digest = 400 "InvalidDigest" "The Content-Md5 you specified is not valid.";
    content_sha256_mismatch = 400 "XAmzContentSHA256Mismatch" "The provided 'x-amz-content-sha256' header does not match what was computed.";
    entity_too_large = 400 "EntityTooLarge" "Your proposed upload exceeds the maximum allowed object size.";
    entity_too_small = 400 "EntityTooSmall" "Your proposed upload is smaller than the minimum allowed object size.";
    invalid_part = 400 "InvalidPart" "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    invalid_part_order = 400 "InvalidPartOrder" "The list of parts was not in ascending order. The parts list must be specified in order by part number.";
    malformed_xml = 400 "MalformedXML" "The XML you provided was not well-formed or did not validate against our published schema.";
    invalid_part_number = 400 "InvalidArgument" "Argument max-parts must be an integer between 0 and 2147483647";
    missing_content_md5 = 400 "MissingContentMD5" "Missing required header for this request: Content-Md5.";
    bad_token = 400 "InvalidArgument" "The continuation token provided is incorrect";
    invalid_version = 400 "InvalidArgument" "Invalid version id specified";
    invalid_request = 400 "InvalidRequest" "Invalid Request";
    invalid_copy = 400 "InvalidRequest" "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    bad_request = 400 "BadRequest" "400 BadRequest";
    authorization_parameters = 400 "AuthorizationParametersError" "Error parsing the Credential/X-Amz-Credential parameter; incorrect service. This endpoint belongs to \"s3\".";
    malformed_credential = 400 "AuthorizationHeaderMalformed" "The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and Signature.";
    missing_fields = 400 "MissingFields" "Missing fields in request.";
    malformed_date = 400 "MalformedDate" "Invalid date format header, expected to be in ISO8601, RFC1123 or RFC1123Z time format.";
    missing_date = 400 "AccessDenied" "AWS authentication requires a valid Date or x-amz-date header";
    metadata_too_large = 400 "MetadataTooLarge" "Your metadata headers exceed the maximum allowed metadata size.";
    method_not_allowed = 405 "MethodNotAllowed" "The specified method is not allowed against this resource.";
    time_too_skewed = 403 "RequestTimeTooSkewed" "The difference between the request time and the server's time is too large.";
    /// The answer of newer servers to credentials that they refuse.
    unauthorized_access = 401 "UnauthorizedAccess" "You are not authorized to access this resource.";
}

impl Failure {
    fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            code,
            message: message.into(),
            shape: Shape::Object,
            headers: Vec::new(),
        }
    }

    /// A server error with its cause, as the tree behind the gateway reports it.
    pub(crate) fn internal(cause: &str) -> Self {
        let mut failure = Self::new(500, "InternalError", "");
        failure.message = format!("We encountered an internal error, please try again.: cause({cause})").into();
        failure
    }

    /// A server error whose cause is one of the tree's own error documents.
    pub(crate) fn tree(id: &str, code: u16, detail: &str) -> Self {
        let status = match code {
            404 => "Not Found",
            409 => "Conflict",
            423 => "Locked",
            _ => "Bad Request",
        };
        let cause = serde_json::json!({"Id": id, "Code": code, "Detail": detail, "Status": status});
        Self::internal(&cause.to_string())
    }

    /// The node of an upload is gone.
    pub(crate) fn node_gone(path: &str) -> Self {
        let detail = format!("Could not retrieve node {path}");
        Self::tree("pydio.grpc.data.index.personal", 404, &detail)
    }

    /// There is a folder in place of a file.
    pub(crate) fn folder_in_the_way() -> Self {
        Self::tree("node.type.conflict", 409, "A folder already exists with the same name")
    }

    /// A job has locked the folder.
    pub(crate) fn parent_locked() -> Self {
        Self::tree("parent.locked", 423, "Node is currently locked")
    }

    /// Another upload makes the same new file.
    pub(crate) fn path_in_use() -> Self {
        Self::tree("pydio.grpc.data.index.personal", 409, "Node path already in use")
    }

    /// The proxy in front has no answer from the gateway.
    pub(crate) fn bad_gateway() -> Self {
        Self { shape: Shape::Proxy, ..Self::new(502, "", "") }
    }

    /// A bearer token in the header that is for AWS signatures.
    pub(crate) fn bearer_refused() -> Self {
        let message = "Authentication failed, check your access credentials";
        Self { shape: Shape::Text, ..Self::new(401, "", message) }
    }

    /// The same refusal from before the path was looked at.
    pub(crate) fn bare(self) -> Self {
        Self { shape: Shape::Bare, ..self }
    }

    /// The same refusal from the first look at the request.
    pub(crate) fn early(self) -> Self {
        Self { shape: Shape::Early, ..self }
    }

    /// The answer to this request.
    pub(crate) fn response(self, exchange: &Exchange) -> Response {
        match self.shape {
            Shape::Proxy => return respond(self.status, "", full("")),
            Shape::Text => {
                let mut response = text(self.status, &self.message);
                response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
                return response;
            }
            Shape::Object | Shape::Bare | Shape::Early => {}
        }
        let silent = exchange.is_head() && self.headers.is_empty() && self.shape == Shape::Object;
        let document = if silent { String::new() } else { self.document(exchange) };
        let length = document.len();
        let mut response = respond(self.status, "", full(document));
        let headers = response.headers_mut();
        exchange.add_headers(headers);
        if self.shape == Shape::Early {
            Exchange::remove_late_headers(headers);
        }
        headers.extend(self.headers);
        headers.insert(CONTENT_LENGTH, length.into());
        if length > 0 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        response
    }

    /// The error document.
    pub(crate) fn document(&self, exchange: &Exchange) -> String {
        let mut xml = Writer::document();
        self.write_into(&mut xml, exchange);
        xml.finish()
    }

    /// The error element alone, for the answer that has begun before it failed.
    pub(crate) fn write_into(&self, xml: &mut Writer, exchange: &Exchange) {
        xml.open("Error");
        xml.text("Code", self.code);
        xml.text("Message", &self.message);
        if self.shape == Shape::Object {
            if !exchange.key.is_empty() {
                xml.text("Key", &exchange.key);
            }
            xml.text("BucketName", &exchange.bucket);
        }
        xml.text("Resource", &exchange.path);
        xml.text("RequestId", if self.shape == Shape::Early { "" } else { &exchange.id });
        xml.text("HostId", super::HOST_ID);
        xml.close("Error");
    }
}
