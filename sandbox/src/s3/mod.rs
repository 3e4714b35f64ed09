//! The S3 gateway: what the server answers below `/io` and `/data`.

mod archive;
mod auth;
mod bucket;
mod error;
mod exchange;
mod list;
mod locks;
mod multipart;
mod object;
mod part;
mod put;
mod sigv4;
mod state;
mod xml;

use std::sync::Arc;

use http::{Method, StatusCode};

pub(crate) use state::State;
pub use state::{PendingUpload, S3};

use error::Failure;
use exchange::Exchange;

use crate::Shared;
use crate::tokens::Caller;
use crate::transport::{Answer, Body, Dropped, Request, Response};
use crate::tree::{Access, Place};

/// Names this server in error documents.
const HOST_ID: &str = "14950fb2-d923-4c0a-9842-5fdcd3d46dfb";

/// The buckets. Both have the same content.
const BUCKETS: [&str; 2] = ["io", "data"];

/// Whether requests for this path are the gateway's.
pub(crate) fn is_mine(path: &str) -> bool {
    let bucket = path.trim_start_matches('/').split('/').next();
    bucket.is_some_and(|bucket| BUCKETS.contains(&bucket))
}

/// Whether a request asks for the buckets: that of the root with a signature. Without one the root
/// is the web page.
pub(crate) fn asks_for_buckets(request: &Request) -> bool {
    let authorization = crate::transport::header(request.headers(), "authorization");
    request.uri().path() == "/" && authorization.is_some_and(|it| it.starts_with(sigv4::ALGORITHM))
}

/// Whether a request is carried out to its end even if the client disconnects, as on the real server, which stores what
/// has arrived. How far it gets without its client determines what is left behind.
pub(crate) fn outlives_client(method: &Method, path: &str) -> bool {
    matches!(*method, Method::PUT | Method::POST) && is_mine(path)
}

/// Answers a request to the gateway.
pub(crate) async fn handle(shared: &Arc<Shared>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let is_secure = shared.url.starts_with("https:");
    let scheme = if is_secure { "https" } else { "http" };
    let exchange = Arc::new(Exchange::new(parts, shared.clock.system_time(), scheme));
    match answer(shared, &exchange, body).await {
        Ok(response) => Ok(response),
        Err(Stop::Refused(failure)) => Ok(failure.response(&exchange)),
        Err(Stop::Dropped) => Err(Dropped),
    }
}

/// Why a request is not carried out.
#[derive(Debug)]
enum Stop {
    Refused(Failure),
    /// The connection ends without an answer.
    Dropped,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// What the parts of the gateway give.
type Outcome = Result<Response, Stop>;

async fn answer(shared: &Arc<Shared>, exchange: &Arc<Exchange>, body: Body) -> Outcome {
    if exchange.path == "/" {
        auth::identify(shared, exchange)?;
        return Ok(exchange.document(list::buckets(&BUCKETS, shared.clock.now())));
    }
    if !exchange.path.trim_start_matches('/').contains('/') {
        return Ok(exchange.moved_to_bucket());
    }
    let identity = auth::identify(shared, exchange)?;
    if exchange.has_invalid_key() {
        return Err(Failure::internal("invalid UTF-8").into());
    }
    if exchange.key.is_empty() {
        return bucket::answer(shared, exchange, &identity);
    }
    let upload = exchange.parameter("uploadId");
    let caller = &identity.caller;
    match (exchange.method(), upload) {
        (&Method::PUT, Some(_)) if exchange.header(COPY_SOURCE).is_some() => Err(Failure::not_implemented().into()),
        (&Method::PUT, Some(id)) => match part::number(exchange)? {
            Some(number) => part::put(shared, exchange, caller, body, (id, number)).await,
            None => put::put(shared, exchange, caller, body).await,
        },
        (&Method::PUT, None) => match exchange.header(COPY_SOURCE) {
            Some(source) => copy(shared, exchange, caller, source),
            None => put::put(shared, exchange, caller, body).await,
        },
        (&Method::POST, Some(id)) => multipart::complete(shared, exchange, caller, body, id).await,
        (&Method::POST, None) if exchange.parameter("uploads").is_some() => multipart::create(shared, exchange, caller),
        _ if identity.bare_token && (upload.is_some() || exchange.method() == Method::DELETE) => {
            Err(Failure::access_denied().into())
        }
        (&Method::GET, Some(id)) => multipart::list_parts(shared, exchange, caller, id),
        (&Method::DELETE, Some(id)) => multipart::abort(shared, exchange, caller, id),
        (&Method::DELETE, None) => Ok(delete(shared, exchange, caller)),
        (&Method::GET, None) if exchange.parameter("acl").is_some() => Ok(bucket::access_control()),
        (&Method::GET, None) => object::get(shared, exchange, &identity).await,
        (&Method::HEAD, _) => object::head(shared, exchange, caller),
        _ => Err(Failure::method_not_allowed().into()),
    }
}

/// The header that makes a copy of a PUT.
const COPY_SOURCE: &str = "x-amz-copy-source";

/// Where the caller may read, or the refusal.
fn readable(shared: &Shared, caller: &Caller, key: &str) -> Result<Place, Failure> {
    match shared.nodes.resolve(caller, key) {
        Access::Allowed(place) | Access::ReadOnly(place) => Ok(place),
        Access::WriteOnly(_) | Access::NotReadable => Err(Failure::access_denied()),
        Access::FileFolder(_) | Access::UnknownWorkspace(_) => Err(Failure::no_such_key()),
    }
}

/// Where the caller may write, or the refusal.
fn writable(shared: &Shared, caller: &Caller, key: &str) -> Result<Place, Failure> {
    match shared.nodes.resolve(caller, key) {
        Access::Allowed(place) | Access::WriteOnly(place) => Ok(place),
        Access::ReadOnly(_) | Access::NotReadable => Err(Failure::access_denied()),
        Access::FileFolder(_) | Access::UnknownWorkspace(_) => Err(Failure::no_such_key()),
    }
}

/// Removes a file or a folder with its content, bypassing the recycle bin. The answer is always the same: done, denied
/// or never there.
fn delete(shared: &Shared, exchange: &Exchange, caller: &Caller) -> Response {
    if let Ok(place) = writable(shared, caller, &exchange.key)
        && !place.is_root()
    {
        shared.nodes.write(|forest, _| {
            if let Some(id) = crate::tree::find(forest, &place) {
                forest.remove(id);
            }
        });
    }
    exchange.empty(StatusCode::NO_CONTENT)
}

/// Copying within the gateway fails on the storage that was measured, and the target does not change. The same applies
/// to copying an object onto itself, which some clients do to set times.
fn copy(shared: &Shared, exchange: &Exchange, caller: &Caller, source: &str) -> Outcome {
    let source = crate::transport::decode(source);
    let source = source.trim_start_matches('/');
    let (_, source) = source.split_once('/').unwrap_or(("", source));
    let replaces = exchange.header("x-amz-metadata-directive").is_some_and(|it| it.eq_ignore_ascii_case("REPLACE"));
    if source == exchange.key && !replaces {
        return Err(Failure::invalid_copy().into());
    }
    let place = readable(shared, caller, source)?;
    if shared.nodes.read(|forest| crate::tree::find(forest, &place)).is_none() {
        return Err(Failure::no_such_key().into());
    }
    writable(shared, caller, &exchange.key)?;
    let cause = if source == exchange.key { "" } else { "Object name cannot be empty" };
    Err(Failure::internal(cause).into())
}
