//! TLS, proxies, headers, redirects, silence.

use std::io::Write;
use std::time::{Duration, Instant};

use cec::error::CliError;
use cells_client::account::ServerUrl;
use cells_client::api::frontend::probe;
use cells_client::failure::{Cause, ServerErrorKind};
use cells_client::http::{Http, HttpError, HttpErrorKind, HttpOptions};
use cells_sandbox::{Config, Fault, Sandbox};

use crate::support::*;

fn file_of(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

async fn probed(url: &str, options: &HttpOptions) -> Result<(), HttpError> {
    let http = Http::new(options)?;
    match probe(&http, &ServerUrl::parse(url).expect("a URL")).await {
        Ok(_) => Ok(()),
        Err(error) => match error.source {
            Some(Cause::Http(error)) => Err(error),
            _ => panic!("an answer: {error}"),
        },
    }
}

/// What a user is advised to do about it.
fn hint(error: &HttpError) -> String {
    CliError::from(error.clone()).hint_text().unwrap_or_default()
}

#[tokio::test]
async fn a_private_authority_must_be_named() {
    let sandbox = sandbox_with(&Config { tls: true, ..Config::default() });
    let refused = probed(sandbox.url(), &options()).await.expect_err("unknown issuer");
    assert_eq!(refused.kind, HttpErrorKind::Tls);
    assert!(hint(&refused).contains("--ca-cert"), "{refused:?}");

    let authority = file_of(sandbox.ca_pem().expect("an authority"));
    let trusting = HttpOptions { ca_cert: Some(authority.path().to_owned()), ..options() };
    probed(sandbox.url(), &trusting).await.expect("trusted");

    let other = sandbox_with(&Config { tls: true, ..Config::default() });
    let wrong = probed(other.url(), &trusting).await.expect_err("another authority");
    assert!(wrong.kind == HttpErrorKind::Tls && hint(&wrong).contains("--ca-cert"), "{wrong:?}");

    probed(sandbox.url(), &HttpOptions { skip_verify: true, ..options() }).await.expect("unchecked");
}

/// A TLS port with a self-signed certificate that calls itself an authority, as `openssl req -x509` makes it, for
/// 127.0.0.1 and in these years. Gives its URL, the certificate and its key.
async fn self_signed_authority(sandbox: &Sandbox, years: std::ops::Range<i32>) -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use tokio_rustls::rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
    let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("names");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.not_before = date_time_ymd(years.start, 1, 1);
    parameters.not_after = date_time_ymd(years.end, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let target = sandbox.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(client).await else { continue };
            let mut server = tokio::net::TcpStream::connect(&target).await.expect("the sandbox");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    (url, certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_named_is_trusted_whatever_it_calls_itself() {
    let sandbox = crate::support::sandbox();
    let (url, certificate, _) = self_signed_authority(&sandbox, 2020..2100).await;
    let file = file_of(&certificate);
    let trusting = HttpOptions { ca_cert: Some(file.path().to_owned()), ..options() };
    let reached = |result: Result<(), HttpError>| result.expect("trusted");
    reached(probed(&url, &trusting).await);
    reached(probed(&url, &HttpOptions { trust_file: Some(file.path().to_owned()), ..options() }).await);
    // Nobody named it, or named another one.
    let refused = |error: HttpError| (error.kind, error.message.clone(), hint(&error));
    let (kind, message, advice) = refused(probed(&url, &options()).await.expect_err("nobody named it"));
    assert_eq!(kind, HttpErrorKind::Tls);
    assert!(advice.contains("--ca-cert"), "{message} {advice}");
    let (_, other, key) = self_signed_authority(&sandbox, 2020..2100).await;
    let (other, key) = (file_of(&other), file_of(&key));
    let elsewhere = HttpOptions { ca_cert: Some(other.path().to_owned()), ..options() };
    assert_eq!(probed(&url, &elsewhere).await.expect_err("another one").kind, HttpErrorKind::Tls);
    // Its name and its time still count.
    let name = url.replace("127.0.0.1", "localhost");
    let (_, message, _) = refused(probed(&name, &trusting).await.expect_err("another name"));
    assert!(message.contains("not valid for the name 'localhost'"), "{message}");
    for (years, words) in [(2000..2010, "has expired"), (2090..2100, "is not valid yet")] {
        let (url, certificate, _) = self_signed_authority(&sandbox, years).await;
        let file = file_of(&certificate);
        let named = HttpOptions { ca_cert: Some(file.path().to_owned()), ..options() };
        let (_, message, _) = refused(probed(&url, &named).await.expect_err("the time"));
        assert!(message.contains(words), "{message}");
    }
    // A key that is another's is told in words.
    let identity = Some((file.path().to_owned(), key.path().to_owned()));
    let error = Http::new(&HttpOptions { client_identity: identity, ..options() }).expect_err("another key");
    assert!(error.message.contains("does not belong to the client certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_said_to_be_one() {
    let sandbox = sandbox_with(&Config { tls: true, ..Config::default() });
    let authority = file_of(sandbox.ca_pem().expect("an authority"));
    let trusting = HttpOptions { ca_cert: Some(authority.path().to_owned()), ..options() };
    let url = sandbox.url().replace("127.0.0.1", "127.0.0.2");
    let listener = tokio::net::TcpListener::bind(url.trim_start_matches("https://")).await.expect("a port");
    let target = sandbox.url().trim_start_matches("https://").to_owned();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut server = tokio::net::TcpStream::connect(target).await.expect("the sandbox");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let error = probed(&url, &trusting).await.expect_err("another name");
    assert!(error.kind == HttpErrorKind::Tls && error.message.contains("not valid for the name"), "{error:?}");
}

#[tokio::test]
async fn plain_http_and_tls_ports_are_not_mixed_up() {
    let tls = sandbox_with(&Config { tls: true, ..Config::default() });
    let error = probed(&tls.url().replace("https", "http"), &options()).await.expect_err("a TLS port");
    assert_eq!(error.kind, HttpErrorKind::Tls, "{error:?}");
    assert!(hint(&error).contains(tls.url()), "{error:?}");

    let plain = sandbox();
    let error = probed(&plain.url().replace("http", "https"), &options()).await.expect_err("a plain port");
    assert_eq!(error.kind, HttpErrorKind::Tls, "{error:?}");
    assert!(hint(&error).contains(plain.url()), "{error:?}");

    let complaint = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let listener = Listener::answering(complaint).await;
    let error = probed(&format!("http://{}", listener.address), &options()).await.expect_err("a complaint");
    assert!(error.kind == HttpErrorKind::Tls && hint(&error).contains("https://"), "{error:?}");

    // Others close the connection without a word.
    let listener = Listener::answering(b"").await;
    let error = probed(&format!("http://{}", listener.address), &options()).await.expect_err("nothing");
    let expected = format!("if it is a TLS port, use --url https://{}", listener.address);
    assert_eq!((error.kind, hint(&error)), (HttpErrorKind::Closed, expected), "{error:?}");
}

#[tokio::test]
async fn files_that_are_no_certificates_are_told_at_once() {
    let nonsense = file_of("nonsense");
    let error = Http::new(&HttpOptions { ca_cert: Some(nonsense.path().to_owned()), ..options() }).expect_err("no PEM");
    assert_eq!(error.kind, HttpErrorKind::Request);
    let missing = HttpOptions { ca_cert: Some("/no/such/file".into()), ..options() };
    assert!(Http::new(&missing).expect_err("no file").message.contains("/no/such/file"));
    let encrypted = file_of("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let sandbox = sandbox_with(&Config { tls: true, ..Config::default() });
    let certificate = file_of(sandbox.ca_pem().expect("a certificate"));
    let identity = Some((certificate.path().to_owned(), encrypted.path().to_owned()));
    let error = Http::new(&HttpOptions { client_identity: identity, ..options() }).expect_err("encrypted");
    assert!(error.message.contains("encrypted") && hint(&error).contains("without a passphrase"), "{error:?}");
}

#[tokio::test]
async fn a_proxy_carries_plain_and_encrypted_requests() {
    for tls in [false, true] {
        let sandbox = sandbox_with(&Config { tls, ..Config::default() });
        let proxy = proxy(None).await;
        let options = HttpOptions { proxy: Some(proxy.address.clone()), skip_verify: true, ..options() };
        let clients = clients_of(sandbox.url(), token(&sandbox.token("admin")), &options);
        clients.api.workspaces().await.expect("workspaces");
        clients.s3.put(&path("common-files/through"), 5, &body(b"hello")).await.expect("put");
        let heard = proxy.heard();
        let verb = if tls { "CONNECT " } else { "POST http://" };
        assert!(heard.first().is_some_and(|head| head.starts_with(verb)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_named() {
    let sandbox = sandbox_with(&Config { tls: true, ..Config::default() });
    let refusing = |answer| async move { proxy(Some(answer)).await.address };
    let through = |address: String| HttpOptions { proxy: Some(address), skip_verify: true, ..options() };
    let wants = refusing("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await;
    let error = probed(sandbox.url(), &through(wants.clone())).await.expect_err("407");
    assert!(error.kind == HttpErrorKind::Proxy && error.message.contains("password"), "{error:?}");
    let plain = crate::support::sandbox();
    let error = probed(plain.url(), &through(wants)).await.expect_err("407");
    assert!(error.kind == HttpErrorKind::Proxy && error.message.contains("password"), "{error:?}");
    let forbids = refusing("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let error = probed(sandbox.url(), &through(forbids)).await.expect_err("403");
    assert_eq!(error.kind, HttpErrorKind::Proxy, "{error:?}");
    let error = probed(sandbox.url(), &through("user:secret@127.0.0.1:1".to_owned())).await.expect_err("nobody there");
    assert_eq!(error.kind, HttpErrorKind::Proxy, "{error:?}");
    assert!(error.message.contains("127.0.0.1:1") && !format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_is_none_is_refused_without_showing_its_password() {
    for text in ["ftp://user:secret@proxy", "http://", "::"] {
        let error = Http::new(&HttpOptions { proxy: Some(text.to_owned()), ..options() }).expect_err(text);
        assert!(error.kind == HttpErrorKind::Request && !error.message.contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn extra_headers_and_credentials_go_to_the_server_alone() {
    let sandbox = sandbox();
    let elsewhere = Listener::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let options = HttpOptions { headers: vec![("X-Gate".to_owned(), "open sesame".to_owned())], ..options() };
    let clients = clients_of(sandbox.url(), token(&sandbox.token("admin")), &options);
    clients.api.workspaces().await.expect("workspaces");
    clients.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect("put");
    let requests = sandbox.requests();
    assert!(requests.iter().all(|request| request.header("x-gate") == "open sesame"), "{requests:?}");
    let agent = requests[0].header("user-agent");
    assert!(agent.starts_with("cells-client/") && agent.contains(std::env::consts::OS), "{agent}");
    assert!(requests[0].header("accept-encoding").contains("gzip"));
    assert_eq!(requests[1].header("accept-encoding"), "identity");

    let location = format!("http://{}/a/tree/stat/common-files", elsewhere.address);
    sandbox.faults().add(Fault::on("*", "/").redirect(&location).always());
    let error = clients.api.stat(&path("common-files")).await.expect_err("a redirect");
    let Some(Cause::Http(cause)) = &error.source else { panic!("{error:?}") };
    assert_eq!(cause.kind, HttpErrorKind::Redirect);
    assert!(cause.message.contains(&elsewhere.address), "{cause:?}");
    assert!(hint(cause).contains(&format!("--url http://{}", elsewhere.address)), "{cause:?}");
    clients.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect_err("a redirect");
    let url = format!("http://{}/", elsewhere.address);
    clients
        .sender
        .http
        .send(clients.sender.http.request(http::Method::GET, url.parse().expect("a URL")))
        .await
        .expect("sent");
    let heard = elsewhere.heard();
    assert_eq!(heard.len(), 1, "nothing was followed: {heard:?}");
    assert!(!heard[0].to_lowercase().contains("x-gate") && !heard[0].contains("Bearer"), "{heard:?}");
}

#[tokio::test]
async fn headers_that_cannot_be_sent_are_refused() {
    for (name, value) in [("Authorization", "x"), ("Host", "x"), ("bad name", "x"), ("X-A", "a\nb")] {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let error = Http::new(&HttpOptions { headers, ..options() }).expect_err(name);
        assert_eq!(error.kind, HttpErrorKind::Request, "{name}");
    }
}

#[tokio::test]
async fn the_probe_tells_what_is_there() {
    let sandbox = sandbox();
    let url = ServerUrl::parse(sandbox.url()).expect("a URL");
    let http = Http::new(&options()).expect("a client");
    probe(&http, &url).await.expect("a Cells server");
    assert_eq!(sandbox.requests()[0].header("authorization"), "");
    for (fault, words) in [
        (Fault::on("GET", "/a/config/discovery").html(), "web page"),
        (Fault::on("GET", "/a/config/discovery").empty_ok(), "not configured"),
        (Fault::on("GET", "/a/config/discovery").body("application/json", "{}"), "not a Cells server"),
        (Fault::on("GET", "/a/config/discovery").status(404).body("text/plain", "nope"), "not a Cells server"),
    ] {
        sandbox.faults().add(fault);
        let error = probe(&http, &url).await.expect_err(words);
        assert!(error.kind == ServerErrorKind::NotCells && error.message.contains(words), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_after_three_seconds_and_a_late_server_is_met() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let started = Instant::now();
    let error = probed(&format!("http://{port}"), &options()).await.expect_err("nobody");
    assert_eq!(error.kind, HttpErrorKind::Connect, "{error:?}");
    assert!(error.message.contains("refused") && !error.transient, "{error:?}");
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(60), "{waited:?}");

    let url = format!("http://{port}");
    let late = tokio::spawn(async move { probed(&url, &options()).await });
    tokio::time::sleep(Duration::from_millis(600)).await;
    let _sandbox = sandbox_with(&Config { bind: Some(port), ..Config::default() });
    late.await.expect("joined").expect("met");
}

#[tokio::test]
async fn an_unknown_name_is_said_to_be_one() {
    let error = probed("http://no-such-host.invalid", &options()).await.expect_err("no such name");
    assert!(matches!(error.kind, HttpErrorKind::Dns), "{error:?}");
    assert!(error.message.contains("no-such-host.invalid") && !error.transient, "{error:?}");
}

#[tokio::test]
async fn silence_ends_by_the_idle_time_out_and_slow_progress_does_not() {
    let sandbox = sandbox();
    let patient = HttpOptions { idle_timeout: Duration::from_millis(400), ..options() };
    let clients = clients_of(sandbox.url(), token(&sandbox.token("admin")), &patient);
    sandbox.faults().add(Fault::on("GET", "/a/tree/stat").hang().always());
    let started = Instant::now();
    let error = clients.api.stat(&path("common-files")).await.expect_err("silence");
    assert_eq!(error.kind, ServerErrorKind::Transport);
    assert!(error.message.contains("stopped responding"), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "a few attempts, not the usual 90 s of patience each");
    let requests = sandbox.requests().iter().filter(|request| request.path.starts_with("/a/tree/stat")).count();
    assert_eq!(requests, 1, "a server that has never answered is not asked again");
    sandbox.faults().clear();

    // Twelve pieces, 100 ms apart: longer than the time-out in all, never silent.
    let slow = || {
        reqwest::Body::wrap_stream(futures_util::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            (n < 12).then(|| (Ok::<_, std::io::Error>("x"), n + 1))
        }))
    };
    clients.s3.put(&path("common-files/slow"), 12, &slow).await.expect("a slow upload");

    let stalled = || reqwest::Body::wrap_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
    let error = clients.s3.put(&path("common-files/stalled"), 12, &stalled).await.expect_err("a stalled upload");
    assert!(!error.in_doubt && error.message.contains("stopped responding"), "{error:?}");
}

/// What [`in_a_child`] runs: nothing, unless it is told whom to reach.
#[tokio::test]
async fn as_a_child() {
    if let Ok(url) = std::env::var("WIRE_CHILD_URL") {
        probed(&url, &options()).await.expect("reached");
    }
}

/// Whether a process with this environment, and no other proxies or certificates, reaches the server.
async fn in_a_child(url: &str, environment: &[(&str, &str)]) -> bool {
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "http::as_a_child"]).env("WIRE_CHILD_URL", url);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.envs(environment.iter().copied());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await;
    status.expect("joined").expect("a child").success()
}

#[tokio::test]
async fn the_environment_can_name_authorities() {
    let sandbox = sandbox_with(&Config { tls: true, ..Config::default() });
    let authority = file_of(sandbox.ca_pem().expect("an authority"));
    assert!(!in_a_child(sandbox.url(), &[]).await);
    let file = authority.path().to_str().expect("a path");
    assert!(in_a_child(sandbox.url(), &[("SSL_CERT_FILE", file)]).await);
    let nothing = file_of("");
    let empty = nothing.path().to_str().expect("a path");
    let plain = crate::support::sandbox();
    assert!(in_a_child(plain.url(), &[("SSL_CERT_FILE", empty)]).await, "plain HTTP needs no authorities");
}

#[tokio::test]
async fn the_environment_can_name_proxies_and_exceptions() {
    let sandbox = sandbox();
    let proxy = proxy(None).await;
    let address = format!("http://{}", proxy.address);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let before = proxy.heard().len();
        assert!(in_a_child(sandbox.url(), &[(name, &address)]).await, "{name}");
        assert_eq!(proxy.heard().len(), before + 1, "{name}");
    }
    let nobody = ("ALL_PROXY", "http://127.0.0.1:1");
    assert!(!in_a_child(sandbox.url(), &[nobody]).await);
    assert!(in_a_child(sandbox.url(), &[nobody, ("NO_PROXY", "localhost,127.0.0.1")]).await);
}

#[tokio::test]
async fn an_answer_to_a_body_that_lies_in_buffers_is_waited_for_longer_the_next_time() {
    let house = Sandbox::start(Config::default()).expect("a sandbox");
    let options = HttpOptions { idle_timeout: Duration::from_millis(400), ..HttpOptions::default() };
    let http = Http::new(&options).expect("an HTTP core");
    // Each answer comes after one and a half idle time-outs.
    house.faults().add(Fault::on("PUT", "/").delay(Duration::from_millis(600)).html().always());
    let put = async |bytes: usize| {
        let url = format!("{}/nowhere", house.url()).parse().expect("a URL");
        http.send(http.request(reqwest::Method::PUT, url).body(vec![0_u8; bytes])).await.map(|answer| answer.status())
    };
    let silent = put(200_000).await.expect_err("a silence");
    assert_eq!(silent.kind, HttpErrorKind::Timeout, "{silent}");
    assert!(put(200_000).await.is_ok(), "the second one has twice the time");
    assert!(put(10).await.is_err(), "a small body lies nowhere");
}

#[tokio::test]
async fn what_is_no_http_may_pass_once_the_server_has_answered() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let answers = ["HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "nonsense\r\n\r\n"];
    let server = tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = [0_u8; 1024];
            let got = stream.read(&mut head).await.expect("a request");
            assert!(got > 0, "a request");
            stream.write_all(answer.as_bytes()).await.expect("written");
        }
    });
    let http = Http::new(&options()).expect("an HTTP core");
    let ask = async || http.send(http.request(reqwest::Method::GET, url.parse().expect("a URL"))).await;
    ask().await.expect("an answer");
    let error = ask().await.expect_err("nonsense");
    assert!(error.transient && !error.message.contains("TLS"), "{error:?}");
    server.await.expect("a server");
}
