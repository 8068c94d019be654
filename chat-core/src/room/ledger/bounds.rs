//! The limits that the fold of a log keeps: they are stored with it, and a ledger is brought under other ones.

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::room::key_window::WindowBounds;
use crate::room::member_changes::MemberChangeBounds;
use crate::types::RoomLimits;

/// The limits that the fold itself keeps. Part of the ledger, so that a replay forgets what living through it forgot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) marks_max: usize,
    pub(super) former_max: usize,
    pub(super) bans_max: usize,
    #[serde(default = "changes_max_once")]
    pub(super) changes_max: usize,
    #[serde(default = "slowed_max_once", skip_serializing_if = "is_slowed_max_once")]
    pub(super) slowed_max: usize,
    #[serde(default, skip_serializing_if = "MemberChangeBounds::is_default")]
    pub(super) member_changes: MemberChangeBounds,
    #[serde(default = "reactable_max_once", skip_serializing_if = "is_reactable_max_once")]
    pub(super) reactable_max: usize,
    pub(super) keys: WindowBounds,
    #[serde(default = "host_keys_max_once", skip_serializing_if = "is_host_keys_max_once")]
    pub(super) host_keys_max: usize,
}

/// What was the bound before it was written down.
fn changes_max_once() -> usize {
    1_024
}

/// The bound where none is written down.
fn slowed_max_once() -> usize {
    20_000
}

fn is_slowed_max_once(max: &usize) -> bool {
    *max == slowed_max_once()
}

/// The bound where none is written down.
fn reactable_max_once() -> usize {
    512
}

fn is_reactable_max_once(max: &usize) -> bool {
    *max == reactable_max_once()
}

/// The bound where none is written down.
fn host_keys_max_once() -> usize {
    4_096
}

fn is_host_keys_max_once(max: &usize) -> bool {
    *max == host_keys_max_once()
}

impl Bounds {
    /// Those of a room.
    pub(super) fn new(limits: &RoomLimits) -> Self {
        Self {
            marks_max: limits.marks_max,
            former_max: limits.former_max,
            bans_max: limits.bans_max,
            changes_max: limits.changes_max,
            slowed_max: limits.slowed_max,
            member_changes: MemberChangeBounds::new(limits),
            reactable_max: limits.reactable_max,
            keys: WindowBounds { scope_max: limits.keys_per_scope_max, total_max: limits.keys_max },
            host_keys_max: limits.host_keys_max,
        }
    }

    /// Of the host's keys, which are one person's.
    pub(super) fn host_keys(&self) -> WindowBounds {
        WindowBounds { scope_max: self.host_keys_max, total_max: self.host_keys_max }
    }
}

impl Ledger {
    /// How many of those who are gone it remembers, at most.
    pub(in crate::room) fn former_max(&self) -> usize {
        self.bounds.former_max
    }

    /// Whether the messages that take reactions are as many as under these limits.
    #[cfg(feature = "engine")]
    pub(crate) fn is_reactable_as_under(&self, limits: &RoomLimits) -> bool {
        self.bounds.reactable_max == limits.reactable_max
    }

    /// The same under other limits: what no longer fits is forgotten, oldest first.
    pub(in crate::room) fn bounded(mut self, limits: &RoomLimits) -> Self {
        let bounds = Bounds::new(limits);
        if self.bounds != bounds {
            self.bounds = bounds;
            self.marks.bound(bounds.marks_max);
            self.former.bound(bounds.former_max);
            if let Some(put_out) = self.put_out.if_any() {
                put_out.bound(bounds.former_max);
            }
            if let Some(keys) = self.keys.if_any() {
                *keys = keys.bounded(bounds.keys);
            }
            if let Some(keys) = self.host_keys.if_any() {
                *keys = keys.bounded(bounds.host_keys());
            }
            if let Some(changes) = self.changes.if_any() {
                changes.bound(bounds.changes_max);
            }
            self.slow_mode.bound(bounds.slowed_max);
            self.member_changes.bound(bounds.member_changes);
            self.freeze_reactions();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bounds_are_stored_as_far_as_they_are_not_what_they_once_were() {
        let stored = |limits: &RoomLimits| serde_json::to_value(Bounds::new(limits)).expect("they can be stored");
        let read = |json| serde_json::from_value::<Bounds>(json).expect("they are read");
        let default = RoomLimits::default();
        let mut once = stored(&default);
        let fields: Vec<&String> = once.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["bans_max", "changes_max", "former_max", "keys", "marks_max"]);
        once.as_object_mut().expect("an object").remove("changes_max");
        assert_eq!(read(once), Bounds::new(&default), "as programs wrote them that knew no more");
        let (member_changes_max, member_change_interval) = (7, Duration::from_secs(3));
        let member_changes = RoomLimits { member_changes_max, member_change_interval, ..default };
        let slowed = RoomLimits { slowed_max: 7, ..default };
        let host_keys = RoomLimits { host_keys_max: 7, ..default };
        for other in [member_changes, slowed, host_keys, RoomLimits { reactable_max: 7, ..default }] {
            assert_eq!(read(stored(&other)), Bounds::new(&other));
        }
    }
}
