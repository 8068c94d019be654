//! What is kept of rooms' secrets: hashed under a key that only the server has, and that outlives those which sign tokens.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::{RoomCode, RoomSecret, SecretHash};

/// Sets these hashes apart from whatever else is made with the same secret.
const PURPOSE: &[u8] = b"chat room secret\0";

/// Hashes the secrets of rooms. HMAC-SHA-256 (RFC 2104), truncated to 128 bits.
pub(crate) struct RoomSecrets(Hmac<Sha256>);

impl RoomSecrets {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        Self(mac.chain_update(PURPOSE))
    }

    /// What is kept of the secret of a room; the same word of another room is another.
    pub(crate) fn keep(&self, room: &RoomCode, secret: &RoomSecret) -> SecretHash {
        // No code holds a NUL: no two pairs of code and word are hashed alike.
        let mac = self.0.clone().chain_update(room.as_str()).chain_update([0]).chain_update(secret.expose());
        let bytes = mac.finalize().into_bytes();
        SecretHash::from_bits(u128::from_be_bytes(bytes[..16].try_into().expect("SHA-256 has 32 bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_in_one_room_under_one_key_is_kept_as_one_hash() {
        let kept = |key: u8, room: &str, word: &str| {
            let room = RoomCode::parse(room).expect("a code");
            RoomSecrets::new(&[key; 32]).keep(&room, &RoomSecret::parse(word).expect("a secret"))
        };
        let hash = kept(1, "LUNCH", "swordfish");
        assert_eq!(kept(1, "lunch", "swordfish"), hash);
        for other in [kept(2, "LUNCH", "swordfish"), kept(1, "TEA", "swordfish"), kept(1, "LUNCH", "Swordfish")] {
            assert_ne!(other, hash);
        }
    }
}
