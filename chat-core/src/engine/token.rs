//! The session's secret: its id, signed, so that it cannot be guessed and needs no table to be recognised.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::words::SessionId;

/// Bytes of the signature that are kept: 128 bits, as many as the id has.
const MAC_BYTES: usize = 16;

/// Signs and recognises tokens. HMAC-SHA-256 (RFC 2104), truncated to 128 bits.
pub(crate) struct Signer {
    key: Hmac<Sha256>,
}

impl Signer {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes a key of any length") }
    }

    /// `SESSION.SIGNATURE`.
    pub(crate) fn token(&self, session: SessionId) -> String {
        let mac = self.mac("token", session).finalize().into_bytes();
        let signature = u128::from_be_bytes(mac[..MAC_BYTES].try_into().expect("SHA-256 has 32 bytes"));
        format!("{session}.{}", SessionId(signature))
    }

    /// The session a token is for; `None` for one that this signer has not made.
    pub(crate) fn verify(&self, token: &str) -> Option<SessionId> {
        let (session, signature) = token.split_once('.')?;
        let session: SessionId = session.parse().ok()?;
        let signature: SessionId = signature.parse().ok()?;
        // In constant time: the comparison must not tell how much of a guess is right.
        self.mac("token", session).verify_truncated_left(&signature.0.to_be_bytes()).ok()?;
        Some(session)
    }

    fn mac(&self, purpose: &str, session: SessionId) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(purpose.as_bytes());
        mac.update(&session.0.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_of_the_same_secret_is_recognised() {
        let signer = Signer::new(&[1; 32]);
        let session = SessionId(42);
        let token = signer.token(session);
        assert_eq!(signer.verify(&token), Some(session));
        assert_eq!(Signer::new(&[2; 32]).verify(&token), None);
        assert_eq!(signer.verify(&token.replace('.', "")), None);
        assert_eq!(signer.verify(&session.to_string()), None);
        let other = signer.token(SessionId(43));
        let spliced = format!("{session}.{}", other.split_once('.').expect("a token has a dot").1);
        assert_eq!(signer.verify(&spliced), None, "the signature of another session");
    }
}
