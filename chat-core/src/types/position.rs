//! Where somebody is in a room's log: the incarnation it belongs to, and the number of the last event seen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::Epoch;

/// The number of a told event: 1, 2, 3, ... without holes within an epoch. 0 stands before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seq(pub u64);

/// The number of a record in the log, told or not: 1, 2, 3, ... without holes. Never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

/// "Everything up to and including `seq`, in this incarnation of the room"; written `EPOCH:17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The incarnation of the room the number belongs to.
    pub epoch: Epoch,
    /// The last event seen; 0 for none.
    pub seq: Seq,
}

impl Seq {
    /// The number after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl Offset {
    /// The number after this one.
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a position is EPOCH:SEQ";
        let (epoch, seq) = text.split_once(':').ok_or(SHAPE)?;
        // `u64::from_str` takes a leading plus sign; a position does not.
        if !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SHAPE);
        }
        Ok(Self { epoch: epoch.parse()?, seq: Seq(seq.parse().map_err(|_| SHAPE)?) })
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = compact_str::CompactString::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_as_written() {
        let position = Position { epoch: Epoch(0x0123_4567_89AB_CDEF), seq: Seq(17) };
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn a_position_of_another_shape_is_refused() {
        for text in ["", "17", "0:17", "04HMASW9NF6YF:", "04HMASW9NF6YF:-1", "04HMASW9NF6YF:+1", "04HMASW9NF6YF:1:2"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
