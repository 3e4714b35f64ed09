//! TLS configuration: the machine's trust store, private authorities, client certificates.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::{Detail, HttpError, HttpErrorKind, HttpOptions};

/// Creates the configuration. Reads the user's files at once, so that a wrong one is reported at once. The machine's
/// trust store is read with the first certificate, so that plain HTTP does not need it.
pub(super) fn config(options: &HttpOptions) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = match &options.ca_cert {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| request_error(format!("TLS cannot be set up: {error}")))?;
    let verifier: Arc<dyn ServerCertVerifier> = if options.skip_verify {
        Arc::new(AcceptAll { provider })
    } else {
        let trust_file = options.trust_file.clone();
        Arc::new(LazyVerifier { provider, extra, trust_file, inner: OnceLock::new() })
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &options.client_identity {
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => request_error(format!(
                    "the key in '{}' does not belong to the client certificate in '{}'",
                    key.display(),
                    certificate.display()
                )),
                error => request_error(format!("the client certificate cannot be used: {error}")),
            })?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn request_error(message: String) -> HttpError {
    HttpError::new(HttpErrorKind::Request, message)
}

/// Creates the failure for a file that cannot be read. A missing file has its own kind.
fn of_file(error: &std::io::Error, mut failure: HttpError) -> HttpError {
    if error.kind() == std::io::ErrorKind::NotFound {
        failure.kind = HttpErrorKind::NoFile;
    }
    failure
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let shown = file.display();
    let unreadable =
        |error: &dyn std::fmt::Display| request_error(format!("cannot read certificates from '{shown}': {error}"));
    let pem = std::fs::read(file).map_err(|error| of_file(&error, unreadable(&error)))?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| unreadable(&"a PEM section is damaged"))?;
    if found.is_empty() {
        return Err(unreadable(&"it contains no PEM certificate"));
    }
    Ok(found)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, HttpError> {
    let shown = file.display();
    let unreadable =
        |error: &dyn std::fmt::Display| request_error(format!("cannot read a private key from '{shown}': {error}"));
    let pem = std::fs::read(file).map_err(|error| of_file(&error, unreadable(&error)))?;
    let text = String::from_utf8_lossy(&pem);
    if text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(unreadable(&"it is encrypted").detail(Detail::EncryptedKey));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unreadable(&"it contains no PEM key (PKCS#8, PKCS#1 or SEC1)"))
}

/// Whether a certificate was refused only because it is that of an authority.
pub(super) fn is_ca_as_server(error: &rustls::Error) -> bool {
    // The type of this cause belongs to a crate that is not a dependency.
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(cause))
        if format!("{cause:?}").contains("CaUsedAsEndEntity"))
}

/// The platform's verifier, created for the first certificate.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    extra: Vec<CertificateDer<'static>>,
    trust_file: Option<PathBuf>,
    inner: OnceLock<Result<Verifier, rustls::Error>>,
}

impl LazyVerifier {
    fn verifier(&self) -> Result<&Verifier, rustls::Error> {
        self.inner
            .get_or_init(|| Verifier::new_with_extra_roots(self.extra.iter().cloned(), self.provider.clone()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Whether the user's file contains exactly this certificate.
    fn is_named(&self, certificate: &CertificateDer<'_>) -> bool {
        let named = |one: &CertificateDer<'_>| one.as_ref() == certificate.as_ref();
        self.extra.iter().any(named)
            || self.trust_file.as_ref().is_some_and(|file| certificates(file).is_ok_and(|all| all.iter().any(named)))
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = self.verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match result {
            // A self-signed certificate that is also marked as an authority, as `openssl req -x509` creates it. Its
            // validity period was checked before; its signature is by itself, so it proves nothing beyond the bytes.
            Err(error) if is_ca_as_server(&error) && self.is_named(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts any certificate (`--skip-verify`).
#[derive(Debug)]
struct AcceptAll {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
