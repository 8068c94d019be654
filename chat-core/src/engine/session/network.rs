//! Where a connection comes from, as a tag that says nothing to whoever has not the key.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::NetworkTag;

/// Bits of an IPv6 address that are one network to a ban: what a household or a small site is given (RFC 6177).
const V6_BITS: u32 = 56;

/// Makes tags. HMAC-SHA-256 (RFC 2104), truncated to 64 bits, under a key that no rotation of session secrets changes.
pub(crate) struct NetworkKey(Hmac<Sha256>);

impl NetworkKey {
    /// The key that belongs to this secret. It is another one than what the secret signs with.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let of = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        Self(of(&of(secret).chain_update("networks").finalize().into_bytes()))
    }

    /// The tag of an address: of an IPv4 address alone, of an IPv6 network of 56 bits.
    pub(crate) fn tag(&self, address: IpAddr) -> NetworkTag {
        let mac = match address.to_canonical() {
            IpAddr::V4(address) => self.0.clone().chain_update([4]).chain_update(address.octets()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !(u128::MAX >> V6_BITS);
                self.0.clone().chain_update([6]).chain_update(network.to_be_bytes())
            }
        };
        let bytes = mac.finalize().into_bytes();
        NetworkTag(u64::from_be_bytes(bytes[..8].try_into().expect("SHA-256 has 32 bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: u8, address: &str) -> NetworkTag {
        NetworkKey::new(&[key; 32]).tag(address.parse().expect("an address"))
    }

    #[test]
    fn addresses_of_one_network_have_one_tag_and_others_another() {
        let ours = tag(1, "2001:db8:0:1200::1");
        assert_eq!(tag(1, "2001:db8:0:12ff:ffff::2"), ours, "of 56 bits");
        assert_ne!(tag(1, "2001:db8:0:1300::1"), ours);
        assert_ne!(tag(1, "192.0.2.1"), tag(1, "192.0.2.2"), "each IPv4 address is one");
        assert_eq!(tag(1, "::ffff:192.0.2.1"), tag(1, "192.0.2.1"), "mapped or not");
    }

    #[test]
    fn another_key_makes_other_tags() {
        assert_ne!(tag(1, "192.0.2.1"), tag(2, "192.0.2.1"));
    }
}
