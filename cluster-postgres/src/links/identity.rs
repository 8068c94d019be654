//! What a server is known by on its links: a key of its own, drawn at its start, and the certificate of it.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// A key and its certificate, signed by itself. It is believed because the table of servers has it, and for nothing that stands in it.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: Arc<SingleCertAndKey>,
}

/// No key could be drawn, or it could not sign.
#[derive(Debug, thiserror::Error)]
#[error("no key could be drawn: {0}")]
pub struct IdentityError(Box<dyn std::error::Error + Send + Sync>);

impl Identity {
    /// Draws a key, which never leaves this process. The name is for people who look at the certificate, and means nothing.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn draw(name: &str) -> Result<Self, IdentityError> {
        let refused = |error: rcgen::Error| IdentityError(error.into());
        let key = KeyPair::generate().map_err(refused)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).map_err(refused)?.der().clone();
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let pair = CertifiedKey::from_der(vec![certificate.clone()], private, &ring::default_provider())
            .map_err(|error| IdentityError(error.into()))?;
        Ok(Self { certificate, key: Arc::new(SingleCertAndKey::from(pair)) })
    }

    /// The certificate in DER, for the others' tables.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }
}
