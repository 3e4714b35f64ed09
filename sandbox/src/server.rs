//! The front of the server: accepts connections, applies faults, routes, and completes answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use http::header::{DATE, HOST, HeaderValue, SERVER};
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::faults::{self, Plan};
use crate::request_log::RequestRecord;
use crate::steps::Stage;
use crate::transport::{Answer, Dropped, Request, Response, decode, full, header, respond, web_page};
use crate::{Shared, events, oauth, path_rules, public, rest, s3, tokens, updates};

/// Accepts connections forever.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        // Otherwise a small answer may wait for the acknowledgement of the previous one.
        let _ = stream.set_nodelay(true);
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match tls {
                None => connection(stream, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        let client = Arc::new(());
        request.extensions_mut().insert(Arc::downgrade(&client));
        let hang_up = Arc::new(Notify::new());
        let hung_up = Arc::clone(&hang_up);
        let (method, path) = (request.method(), request.uri().path());
        let outlives = s3::outlives_client(method, path) || oauth::outlives_client(method, path);
        let work = async move { answer(&shared, request, hang_up).await };
        // Started here and not at the first poll: the request of a client that disconnects before that must be carried
        // out too.
        let work = if outlives {
            Either::Left(tokio::spawn(work).map(|done| done.unwrap_or(Err(Dropped))))
        } else {
            Either::Right(work)
        };
        async move {
            let _there = client;
            tokio::select! {
                answer = work => answer,
                () = hung_up.notified() => Err(Dropped),
            }
        }
    });
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!("connection ended: {error}");
    }
}

/// Serves one request; an error drops the connection without an answer.
async fn answer(shared: &Arc<Shared>, request: http::Request<Incoming>, hang_up: Arc<Notify>) -> Answer {
    let (parts, incoming) = request.into_parts();
    let path = decode(parts.uri.path());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let progress = shared.requests.begin(RequestRecord {
        method: parts.method.to_string(),
        path: path.clone(),
        query: query.clone(),
        headers: parts.headers.clone(),
        status: 0,
        body_bytes: 0,
    });
    let plan = shared.faults.strike(parts.method.as_str(), &path, &query);
    let body = incoming.map_err(Into::into).boxed_unsync();
    let (body, was_cut) = faults::alter_request(body, &plan, Arc::clone(&progress), hang_up);
    let method = parts.method.clone();
    let walker = shared.steps.of(&method, &path, &parts.headers);
    let body = match &walker {
        Some(walker) => walker.halved(body),
        None => body,
    };
    let request = Request::from_parts(parts, body);

    if let Some(walker) = &walker {
        walker.stop(Stage::Arrived).await;
    }
    let mut response = perform(shared, request, &plan).await?;
    if let Some(walker) = &walker {
        walker.stop(Stage::Done).await;
    }
    if was_cut.load(Ordering::Relaxed) {
        return Err(Dropped);
    }
    let now = httpdate::fmt_http_date(shared.clock.system_time());
    let headers = response.headers_mut();
    if let Ok(now) = HeaderValue::from_str(&now) {
        headers.insert(DATE, now);
    }
    if !headers.contains_key(SERVER) {
        headers.insert(SERVER, HeaderValue::from_static("Caddy"));
    }
    for name in &plan.drop_headers {
        headers.remove(name);
    }
    for (name, value) in &plan.set_headers {
        headers.insert(name, value.clone());
    }
    let response = shared.hostility.spoil(&method, &path, response).await;
    progress.answered(response.status().as_u16());
    Ok(response.map(|body| faults::alter_response(body, &plan)))
}

/// Carries a request out, unless a fault prevents it.
async fn perform(shared: &Arc<Shared>, request: Request, plan: &Plan) -> Answer {
    if let Some(delay) = plan.delay {
        tokio::time::sleep(delay).await;
    }
    if let Some(gate) = &plan.hold_request {
        gate.pass().await;
    }
    if plan.expire_token
        && let Some(token) = tokens::of_request(request.headers(), request.uri().query())
    {
        shared.tokens.revoke(&token);
    }
    if plan.close_before {
        return Err(Dropped);
    }
    if plan.hang {
        // The rest of the body is read, in order to notice the end of the connection.
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        return std::future::pending().await;
    }
    if let Some(canned) = &plan.canned {
        if plan.cut_request_at.is_some() {
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.frame().await {}
        }
        let mut response = Response::new(full(canned.body.clone()));
        *response.status_mut() = StatusCode::from_u16(canned.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(value) = canned.content_type.parse::<HeaderValue>()
            && !value.is_empty()
        {
            response.headers_mut().insert("content-type", value);
        }
        return Ok(response);
    }
    if let Some(other) = plan.replay.as_ref().and_then(faults::Kept::again) {
        return Ok(other);
    }
    let mut response = route(shared, request).await?;
    if let Some(kept) = &plan.keep {
        response = kept.keep(response).await;
    }
    if let Some(gate) = &plan.hold_answer {
        gate.pass().await;
    }
    if plan.close_after {
        // What a handler does while its answer is being read is part of the request.
        let mut body = response.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        return Err(Dropped);
    }
    Ok(response)
}

/// Finds the part of the server that answers a path.
async fn route(shared: &Arc<Shared>, request: Request) -> Answer {
    if !is_known_host(shared.address, request.headers()) {
        return Ok(respond(StatusCode::OK, "", full("")));
    }
    if let Some(clean) = path_rules::cleaned(request.uri()) {
        return Ok(moved(request.method(), request.uri(), &clean));
    }
    let path = request.uri().path();
    if path.starts_with(updates::PATH) {
        return updates::handle(shared, request).await;
    }
    if path == events::PATH {
        return Ok(events::upgrade(shared, request));
    }
    if path == "/a" || path.starts_with("/a/") {
        return rest::handle(shared, request).await;
    }
    if let Some(rest) = path.strip_prefix("/public/") {
        return Ok(public::page(shared, rest));
    }
    if s3::is_mine(path) || s3::asks_for_buckets(&request) {
        return s3::handle(shared, request).await;
    }
    if path == "/oidc" || path.starts_with("/oidc/") {
        return oauth::handle(shared, request).await;
    }
    Ok(oauth::pages::page(shared, &request).unwrap_or_else(web_page))
}

/// Only requests for the address the server is bound to are answered; others get an empty 200, as
/// from the web server in front of the real one.
fn is_known_host(address: SocketAddr, headers: &http::HeaderMap) -> bool {
    if address.ip().is_unspecified() {
        return true;
    }
    let Some(host) = header(headers, HOST.as_str()) else {
        return false;
    };
    if let Ok(named) = host.parse::<SocketAddr>() {
        return named.ip() == address.ip();
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok_and(|ip| ip == address.ip())
}

fn moved(method: &Method, uri: &Uri, clean: &str) -> Response {
    let mut location = path_rules::encode(clean);
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let page = match *method {
        Method::GET => format!("<a href=\"{location}\">Moved Permanently</a>.\n\n"),
        _ => String::new(),
    };
    let mut response = respond(StatusCode::MOVED_PERMANENTLY, "text/html; charset=utf-8", full(page));
    if let Ok(value) = location.parse() {
        response.headers_mut().insert("location", value);
    }
    response
}
