//! The session's secret: its id, signed, so that it cannot be guessed and needs no table to be recognised.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::words::SessionId;

/// Bytes of the signature that are kept: 128 bits, as many as the id has.
const MAC_BYTES: usize = 16;
const TOKEN: &str = "token";
const CURSOR: &str = "cursor";

/// Signs and recognises tokens. HMAC-SHA-256 (RFC 2104), truncated to 128 bits.
pub(crate) struct Signer {
    key: Hmac<Sha256>,
}

impl Signer {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes a key of any length") }
    }

    /// `SESSION.SIGNATURE`: resumes the session and hands in its commands.
    pub(crate) fn token(&self, session: SessionId) -> String {
        self.sign(TOKEN, session)
    }

    /// `SESSION.SIGNATURE`: resumes the session, and nothing else. For places that are less secret than a token's: the id of
    /// every event of a stream.
    pub(crate) fn cursor(&self, session: SessionId) -> String {
        self.sign(CURSOR, session)
    }

    /// The session a token is for; `None` for one that this signer has not made.
    pub(crate) fn verify_token(&self, token: &str) -> Option<SessionId> {
        self.verify(TOKEN, token)
    }

    /// The session that a token or a cursor resumes.
    pub(crate) fn verify_resume(&self, credential: &str) -> Option<SessionId> {
        self.verify(TOKEN, credential).or_else(|| self.verify(CURSOR, credential))
    }

    fn sign(&self, purpose: &str, session: SessionId) -> String {
        let mac = self.mac(purpose, session).finalize().into_bytes();
        let signature = u128::from_be_bytes(mac[..MAC_BYTES].try_into().expect("SHA-256 has 32 bytes"));
        format!("{session}.{}", SessionId::new(signature))
    }

    fn verify(&self, purpose: &str, credential: &str) -> Option<SessionId> {
        let (session, signature) = credential.split_once('.')?;
        let session: SessionId = session.parse().ok()?;
        let signature: SessionId = signature.parse().ok()?;
        // In constant time: the comparison must not tell how much of a guess is right.
        self.mac(purpose, session).verify_truncated_left(&signature.bits().to_be_bytes()).ok()?;
        Some(session)
    }

    fn mac(&self, purpose: &str, session: SessionId) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(purpose.as_bytes());
        mac.update(&session.bits().to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_of_the_same_secret_is_recognised() {
        let signer = Signer::new(&[1; 32]);
        let session = SessionId::new(42);
        let token = signer.token(session);
        assert_eq!(signer.verify_token(&token), Some(session));
        assert_eq!(Signer::new(&[2; 32]).verify_token(&token), None);
        assert_eq!(signer.verify_token(&token.replace('.', "")), None);
        assert_eq!(signer.verify_token(&session.to_string()), None);
        let other = signer.token(SessionId::new(43));
        let spliced = format!("{session}.{}", other.split_once('.').expect("a token has a dot").1);
        assert_eq!(signer.verify_token(&spliced), None, "the signature of another session");
    }

    #[test]
    fn a_cursor_resumes_and_does_nothing_else() {
        let signer = Signer::new(&[1; 32]);
        let cursor = signer.cursor(SessionId::new(42));
        assert_eq!(signer.verify_resume(&cursor), Some(SessionId::new(42)));
        assert_eq!(signer.verify_resume(&signer.token(SessionId::new(42))), Some(SessionId::new(42)));
        assert_eq!(signer.verify_token(&cursor), None);
    }
}
