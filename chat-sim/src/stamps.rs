//! Whether stamps go on as time does, and by no clock that is wrong for a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_core::{Epoch, Mono, Offset, Record, RoomCode, SteadyWall, Term, Wall};
use tokio::time::Instant;

use crate::promise::{Broken, Promise, hold};

/// What clocks of milliseconds may lose.
const SLACK: Duration = Duration::from_millis(2);

/// When records were made, as seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// Servers lose rooms, and may have clocks of their own: a room that is read anew goes by another clock than before.
    are_apart: bool,
    lives: BTreeMap<(String, Epoch), Incarnation>,
}

#[derive(Debug, Default)]
struct Incarnation {
    /// What was decided, by number and stamp: a room may hand in one decision twice.
    made: BTreeMap<(Offset, Wall), Made>,
    /// The last record that the log took, and when it was made, if one of the servers did.
    last: Option<(Wall, Option<Made>)>,
}

/// By whom something was decided, and when, by its monotonic clock and in truth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) when: Mono,
    pub(crate) at: Instant,
    pub(crate) server: u64,
    /// And under which term, where there are several servers: with another the room is read anew.
    pub(crate) term: Term,
}

impl Stamps {
    /// Of servers that lose each other, or do not.
    pub(crate) fn new(are_apart: bool) -> Self {
        Self { are_apart, ..Self::default() }
    }

    /// A server has decided this just now, when it is `right` by a clock that is never far off.
    pub(crate) fn decided(
        &mut self,
        room: &RoomCode,
        epoch: Epoch,
        records: &[Record],
        made: Made,
        right: Wall,
    ) -> Result<(), Broken> {
        let life = self.lives.entry((room.as_str().to_owned(), epoch)).or_default();
        for record in records {
            life.made.entry((record.offset, record.at)).or_insert(made);
            let is_believable = record.at.since(right) <= SteadyWall::STEP_MAX;
            hold!(is_believable, Promise::Time, "{room}: {record:?} at {right}, by a clock that is wrong for a moment");
        }
        Ok(())
    }

    /// The log has taken the next record. Of two that one server made the second is as much later as it was made.
    pub(crate) fn logged(&mut self, room: &RoomCode, epoch: Epoch, record: &Record) -> Result<(), Broken> {
        let life = self.lives.entry((room.as_str().to_owned(), epoch)).or_default();
        let made = life.made.get(&(record.offset, record.at)).copied();
        let last = life.last.replace((record.at, made));
        if let (Some((at, Some(before))), Some(made), false) = (last, made, self.are_apart)
            && (before.server, before.term) == (made.server, made.term)
        {
            let passed = made.when.since(before.when);
            let goes_on = record.at.since(at) + SLACK >= passed;
            hold!(goes_on, Promise::Time, "{room}: {record:?} is stamped {passed:?} after a record of {at}");
        }
        Ok(())
    }
}
