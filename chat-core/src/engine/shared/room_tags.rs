//! What a room is called where logs are read: a tag that finds it again, and lets nobody in.

use std::fmt;
use std::hash::Hasher;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher24;

use crate::types::RoomCode;

/// Makes tags: SipHash-2-4 of a room's code, under a key of its own that no rotation of session secrets changes. Without the key a code
/// that people can say would soon be guessed.
pub(crate) struct RoomTags(SipHasher24);

/// A room, in a log. See [`Engine::room_tag`](crate::Engine::room_tag).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomTag(u64);

impl fmt::Display for RoomTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl RoomTags {
    /// The key that belongs to this secret.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        let bytes = mac.chain_update("room tags").finalize().into_bytes();
        Self(SipHasher24::new_with_key(bytes.first_chunk().expect("SHA-256 has 32 bytes")))
    }

    pub(crate) fn tag(&self, room: &RoomCode) -> RoomTag {
        let mut hasher = self.0;
        hasher.write(room.as_str().as_bytes());
        RoomTag(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: u8, code: &str) -> String {
        RoomTags::new(&[key; 32]).tag(&RoomCode::parse(code).expect("a room code")).to_string()
    }

    #[test]
    fn a_room_has_one_tag_under_one_secret_and_another_under_another() {
        assert_eq!(tag(1, "LUNCH"), tag(1, "lunch"));
        assert_ne!(tag(1, "LUNCH"), tag(1, "LUNCI"));
        assert_ne!(tag(1, "LUNCH"), tag(2, "LUNCH"));
        assert_eq!(tag(1, "LUNCH").len(), 16);
    }
}
