//! What a user can do about a failure: the one place whose texts name commands, options and variables. The rooms below
//! say what is wrong, and nothing of how this program is used.

use super::Kind;
use crate::failure::{Reason, ServerErrorKind};
use crate::http::Detail;

/// How to sign in (again).
pub(crate) const SIGN_IN: &str = "run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN";
/// Why a token that was valid may no longer be, on a server that was upgraded.
pub(crate) const AFTER_UPGRADE: &str =
    "an upgrade of the server to a new major version makes all tokens invalid, personal ones too";
/// What to do about a keyring that does not answer.
pub(super) const UNLOCK: &str = "unlock the keyring (log in to the desktop, or run its own program), then try again";
/// What to do if something else than a Cells server answers.
pub(super) const NOT_CELLS: &str = "check the URL, and what answers in front of the server (proxy, sign-in page)";
/// What to do if the server fails.
pub(super) const SERVER: &str = "the server or a service behind it is in trouble; try again later, or see its log";
/// What to do if the system gives no further open file.
pub(crate) const TOO_MANY_FILES: &str = "use fewer --transfers, or raise the limit of open files (ulimit -n)";
/// How to sign in without a URL that contains a password.
pub(super) const NO_PASSWORD_IN_URL: &str = "use --login and --password";

const UNASKED: &str = "a proxy in front of the server may mix up the answers of several requests; look at its settings";
const PROXY_CREDENTIALS: &str = "--proxy http://USER:PASSWORD@HOST:PORT gives them";
const PROXY_SETTINGS: &str = "check --proxy, HTTPS_PROXY, HTTP_PROXY and NO_PROXY";
const LOCKED: &str = "a job, an upload or another user holds it; try again later";
const TOO_LARGE: &str = "a proxy limits the size of a request: raise its limit (nginx: client_max_body_size), or lower \
                         --part-size and --multipart-threshold; a part cannot be smaller than 10 MiB";

/// The kind of such a failure of the server, and what can be done.
pub(super) fn of_server(kind: ServerErrorKind, reason: Option<Reason>) -> (Kind, Option<&'static str>) {
    use ServerErrorKind as Server;
    match kind {
        Server::Unauthenticated | Server::Auth => (Kind::Auth, Some(SIGN_IN)),
        Server::Forbidden | Server::Quota => (Kind::Permission, None),
        Server::NotFound => (Kind::NotFound, None),
        Server::Conflict => (Kind::Exists, None),
        Server::UploadGone | Server::BadRequest | Server::Range | Server::Body => (Kind::Failure, None),
        Server::NameInUse | Server::Locked => (Kind::Unreachable, Some(LOCKED)),
        Server::TooMany => (Kind::Unreachable, Some("the server asks for fewer requests; try again later")),
        Server::TooLarge => (Kind::Failure, Some(TOO_LARGE)),
        Server::Signature if reason == Some(Reason::Clock) => {
            (Kind::Failure, Some("set this machine's clock, or the server's, to the right time"))
        }
        Server::Signature => (Kind::Failure, Some("a proxy may change the path or the Host header of requests")),
        Server::Server => (Kind::Unreachable, Some(SERVER)),
        Server::Unasked => (Kind::Unreachable, Some(UNASKED)),
        Server::NotCells => (Kind::Unreachable, Some(NOT_CELLS)),
        Server::Transport => (Kind::Unreachable, None),
    }
}

/// What can be done about a request that got no usable answer.
pub(super) fn of_http(detail: &Detail) -> String {
    let text = match detail {
        Detail::MalformedToken => "was more than the token pasted? sign in again",
        Detail::AnswerTooLarge => "is the URL that of a Cells server?",
        Detail::ProxyCredentials => PROXY_CREDENTIALS,
        Detail::ProxySettings => PROXY_SETTINGS,
        Detail::ProxyUrl => "write it as http://HOST:PORT",
        Detail::RedirectToServer(origin) => return format!("if that is your server, use --url {origin}"),
        Detail::RedirectElsewhere => "a sign-in page in front of the server? check the URL",
        Detail::NameUnresolved => "check the URL and the network connection",
        Detail::NoAddress => "check the URL, the network connection and the name servers",
        Detail::ConnectTimeout => "check the URL, the network and the proxy; --connect-timeout allows more time",
        Detail::Silence => "--timeout allows a longer silence",
        Detail::ClosedInHandshake => "is it a TLS port? try --url with http://, or look at the proxy in between",
        Detail::NoConnection => "is the server running, and is the URL right?",
        Detail::MayBeTls(url) => return format!("if it is a TLS port, use --url {url}"),
        Detail::NotHttp => "is it the port of the Cells server? look at what stands in between (proxy, load balancer)",
        Detail::TlsPort(url) => return format!("use --url {url}"),
        Detail::NoTls(url) => return format!("if the server has no TLS, use --url {url}"),
        Detail::UnknownIssuer => "--ca-cert FILE adds the server's certificate authority",
        Detail::CertificateExpired => "renew the server's certificate; if it is valid, check this machine's clock",
        Detail::CertificateNotYetValid => "check this machine's clock",
        Detail::CertificateName => "use the name that the certificate carries in --url",
        Detail::CertificateOfAuthority => {
            "--ca-cert FILE trusts that very certificate; one of the server's own would be better"
        }
        Detail::CertificateSignature => {
            "--ca-cert FILE adds the authority that signed it; if that is done, the certificate is damaged"
        }
        Detail::CertificateUnusable => "an administrator of the server has to give it another certificate",
        Detail::ClientCertificate => "--client-cert FILE and --client-key FILE give a client certificate",
        Detail::EncryptedKey => "store the key without a passphrase, for example with 'openssl pkey'",
    };
    text.to_owned()
}
