//! Who and what is meant: sessions, members, incarnations of rooms. One type per meaning.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::base32;

/// One device or tab; outlives its connections. An engine's are ULIDs (a time and 80 more bits, 64 of them random), written as
/// 26 base32 characters; not a secret.
// In halves, as the alignment of a u128 would pad whatever holds one: each member, each attachment, each scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    high: u64,
    low: u64,
}

impl SessionId {
    /// The session of this number.
    pub const fn new(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Its number.
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

/// One process among several that serve the same rooms: drawn at its start, and never given again. Written as 26 base32 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u128);

impl NodeId {
    const fn new(bits: u128) -> Self {
        Self(bits)
    }

    const fn bits(self) -> u128 {
        self.0
    }
}

/// The name of one incarnation of a room: 64 bits drawn anew whenever its code is claimed, written as 13 base32 characters.
///
/// A code can be used again after its room is gone. Without the epoch, "I have seen everything up to 17" from the
/// first incarnation would silently skip the first 17 events of the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    const fn new(bits: u64) -> Self {
        Self(bits)
    }

    const fn bits(self) -> u64 {
        self.0
    }
}

/// A person in one incarnation of one room: 1, 2, 3, ... in the order of first joining. Who comes back has theirs again, as long as the room
/// remembers their place; nobody else is ever given it. Who was put out is a new person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct MemberId(pub u32);

impl MemberId {
    /// Stands for the host where the author of a message is told by a number. No member has it.
    pub const HOST: Self = Self(0);
}

/// Which attach of a session: a later connection of it has a higher one.
///
/// What an older generation does late (a detach that arrives after the page has already reconnected) is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

#[cfg(feature = "engine")]
impl Generation {
    /// Later than any connection: a session comes in with it once it is ended, in order to leave.
    pub(crate) const END: Self = Self(u64::MAX);
}

/// The client's own number for a command; comes back in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// A member's colour: an index 0..=15 into whatever palette the client paints with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Color(pub u8);

impl Color {
    /// How many colours there are.
    pub const COUNT: usize = 16;
}

/// Who somebody is, as the embedder's policy established it: 1 to 128 bytes, opaque to the room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct Identity(CompactString);

impl Identity {
    /// The longest identity, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Takes any non-empty text of at most [`Identity::BYTES_MAX`] bytes; `None` otherwise.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= Self::BYTES_MAX).then(|| Self(CompactString::new(text)))
    }

    /// The identity as the policy gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<CompactString> for Identity {
    type Error = &'static str;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("an identity is 1 to 128 bytes")
    }
}

impl From<Identity> for CompactString {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

/// What makes two sessions the same person to a room: the identity where there is one, else the session itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody whom the policy gave this identity.
    Identity(Identity),
    /// This session alone.
    Session(SessionId),
}

macro_rules! base32_id {
    ($name:ident, $int:ty, $width:literal, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = base32::encode::<$width>(self.bits() as u128);
                f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                base32::decode(text, $width, <$int>::MAX as u128).map(|bits| Self::new(bits as $int)).ok_or($what)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = CompactString::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

base32_id!(SessionId, u128, 26, "a session id is 26 base32 characters");
base32_id!(NodeId, u128, 26, "a node id is 26 base32 characters");
base32_id!(Epoch, u64, 13, "an epoch is 13 base32 characters");

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
