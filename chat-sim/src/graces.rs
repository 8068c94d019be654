//! When a member may have left by timeout: no sooner than a grace after it was there, or was turned away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat_core::{Epoch, Event, LeaveReason, MemberId, Offset, Record, RoomCode, Wall};
use tokio::time::Instant;

use crate::promise::{Broken, Promise, hold};

/// What a clock of milliseconds may lose.
const SLACK: Duration = Duration::from_millis(2);

/// Since when members of rooms may have been missing, as seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Graces {
    /// No sooner than this, and a grace, has the member left.
    since: BTreeMap<Member, Instant>,
    /// What members have done, as it was decided: a room may hand in one decision twice.
    decided: BTreeSet<(Member, Offset, Wall)>,
}

type Member = (String, Epoch, MemberId);

impl Graces {
    /// A room has decided this. Who does something is there.
    pub(crate) fn decided(
        &mut self,
        room: &RoomCode,
        epoch: Epoch,
        records: &[Record],
        grace: Duration,
        at: Instant,
    ) -> Result<(), Broken> {
        for record in records {
            let Some(by) = record.by else { continue };
            // Whose reactions somebody else sweeps need not be there.
            if matches!(record.event, Event::Reacted { on: false, keyed: None, .. }) {
                continue;
            }
            let member = (room.as_str().to_owned(), epoch, by);
            if !self.decided.insert((member.clone(), record.offset, record.at)) {
                continue;
            }
            if !matches!(record.event, Event::Left { reason: LeaveReason::Timeout, .. }) {
                self.since.insert(member, at);
            } else {
                let gone = self.since.get(&member).map(|since| at.saturating_duration_since(*since));
                let is_over = gone.is_none_or(|gone| gone + SLACK >= grace);
                hold!(is_over, Promise::Patience, "{room}: {by} is left after {gone:?}, where the grace is {grace:?}");
            }
        }
        Ok(())
    }

    /// Somebody tried to come back, and the room could not say. It has not yet answered anybody since.
    pub(crate) fn turned_away(&mut self, room: &str, epoch: Epoch, member: MemberId, at: Instant) {
        let since = self.since.entry((room.to_owned(), epoch, member)).or_insert(at);
        *since = at.max(*since);
    }
}
