//! TLS between servers: version 1.3 alone, both sides with a certificate, and exactly those that the table names.
//!
//! No authority vouches for anybody, and neither names nor dates count. Sessions are not resumed: whoever comes back shows a certificate anew.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig,
    SignatureScheme,
};

use super::identity::Identity;
use super::table::CurrentTable;

/// The name of the links' protocol, by which TLS tells them from HTTP.
pub(super) const LINK: &[u8] = b"chat-link/1";

/// What one server passes on to another.
pub(super) const HTTP: &[u8] = b"http/1.1";

/// How to accept whoever is in the table.
pub(super) fn accepting(identity: &Identity, table: Arc<CurrentTable>) -> Arc<ServerConfig> {
    let provider = provider();
    let verifier = Arc::new(OfTheTable { table, pinned: Pinned(Arc::clone(&provider)) });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring has suites of TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&identity.key) as _);
    config.alpn_protocols = vec![LINK.to_vec(), HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// How to dial the one with this certificate.
pub(super) fn dialling(identity: &Identity, certificate: &[u8], protocol: &[u8]) -> Arc<ClientConfig> {
    let provider = provider();
    let verifier = Arc::new(ThatOne { certificate: certificate.to_vec(), pinned: Pinned(Arc::clone(&provider)) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring has suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::clone(&identity.key) as _);
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Arc::new(config)
}

/// What TLS wants to call the other side. It is neither sent nor compared.
pub(super) fn no_name() -> ServerName<'static> {
    ServerName::try_from("server.invalid").expect("a name")
}

/// Whether a handshake failed because the other side has another certificate than the table says.
pub(super) fn is_of_a_stranger(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)))
}

/// Whether the other side has refused this server's certificate.
pub(super) fn is_refused(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)))
}

/// Where the cryptography comes from; never whatever another crate has made the process's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What is not in the table, for TLS.
fn stranger() -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

/// That whoever shows a certificate has its key.
#[derive(Debug)]
struct Pinned(Arc<CryptoProvider>);

impl Pinned {
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An older TLS is not spoken, and nothing that was signed for it counts.
fn too_old() -> rustls::Error {
    rustls::Error::General("links speak TLS 1.3".to_owned())
}

/// Takes the certificate of anybody in the table.
#[derive(Debug)]
struct OfTheTable {
    table: Arc<CurrentTable>,
    pinned: Pinned,
}

impl ClientCertVerifier for OfTheTable {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.table.load().whose(shown).map(|_| ClientCertVerified::assertion()).ok_or_else(stranger)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.pinned.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.pinned.schemes()
    }
}

/// Takes one certificate.
#[derive(Debug)]
struct ThatOne {
    certificate: Vec<u8>,
    pinned: Pinned,
}

impl ServerCertVerifier for ThatOne {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if **shown == *self.certificate { Ok(ServerCertVerified::assertion()) } else { Err(stranger()) }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.pinned.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.pinned.schemes()
    }
}
