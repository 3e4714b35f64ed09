//! Hints: what a user can do about a failure. Only this file names commands, options and variables; the errors below
//! describe the failure alone.

use std::path::Path;

use super::{Hint, Kind, clipped};
use crate::shell::command_line;
use cells_client::failure::{Reason, ServerErrorKind};
use cells_client::http::Detail;
use cells_client::transfer::error::MissingFolder;

/// Why a token may have become invalid after an upgrade of the server.
pub(crate) const AFTER_UPGRADE: &str = "after an upgrade of the server to a new major version, get a new token: all \
                                        old ones are invalid, personal ones too";
/// What to do about a keyring that does not answer.
pub(super) const UNLOCK: &str =
    "unlock the keyring (sign in to the desktop, or use the keyring's own program), then try again";
/// What to do if the answer is not from a Cells server.
pub(super) const NOT_CELLS: &str = "check the URL and anything in front of the server (proxy, sign-in page)";
/// What to do if the server fails.
pub(super) const SERVER: &str = "try again later, or check the server's log";
/// What to do if the system opens no more files.
pub(crate) const TOO_MANY_FILES: &str = "lower --transfers, or raise the limit of open files (ulimit -n)";
/// How to sign in if the URL contains a password.
pub(super) const NO_PASSWORD_IN_URL: &str = "use --login and --password";

const UNASKED: &str = "check any proxy in front of the server: it may mix up the answers of several requests";
const PROXY_CREDENTIALS: &str = "give them with --proxy http://USER:PASSWORD@HOST:PORT";
const PROXY_SETTINGS: &str = "check --proxy, HTTPS_PROXY, HTTP_PROXY and NO_PROXY";
const LOCKED: &str = "try again later: a job, an upload or another user has locked it";
const TOO_LARGE: &str = "raise the proxy's limit for a request (nginx: client_max_body_size), or lower --part-size \
                         and --multipart-threshold; a part cannot be smaller than 10 MiB";

/// Returns the kind of a server failure, and a hint.
pub(super) fn of_server(kind: ServerErrorKind, reason: Option<Reason>) -> (Kind, Option<Hint>) {
    use ServerErrorKind as Server;
    let (kind, hint) = match kind {
        Server::Unauthenticated | Server::Auth => return (Kind::Auth, Some(Hint::SignIn)),
        Server::Forbidden | Server::Quota => (Kind::Permission, None),
        Server::NotFound => (Kind::NotFound, None),
        Server::Conflict => (Kind::Exists, None),
        Server::UploadGone | Server::BadRequest | Server::Range | Server::Body => (Kind::Failure, None),
        Server::NameInUse | Server::Locked => (Kind::Unreachable, Some(LOCKED)),
        Server::TooMany => (Kind::Unreachable, Some("wait a moment and try again, with fewer requests at a time")),
        Server::TooLarge => (Kind::Failure, Some(TOO_LARGE)),
        Server::Signature if reason == Some(Reason::Clock) => {
            (Kind::Failure, Some("correct the clock of this machine or of the server"))
        }
        Server::Signature => {
            (Kind::Failure, Some("check any proxy in front of the server: it may change the path or the Host header"))
        }
        Server::Server => (Kind::Unreachable, Some(SERVER)),
        Server::Unasked => (Kind::Unreachable, Some(UNASKED)),
        Server::NotCells => (Kind::Unreachable, Some(NOT_CELLS)),
        Server::Transport => (Kind::Unreachable, None),
    };
    (kind, hint.map(Hint::from))
}

/// Returns the hint for a request without a usable answer.
pub(super) fn of_http(detail: &Detail) -> Hint {
    let other_url = |condition, url: &String| Hint::OtherUrl { condition, url: clipped(url.clone()) };
    let text = match detail {
        Detail::MalformedToken => "sign in again, and paste only the token",
        Detail::AnswerTooLarge => "check that the URL is that of a Cells server",
        Detail::ProxyCredentials => PROXY_CREDENTIALS,
        Detail::ProxySettings => PROXY_SETTINGS,
        Detail::ProxyUrl => "write it as http://HOST:PORT",
        Detail::RedirectToServer(origin) => return other_url("if that is your server", origin),
        Detail::RedirectElsewhere => "check the URL, and whether a sign-in page is in front of the server",
        Detail::NameUnresolved => "check the URL and the network connection",
        Detail::NoAddress => "check the URL, the network connection and the name servers",
        Detail::ConnectTimeout => "check the URL, the network and the proxy, or raise --connect-timeout to wait longer",
        Detail::Silence => "raise --timeout to wait longer",
        Detail::ClosedInHandshake => "use http:// in --url if it is not a TLS port, or check the proxy in between",
        Detail::NoConnection => "check that the server is running and that the URL is correct",
        Detail::MayBeTls(url) => return other_url("if it is a TLS port", url),
        Detail::NotHttp => "check the port in the URL and anything in front of the server (proxy, load balancer)",
        Detail::TlsPort(url) => return other_url("", url),
        Detail::NoTls(url) => return other_url("if the server has no TLS", url),
        Detail::UnknownIssuer => "add the server's certificate authority with --ca-cert FILE",
        Detail::CertificateExpired => "renew the server's certificate; if it is valid, check this machine's clock",
        Detail::CertificateNotYetValid => "check this machine's clock",
        Detail::CertificateName => "use a name from the certificate in --url",
        Detail::CertificateOfAuthority => "install a server certificate, or trust this one with --ca-cert FILE",
        Detail::CertificateSignature => {
            "add the authority that signed it with --ca-cert FILE; if you already did, the certificate is damaged"
        }
        Detail::CertificateUnusable => "ask an administrator to install another certificate on the server",
        Detail::ClientCertificate => "give a client certificate with --client-cert FILE and --client-key FILE",
        Detail::EncryptedKey => "store the key without a passphrase, for example with 'openssl pkey'",
    };
    text.into()
}

/// Returns a hint with the command that creates a folder.
pub(super) fn creation(folder: &MissingFolder) -> Hint {
    let purpose = "create it with";
    let local =
        |start, path: &Path| Hint::from(format!("{purpose}: {}", command_line(start, &[&path.display().to_string()])));
    match folder {
        MissingFolder::Remote(path) => Hint::command(purpose, "cec mkdir", &[path.as_str()]),
        MissingFolder::RemoteWithParents(path) => Hint::command(purpose, "cec mkdir -p", &[path.as_str()]),
        MissingFolder::Local(path) => local("mkdir", path),
        MissingFolder::LocalWithParents(path) => local("mkdir -p", path),
    }
}
