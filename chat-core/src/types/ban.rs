//! What a ban is known by: its number, the person it is about, and the networks they came from.

use serde::{Deserialize, Serialize};

/// A ban in one incarnation of one room: 1, 2, 3, ... in the order of the bans; none is ever given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct BanId(pub u32);

impl BanId {
    /// The number of the ban that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A person, as a hash with the salt of the room's incarnation: what a room keeps of somebody who has left. 64 bits that nobody
/// outside can compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonHash(pub u64);

/// Where somebody comes from: 64 bits of an HMAC of their address network, under a key of the server. It tells whether two came from the
/// same network, and to whoever has not the key, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkTag(pub u64);

impl NetworkTag {
    /// How many of one person are remembered, and bound by a ban.
    pub const PER_PERSON_MAX: usize = 4;
}
