//! Client certificates.

use std::io::Write;
use std::sync::Arc;

use cec::error::CliError;
use cells_client::account::ServerUrl;
use cells_client::api::frontend::probe;
use cells_client::failure::Cause;
use cells_client::http::{Http, HttpErrorKind, HttpOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::options;

fn file_of(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

/// A server that wants a certificate of its own authority.
async fn demanding(authority: &rcgen::Certificate, issuer: &Issuer<'_, KeyPair>) -> String {
    let key = KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).expect("names").signed_by(&key, issuer).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).expect("an authority");
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().expect("a verifier");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_client_cert_verifier(verifier);
    serve(builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration")).await
}

/// Answers everyone as a Cells server would.
async fn serve(config: rustls::ServerConfig) -> String {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let body = "{\"Endpoints\":{}}";
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n";
            let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://{address}")
}

#[tokio::test]
async fn a_client_certificate_opens_a_server_that_wants_one() {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("signed");
    let issuer = Issuer::new(params, key);
    let url = ServerUrl::parse(&demanding(&authority, &issuer).await).expect("a URL");
    let trusted = file_of(&authority.pem());
    let options = HttpOptions { ca_cert: Some(trusted.path().to_owned()), ..options() };

    let error = probe(&Http::new(&options).expect("a client"), &url).await.expect_err("no PEM certificate");
    let Some(Cause::Http(error)) = error.source else { panic!("{error:?}") };
    assert_eq!(error.kind, HttpErrorKind::Tls, "{error:?}");
    assert!(CliError::from(error).hints[0].to_string().contains("--client-cert"));

    let own_key = KeyPair::generate().expect("a key");
    let own =
        CertificateParams::new(vec!["alice".to_owned()]).expect("names").signed_by(&own_key, &issuer).expect("signed");
    let (certificate, key) = (file_of(&own.pem()), file_of(&own_key.serialize_pem()));
    let identity = Some((certificate.path().to_owned(), key.path().to_owned()));
    let http = Http::new(&HttpOptions { client_identity: identity, ..options.clone() }).expect("a client");
    probe(&http, &url).await.expect("let in");

    let other_key = file_of(&KeyPair::generate().expect("a key").serialize_pem());
    let identity = Some((certificate.path().to_owned(), other_key.path().to_owned()));
    let error = Http::new(&HttpOptions { client_identity: identity, ..options }).expect_err("another key");
    assert_eq!(error.kind, HttpErrorKind::Request, "{error:?}");
}

#[tokio::test]
async fn the_certificate_of_an_authority_is_one_of_a_server_only_where_it_is_named() {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_no_client_auth();
    let config = builder.with_single_cert(vec![authority.der().clone()], key).expect("a configuration");
    let url = ServerUrl::parse(&serve(config).await).expect("a URL");
    let trusted = file_of(&authority.pem());
    let error = probe(&Http::new(&options()).expect("a client"), &url).await.expect_err("an authority");
    let Some(Cause::Http(error)) = error.source else { panic!("{error:?}") };
    assert_eq!(error.kind, HttpErrorKind::Tls, "{error:?}");
    assert!(error.message.ends_with("the certificate of an authority (CA:TRUE) as its own"), "{error:?}");
    assert!(CliError::from(error).hints[0].to_string().contains("--ca-cert"));
    let named = HttpOptions { ca_cert: Some(trusted.path().to_owned()), ..options() };
    let careless = HttpOptions { skip_verify: true, ..options() };
    for options in [named, careless] {
        probe(&Http::new(&options).expect("a client"), &url).await.expect("an answer");
    }
}
