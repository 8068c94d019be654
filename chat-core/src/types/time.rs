//! Two clocks that never mix: wall time only stamps, monotonic time drives every deadline.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC; written as RFC 3339 with milliseconds on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub u64);

/// Milliseconds since some fixed moment of this process; never goes back, means nothing after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

/// The present, as both clocks tell it. A wall clock that is stepped expires nobody, and stamps neither stand still nor go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What a message is stamped with.
    pub wall: Wall,
    /// What deadlines are compared with.
    pub mono: Mono,
}

impl Wall {
    /// The latest time that is written with a four-digit year: 9999-12-31T23:59:59.999Z. Later ones are clamped to it.
    pub const MAX: Wall = Wall(253_402_300_799_999);
}

impl Wall {
    /// This much later; saturates.
    pub fn after(self, wait: Duration) -> Wall {
        Wall(self.0.saturating_add(millis(wait)))
    }

    /// How long from `earlier` until then; zero when `earlier` is later.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (*self).min(Self::MAX).0 as i64;
        let time = DateTime::from_timestamp_millis(millis).expect("clamped to four-digit years");
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wall({self})")
    }
}

impl Mono {
    /// This much later; saturates.
    pub fn after(self, wait: Duration) -> Mono {
        Mono(self.0.saturating_add(millis(wait)))
    }

    /// How long from `earlier` until now; zero when `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A time as frames and records count it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_written_as_rfc_3339_with_milliseconds() {
        assert_eq!(Wall(1_795_370_400_123).to_string(), "2026-11-22T18:00:00.123Z");
        assert_eq!(Wall(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Wall(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
