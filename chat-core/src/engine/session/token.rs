//! The session's secret: its id and how new it is, signed, so that it cannot be guessed and needs no table to be recognised.
//!
//! The signature is over the identity too. After a restart a token is all that is known of a session: in the hands of somebody else it
//! must not make their identity the session's.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use smallvec::SmallVec;

use crate::types::{Credential, Identity, SessionId, Wall};

/// Bytes of the signature that are kept: 128 bits, as many as the id has.
const MAC_BYTES: usize = 16;
/// What a secret signs to be known by; no credential begins like it.
const KEY_ID: &str = "key";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Resumes the session, and hands in commands.
    Token,
    /// Resumes, and nothing else: nor is its bearer told the token. For places that are less secret than a token's: the id of every
    /// event of a stream.
    Cursor,
}

/// The day of a moment, since the Unix epoch; the last that can be written is in the year 2149.
pub(crate) fn day(wall: Wall) -> u16 {
    u16::try_from(wall.0 / DAY.as_millis() as u64).unwrap_or(u16::MAX)
}

/// No day that ever comes.
pub(crate) const NEVER: u16 = u16::MAX;

/// How long until a day begins.
pub(crate) fn until(day: u16, now: Wall) -> Duration {
    Wall(0).after(DAY * u32::from(day)).since(now)
}

/// The session of a credential, as it says itself; `None` for what cannot be one.
pub(crate) fn claimed(credential: &str) -> Option<SessionId> {
    credential.parse().ok().map(|Credential { session, .. }| session)
}

/// How new a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) generation: u32,
    pub(crate) day: u16,
}

/// Signs and recognises tokens. HMAC-SHA-256 (RFC 2104), truncated to 128 bits.
pub(crate) struct Signer {
    /// The first one signs.
    keys: SmallVec<[Key; 2]>,
    /// For how many days after the one on which it was made a credential is good.
    expiry_days: u16,
}

struct Key {
    /// Which secret it is. Of 256: where two have the same, both are tried.
    id: u8,
    mac: Hmac<Sha256>,
}

impl Key {
    fn new(secret: &[u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        let id = mac.clone().chain_update(KEY_ID).finalize().into_bytes()[0];
        Self { id, mac }
    }

    fn over(&self, kind: Kind, shown: &Credential, identity: Option<&Identity>) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(match kind {
            Kind::Token => b"token",
            Kind::Cursor => b"cursor",
        });
        mac.update(&shown.session.bits().to_be_bytes());
        mac.update(&shown.issue().to_be_bytes());
        // All before it is of one length, and an identity is never empty: no two of them are signed alike.
        mac.update(identity.map_or(&[][..], |identity| identity.as_str().as_bytes()));
        mac
    }
}

impl Signer {
    /// Signs with `secret`, and recognises what `old` has signed as well. Good for so long, in whole days, rounded up.
    pub(crate) fn new(secret: &[u8; 32], old: Option<&[u8; 32]>, expiry: Duration) -> Self {
        let days = expiry.as_millis().div_ceil(DAY.as_millis());
        let expiry_days = u16::try_from(days).unwrap_or(u16::MAX).max(1);
        Self { keys: std::iter::once(secret).chain(old).map(Key::new).collect(), expiry_days }
    }

    /// A credential of the session.
    pub(crate) fn sign(&self, kind: Kind, session: SessionId, issue: Issue, identity: Option<&Identity>) -> String {
        let key = &self.keys[0];
        let Issue { generation, day } = issue;
        let mut credential = Credential { session, generation, day, key: key.id, signature: 0 };
        let mac = key.over(kind, &credential, identity).finalize().into_bytes();
        credential.signature = u128::from_be_bytes(mac[..MAC_BYTES].try_into().expect("SHA-256 has 32 bytes"));
        credential.to_string()
    }

    /// What a credential says; `None` for one that these secrets have not made for this identity, or too long ago.
    pub(crate) fn verify(&self, kind: Kind, text: &str, identity: Option<&Identity>, today: u16) -> Option<Credential> {
        text.parse().ok().filter(|shown| self.is_true(kind, shown, identity, today))
    }

    /// Whether these secrets have made it for this identity, and not too long ago.
    pub(crate) fn is_true(&self, kind: Kind, shown: &Credential, identity: Option<&Identity>, today: u16) -> bool {
        let is_signed = |key: &Key| {
            // In constant time: the comparison must not tell how much of a guess is right.
            key.over(kind, shown, identity).verify_truncated_left(&shown.signature.to_be_bytes()).is_ok()
        };
        let is_ours = self.keys.iter().filter(|key| key.id == shown.key).any(is_signed);
        is_ours && self.age(shown.day, today) <= self.expiry_days
    }

    /// Until when a credential that is made on this day is good.
    pub(crate) fn last_use(&self, made: u16) -> Wall {
        let days = u32::from(made) + u32::from(self.expiry_days) + 1;
        Wall(0).after(DAY * days)
    }

    /// What a token or a cursor says, and which of them it is.
    pub(crate) fn verify_resume(
        &self,
        text: &str,
        identity: Option<&Identity>,
        today: u16,
    ) -> Option<(Credential, Kind)> {
        let is = |kind| Some((self.verify(kind, text, identity, today)?, kind));
        is(Kind::Token).or_else(|| is(Kind::Cursor))
    }

    /// From which day on a credential of this day has half of its life behind it.
    pub(crate) fn half_spent_on(&self, made: u16) -> u16 {
        made.saturating_add(self.expiry_days.div_ceil(2))
    }

    /// In days. One from a day to come was made before the clock was set back, and is new.
    fn age(&self, made: u16, today: u16) -> u16 {
        today.saturating_sub(made)
    }
}

#[cfg(test)]
mod tests;
