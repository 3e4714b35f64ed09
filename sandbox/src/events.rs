//! `/ws/event`: the websocket that reports to a user at once what becomes of the tasks that the user has started.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::Shared;
use crate::transport::{Request, Response, full, header, respond, text};

/// Where the websocket is.
pub(crate) const PATH: &str = "/ws/event";

/// What RFC 6455 has both sides append to the key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[derive(Deserialize)]
struct Wish {
    #[serde(rename = "@type")]
    kind: String,
    #[serde(default)]
    jwt: String,
}

/// Answers the request that opens the websocket, and serves it from then on. No token is required here, because the
/// first frame contains it.
pub(crate) fn upgrade(shared: &Arc<Shared>, mut request: Request) -> Response {
    let headers = request.headers();
    let key = header(headers, "sec-websocket-key").unwrap_or_default().to_owned();
    let upgrades = header(headers, UPGRADE.as_str()).is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    let version = header(headers, "sec-websocket-version");
    if request.method() != Method::GET || !upgrades || key.is_empty() || version != Some("13") {
        return text(StatusCode::BAD_REQUEST, "Bad Request\n");
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Ok(connection) = upgraded.await {
            serve(&shared, TokioIo::new(connection)).await;
        }
    });
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{KEY_SUFFIX}").as_bytes());
    let mut response = respond(StatusCode::SWITCHING_PROTOCOLS, "", full(""));
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&STANDARD.encode(digest.as_ref())) {
        headers.insert("sec-websocket-accept", accept);
    }
    response
}

async fn serve(shared: &Shared, connection: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut socket = WebSocketStream::from_raw_socket(connection, Role::Server, None).await;
    let mut news = shared.jobs.listen();
    let mut login: Option<String> = None;
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let Ok(wish) = serde_json::from_str::<Wish>(&text) else { continue };
                    match wish.kind.as_str() {
                        // Without a token the connection is closed. With a wrong one, nothing is ever sent.
                        "subscribe" if wish.jwt.is_empty() => return,
                        "subscribe" => login = shared.tokens.check(&wish.jwt).map(|caller| caller.login),
                        _ => {}
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            told = news.recv() => match told {
                Ok(told) if login.as_ref() == Some(&told.job.trigger) => {
                    let frames = [crate::rest::jobs::frame(told), "\"dump\"".to_owned()];
                    for frame in frames.into_iter().flat_map(|frame| shared.hostility.frames(frame)) {
                        if socket.send(frame).await.is_err() {
                            return;
                        }
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
