//! The session's secret: its id, signed, so that it cannot be guessed and needs no table to be recognised.
//!
//! The signature is over the identity too. After a restart a token is all that is known of a session: in the hands of somebody else it
//! must not make their identity the session's.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::{Identity, SessionId};

/// Bytes of the signature that are kept: 128 bits, as many as the id has.
const MAC_BYTES: usize = 16;
const TOKEN: &str = "token";
const CURSOR: &str = "cursor";

/// What resumes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Hands in commands, too.
    Token,
    /// Resumes, and nothing else: nor is its bearer told the token.
    Cursor,
}

/// The session of a credential, as it says itself; `None` for what cannot be one.
pub(crate) fn claimed(credential: &str) -> Option<SessionId> {
    let (session, signature) = credential.split_once('.')?;
    signature.parse::<SessionId>().ok().and(session.parse().ok())
}

/// Signs and recognises tokens. HMAC-SHA-256 (RFC 2104), truncated to 128 bits.
pub(crate) struct Signer {
    key: Hmac<Sha256>,
}

impl Signer {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes a key of any length") }
    }

    /// `SESSION.SIGNATURE`: resumes the session and hands in its commands.
    pub(crate) fn token(&self, session: SessionId, identity: Option<&Identity>) -> String {
        self.sign(TOKEN, session, identity)
    }

    /// `SESSION.SIGNATURE`: resumes the session, and nothing else. For places that are less secret than a token's: the id of
    /// every event of a stream.
    pub(crate) fn cursor(&self, session: SessionId, identity: Option<&Identity>) -> String {
        self.sign(CURSOR, session, identity)
    }

    /// The session a token is for; `None` for one that this signer has not made for this identity.
    pub(crate) fn verify_token(&self, token: &str, identity: Option<&Identity>) -> Option<SessionId> {
        self.verify(TOKEN, token, identity)
    }

    /// The session that a token or a cursor resumes, and which of them it is.
    pub(crate) fn verify_resume(&self, shown: &str, identity: Option<&Identity>) -> Option<(SessionId, Credential)> {
        let token = self.verify(TOKEN, shown, identity).map(|session| (session, Credential::Token));
        token.or_else(|| self.verify(CURSOR, shown, identity).map(|session| (session, Credential::Cursor)))
    }

    fn sign(&self, purpose: &str, session: SessionId, identity: Option<&Identity>) -> String {
        let mac = self.mac(purpose, session, identity).finalize().into_bytes();
        let signature = u128::from_be_bytes(mac[..MAC_BYTES].try_into().expect("SHA-256 has 32 bytes"));
        format!("{session}.{}", SessionId::new(signature))
    }

    fn verify(&self, purpose: &str, credential: &str, identity: Option<&Identity>) -> Option<SessionId> {
        let (session, signature) = credential.split_once('.')?;
        let session: SessionId = session.parse().ok()?;
        let signature: SessionId = signature.parse().ok()?;
        // In constant time: the comparison must not tell how much of a guess is right.
        self.mac(purpose, session, identity).verify_truncated_left(&signature.bits().to_be_bytes()).ok()?;
        Some(session)
    }

    fn mac(&self, purpose: &str, session: SessionId, identity: Option<&Identity>) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(purpose.as_bytes());
        mac.update(&session.bits().to_be_bytes());
        // All before it is of one length, and an identity is never empty: no two of them are signed alike.
        mac.update(identity.map_or(&[][..], |identity| identity.as_str().as_bytes()));
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
        let token = signer.token(session, None);
        assert_eq!(signer.verify_token(&token, None), Some(session));
        assert_eq!(Signer::new(&[2; 32]).verify_token(&token, None), None);
        assert_eq!(signer.verify_token(&token.replace('.', ""), None), None);
        assert_eq!(signer.verify_token(&session.to_string(), None), None);
        let other = signer.token(SessionId::new(43), None);
        let spliced = format!("{session}.{}", other.split_once('.').expect("a token has a dot").1);
        assert_eq!(signer.verify_token(&spliced, None), None, "the signature of another session");
        assert_eq!((claimed(&spliced), claimed("x"), claimed("x.y")), (Some(session), None, None));
    }

    #[test]
    fn a_token_is_of_one_identity() {
        let signer = Signer::new(&[1; 32]);
        let (ann, bob) = (Identity::new("ann"), Identity::new("bob"));
        let token = signer.token(SessionId::new(42), ann.as_ref());
        assert_eq!(signer.verify_token(&token, ann.as_ref()), Some(SessionId::new(42)));
        for other in [None, bob.as_ref()] {
            assert_eq!((signer.verify_token(&token, other), signer.verify_resume(&token, other)), (None, None));
        }
    }

    #[test]
    fn a_cursor_resumes_and_does_nothing_else() {
        let signer = Signer::new(&[1; 32]);
        let session = SessionId::new(42);
        let cursor = signer.cursor(session, None);
        assert_eq!(signer.verify_resume(&cursor, None), Some((session, Credential::Cursor)));
        assert_eq!(signer.verify_resume(&signer.token(session, None), None), Some((session, Credential::Token)));
        assert_eq!(signer.verify_token(&cursor, None), None);
    }
}
