//! What a server does that all servers of one log are to do alike. A secret is not kept here, nor a text that leads back to it.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::Limits;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret signs to be known by in the table; no token begins like it.
const MARKED: &[u8] = b"chat: the mark of a secret";
/// Bytes of a mark. 16: as many as a token's signature has.
const MARK_BYTES: usize = 16;

/// What a server does that all servers of one service are to do alike: which secret its sessions' tokens are signed with, and within which
/// limits its rooms decide. The default says nothing, and agrees with everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub(crate) secret: Option<String>,
    pub(crate) old_secrets: BTreeSet<String>,
    pub(crate) limits: BTreeMap<String, String>,
}

impl Setup {
    /// Rooms decide within these limits ([`Limits::agreed`]).
    pub fn of(limits: &Limits) -> Self {
        let limits = limits.agreed().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { limits, ..Self::default() }
    }

    /// Tokens are signed with this secret. A server that does not say so signs with the one in the database ([`PgLog::secret`]).
    ///
    /// [`PgLog::secret`]: crate::PgLog::secret
    #[must_use]
    pub fn secret(self, secret: &[u8; 32]) -> Self {
        Self { secret: Some(mark(secret)), ..self }
    }

    /// Tokens that were signed with this one are good, too: as long as the secret is being changed.
    #[must_use]
    pub fn old_secret(mut self, secret: &[u8; 32]) -> Self {
        self.old_secrets.insert(mark(secret));
        self
    }
}

/// What tells one secret from another, and leads back to none: HMAC-SHA-256 of a fixed text under it.
pub(crate) fn mark(secret: &[u8; 32]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    mac.update(MARKED);
    let bytes = mac.finalize().into_bytes();
    bytes[..MARK_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_mark_and_not_by_itself() {
        let (one, two) = ([1; 32], [2; 32]);
        assert_eq!(mark(&one), mark(&one));
        assert_ne!(mark(&one), mark(&two));
        assert_eq!(mark(&one).len(), 2 * MARK_BYTES);
        let setup = format!("{:?}", Setup::default().secret(&two).old_secret(&one));
        assert!(!setup.contains("0202") && !setup.contains("2, 2") && !setup.contains("0101"), "{setup}");
    }
}
