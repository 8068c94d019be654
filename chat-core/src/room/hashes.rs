//! Salted hashes of people and of the keys they choose, and digests of what they send: what a room compares without keeping it.
//!
//! Never here: which of them are remembered.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher13Wide};

use crate::domain::{Content, Digest, Said};
use crate::types::{Key, Nick, PersonHash, ReactionName, Scope, Seq};

/// A person, hashed with the salt of the room's incarnation.
///
/// 64 bits are enough for hashes that nobody outside can compute: with 4,096 of them in a room, the chance that a new
/// one meets another is one in 2^52, and what it costs then is one wrong `key_conflict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ScopeHash(u64);

impl ScopeHash {
    /// Of `scope`, in the incarnation with this salt.
    pub(super) fn new(salt: u64, scope: &Scope) -> Self {
        let mut hasher = SipHasher13::new_with_keys(salt, 0);
        match scope {
            Scope::Identity(identity) => {
                hasher.write_u8(1);
                hasher.write(identity.as_str().as_bytes());
            }
            Scope::Session(session) => {
                hasher.write_u8(2);
                hasher.write(&session.bits().to_le_bytes());
            }
        }
        Self(hasher.finish())
    }

    /// Of the host, in the incarnation with this salt: no person has the same.
    pub(super) fn of_host(salt: u64) -> Self {
        let mut hasher = SipHasher13::new_with_keys(salt, 0);
        hasher.write_u8(3);
        Self(hasher.finish())
    }

    #[cfg(test)]
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<ScopeHash> for PersonHash {
    fn from(hash: ScopeHash) -> Self {
        Self(hash.0)
    }
}

impl From<PersonHash> for ScopeHash {
    fn from(hash: PersonHash) -> Self {
        Self(hash.0)
    }
}

/// A key of one person, hashed with the salt of the room's incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    /// Of `key` as used by `scope`; the same key of somebody else is another one.
    pub(super) fn new(salt: u64, scope: ScopeHash, key: &Key) -> Self {
        Self(SipHasher13::new_with_keys(salt, scope.0).hash(key.as_str().as_bytes()))
    }

    #[cfg(test)]
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// What follows a text in a digest begins with one of these, which are no part of any text.
const DATA: u8 = 0xFF;
/// See [`DATA`].
const REPLY_TO: u8 = 0xFE;
/// See [`DATA`]. What begins with it is an edit.
const EDIT: u8 = 0xFD;

/// The digest of what somebody sends, in the incarnation with this salt: of a text alone what it was before there was more.
pub(super) fn digest(salt: u64, said: &Said) -> Digest {
    let mut hasher = SipHasher13Wide::new_with_keys(salt, 0);
    write_said(&mut hasher, said);
    Digest(hasher.finish128().as_u128())
}

/// The digest of what the host says under one of its names. Under another key of the hash: it is never that of somebody's.
pub(super) fn digest_of_host(salt: u64, name: &Nick, said: &Said) -> Digest {
    let mut hasher = SipHasher13Wide::new_with_keys(salt, 3);
    hasher.write(name.as_str().as_bytes());
    hasher.write_u8(DATA);
    write_said(&mut hasher, said);
    Digest(hasher.finish128().as_u128())
}

/// The digest of an edit of this message: no send has the same.
pub(super) fn digest_of_edit(salt: u64, target: Seq, content: &Content) -> Digest {
    let mut hasher = SipHasher13Wide::new_with_keys(salt, 0);
    hasher.write_u8(EDIT);
    hasher.write(&target.0.to_le_bytes());
    write_content(&mut hasher, content);
    Digest(hasher.finish128().as_u128())
}

/// The digest of a reaction, or of taking one back. Under another key of the hash: it is never that of a text.
pub(super) fn digest_of_reaction(salt: u64, target: Seq, name: &ReactionName, on: bool) -> Digest {
    let mut hasher = SipHasher13Wide::new_with_keys(salt, 2);
    hasher.write_u64(target.0);
    hasher.write_u8(on.into());
    hasher.write(name.as_str().as_bytes());
    Digest(hasher.finish128().as_u128())
}

fn write_said(hasher: &mut SipHasher13Wide, said: &Said) {
    write_content(hasher, &said.content);
    if let Some(seq) = said.reply_to {
        hasher.write_u8(REPLY_TO);
        hasher.write(&seq.0.to_le_bytes());
    }
}

fn write_content(hasher: &mut SipHasher13Wide, content: &Content) {
    hasher.write(content.text.as_str().as_bytes());
    if let Some(data) = &content.data {
        hasher.write_u8(DATA);
        hasher.write(data.as_str().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Body, Data, Identity, SessionId};

    #[test]
    fn hashes_depend_on_life_person_and_key() {
        let ann = Scope::Session(SessionId::new(1));
        let bob = Scope::Identity(Identity::new("bob").expect("a valid identity"));
        let key = Key::parse("c0ffee").expect("a valid key");
        assert_ne!(ScopeHash::new(1, &ann), ScopeHash::new(1, &bob));
        assert_ne!(ScopeHash::new(1, &ann), ScopeHash::new(2, &ann));
        assert_ne!(
            KeyHash::new(1, ScopeHash::new(1, &ann), &key),
            KeyHash::new(1, ScopeHash::new(1, &bob), &key),
            "one key of two people is two keys"
        );
        let said = said("hi", None, None);
        assert_ne!(digest(1, &said), digest(2, &said));
        let name = ReactionName::parse("hi").expect("a valid name");
        let reaction = |target, on| digest_of_reaction(1, Seq(target), &name, on);
        assert_eq!(reaction(3, true), reaction(3, true));
        let (bot, desk) = (Nick::parse("Bot").expect("a valid nick"), Nick::parse("Desk").expect("a valid nick"));
        let of_host = [digest_of_host(1, &bot, &said), digest_of_host(1, &desk, &said)];
        assert!(of_host[0] != of_host[1] && !of_host.contains(&digest(1, &said)));
        assert!(![&ann, &bob].map(|scope| ScopeHash::new(1, scope)).contains(&ScopeHash::of_host(1)));
        let others = [digest(1, &said), digest_of_edit(1, Seq(3), &said.content)];
        assert!(!others.contains(&reaction(3, true)));
        assert!(![reaction(4, true), reaction(3, false)].contains(&reaction(3, true)));
    }

    fn said(text: &str, data: Option<&str>, reply_to: Option<u64>) -> Said {
        let text = if text.is_empty() { Body::empty() } else { Body::parse(text, 10).expect("a valid text") };
        let content = Content::text(text).with_data(data.map(|data| Data::parse(data, 20).expect("valid data")));
        Said::from(content).with_reply_to(reply_to.map(Seq))
    }

    #[test]
    fn a_digest_covers_all_that_is_said_and_a_text_alone_has_the_one_it_always_had() {
        let mut plain = SipHasher13Wide::new_with_keys(7, 0);
        plain.write(b"hi");
        assert_eq!(digest(7, &said("hi", None, None)), Digest(plain.finish128().as_u128()));
        let all = [
            said("hi", None, None),
            said("hi", Some("{}"), None),
            said("hi{}", None, None),
            said("", Some("{}"), None),
            said("hi", None, Some(0)),
            said("hi", None, Some(2)),
            said("hi", Some("{}"), Some(2)),
        ];
        let mut digests: Vec<u128> = all.iter().map(|said| digest(7, said).0).collect();
        digests.extend([2, 3].map(|target| digest_of_edit(7, Seq(target), &all[0].content).0));
        digests.push(digest_of_edit(7, Seq(2), &all[1].content).0);
        let total = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), total);
    }
}
