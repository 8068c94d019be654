//! What one server makes of what it has seen of the others: who is gone, which slots to take, and which to give. A pure state machine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat_core::Slot;

use super::homes;
use crate::id::Id;
use crate::slots::Held;

/// Reads of the table during which a server has to be seen silent. A database that was away for long makes nobody look gone.
const READS_MIN: u32 = 4;
/// Slots that are given at one look, which is one beat, to a server that has come in.
const GIVEN_MAX: usize = 10;
/// How many leases a server has to be there without a break before it is given any. One that starts again and again is given none.
const SETTLED_LEASES: u32 = 12;

/// A server as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: Id,
    /// Where the others reach it; none of one that has the log to itself.
    pub(crate) address: Option<String>,
    pub(crate) beat: i64,
    /// How long it believes itself; none of one that has the log to itself.
    pub(crate) lease: Option<Duration>,
    /// It is on its way out: it is given nothing, and takes nothing.
    pub(crate) is_draining: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acts {
    /// These are gone, unless their beat is another than this.
    pub(crate) depose: Vec<(Id, i64)>,
    /// These have no server.
    pub(crate) take: Vec<Slot>,
    /// These belong elsewhere.
    pub(crate) give: Vec<(Slot, Id)>,
}

/// What was seen of another server.
#[derive(Debug)]
struct Seen {
    beat: i64,
    /// Since when its beat has been that.
    since: Duration,
    /// How often the table was read meanwhile.
    reads: u32,
    /// Since when it has been there without a break.
    steady: Duration,
}

pub(crate) struct Standing {
    lease: Duration,
    seen: BTreeMap<Id, Seen>,
    /// Slots without a server, and since when.
    orphans: BTreeMap<Slot, Duration>,
}

impl Standing {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { lease, seen: BTreeMap::new(), orphans: BTreeMap::new() }
    }

    /// A read of the table, at a time that only goes on. One between two beats of this server counts for no silence, and nothing is given at it.
    pub(crate) fn look(&mut self, now: Duration, me: Id, rows: &[Row], held: &[Held], is_beat: bool) -> Acts {
        let mut acts = Acts::default();
        let ids: BTreeSet<Id> = rows.iter().map(|row| row.id).collect();
        self.seen.retain(|id, _| ids.contains(id));
        for row in rows.iter().filter(|row| row.id != me) {
            let new = || Seen { beat: row.beat, since: now, reads: 0, steady: now };
            let seen = self.seen.entry(row.id).or_insert_with(new);
            if seen.beat != row.beat {
                (seen.beat, seen.since, seen.reads) = (row.beat, now, 0);
            } else if is_beat && now > seen.since {
                seen.reads += 1;
            }
            let (silent, lease) = (now.saturating_sub(seen.since), row.lease.unwrap_or(self.lease));
            if silent > lease {
                seen.steady = now;
            }
            // Longer than it may believe itself, counted from a moment after its last beat.
            if silent >= lease * 6 / 5 && seen.reads >= READS_MIN {
                acts.depose.push((row.id, row.beat));
            }
        }
        let members =
            || rows.iter().filter(|row| !row.is_draining).filter_map(|row| Some((row.id, row.address.as_deref()?)));
        let am_member = members().any(|(id, _)| id == me);
        let orphans: BTreeSet<Slot> =
            Slot::all().zip(held).filter(|(_, held)| held.node.is_none()).map(|(slot, _)| slot).collect();
        self.orphans.retain(|slot, _| orphans.contains(slot));
        for slot in orphans {
            let since = *self.orphans.entry(slot).or_insert(now);
            let rank = homes::order(slot, members()).iter().position(|id| *id == me);
            let Some(rank) = rank.filter(|_| am_member) else { continue };
            // Its home at once; anybody else after a while, one after the other: a home may beat and do no more.
            let wait = if rank == 0 { Duration::ZERO } else { self.lease / 5 * (rank as u32 + 1) };
            if now.saturating_sub(since) >= wait {
                acts.take.push(slot);
            }
        }
        let has_settled = |id: &Id| {
            let seen = self.seen.get(id);
            seen.is_some_and(|seen| {
                now.saturating_sub(seen.steady) >= self.lease * SETTLED_LEASES
                    && now.saturating_sub(seen.since) < self.lease
            })
        };
        let mine = Slot::all().zip(held).filter(|(_, held)| held.node == Some(me)).map(|(slot, _)| slot);
        let elsewhere = mine.filter_map(|slot| {
            let home = *homes::order(slot, members()).first()?;
            (home != me && has_settled(&home)).then_some((slot, home))
        });
        if am_member && is_beat {
            acts.give = elsewhere.take(GIVEN_MAX).collect();
        }
        acts
    }

    /// To whom a server that goes gives each of its slots: their homes among those that are there, and beat.
    pub(crate) fn heirs(
        &self,
        now: Duration,
        me: Id,
        rows: &[Row],
        mine: impl Iterator<Item = Slot>,
    ) -> Vec<(Slot, Id)> {
        // Within two of its beats: what is given to one that has just been killed would wait until that is seen.
        let beats = |id: &Id| self.seen.get(id).is_some_and(|seen| now.saturating_sub(seen.since) < self.lease * 2 / 5);
        let heirs = || {
            let heirs = rows.iter().filter(|row| row.id != me && !row.is_draining && beats(&row.id));
            heirs.filter_map(|row| Some((row.id, row.address.as_deref()?)))
        };
        mine.filter_map(|slot| Some((slot, *homes::order(slot, heirs()).first()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    /// A table, and one who looks at it each second.
    struct World {
        standing: Standing,
        now: Duration,
        rows: Vec<Row>,
        held: Vec<Held>,
    }

    fn id(number: u128) -> Id {
        Id::of_bits(number)
    }

    impl World {
        fn of(count: u128) -> Self {
            let row = |n| Row {
                id: id(n),
                address: Some(format!("10.0.0.{n}:7000")),
                beat: 0,
                lease: Some(LEASE),
                is_draining: false,
            };
            let held = vec![Held::default(); Slot::COUNT.into()];
            Self { standing: Standing::new(LEASE), now: Duration::ZERO, rows: (0..count).map(row).collect(), held }
        }

        fn look(&mut self) -> Acts {
            self.standing.look(self.now, id(0), &self.rows, &self.held, true)
        }

        /// A second in which these beat.
        fn second(&mut self, beating: &[u128]) -> Acts {
            self.now += Duration::from_secs(1);
            self.rows.iter_mut().filter(|row| beating.contains(&row.id.bits())).for_each(|row| row.beat += 1);
            self.look()
        }

        fn give_all(&mut self, to: u128) {
            self.held.iter_mut().for_each(|held| *held = Held { node: Some(id(to)), term: held.term + 1 });
        }
    }

    #[test]
    fn who_is_silent_for_longer_than_a_lease_is_gone_and_who_beats_is_not() {
        let mut world = World::of(3);
        world.give_all(1);
        assert_eq!(world.look(), Acts::default());
        for _ in 0..5 {
            assert_eq!(world.second(&[0, 1]).depose, []);
        }
        assert_eq!(world.second(&[0, 1]).depose, [(id(2), 0)]);
        world.rows.retain(|row| row.id != id(2));
        for _ in 0..20 {
            assert_eq!(world.second(&[0, 1]).depose, []);
        }
    }

    #[test]
    fn who_believes_itself_for_longer_is_given_longer() {
        let mut world = World::of(2);
        world.rows[1].lease = Some(LEASE * 4);
        world.give_all(1);
        world.look();
        for _ in 0..23 {
            assert_eq!(world.second(&[0]).depose, []);
        }
        assert_eq!(world.second(&[0]).depose, [(id(1), 0)]);
    }

    #[test]
    fn a_look_between_two_beats_counts_for_no_silence() {
        let mut world = World::of(2);
        world.give_all(1);
        world.look();
        for _ in 0..50 {
            world.now += Duration::from_secs(1);
            let acts = world.standing.look(world.now, id(0), &world.rows, &world.held, false);
            assert_eq!(acts.depose, []);
        }
    }

    #[test]
    fn a_database_that_could_not_be_read_makes_nobody_look_gone() {
        let mut world = World::of(2);
        world.give_all(1);
        world.look();
        world.now += Duration::from_secs(600);
        assert_eq!(world.look().depose, [], "one read");
        for _ in 0..2 {
            assert_eq!(world.second(&[]).depose, []);
        }
        assert_eq!(world.second(&[]).depose, [(id(1), 0)], "four, and still nothing");
    }

    #[test]
    fn a_slot_without_a_server_is_taken_by_its_home_at_once_and_by_others_when_that_does_nothing() {
        let mut world = World::of(3);
        let mut taken = BTreeSet::new();
        let mut counts = Vec::new();
        let mut acts = world.look();
        for _ in 0..5 {
            taken.extend(acts.take.iter().copied());
            counts.push(acts.take.len());
            acts = world.second(&[0, 1, 2]);
        }
        assert!((250..450).contains(&counts[0]), "{counts:?}");
        assert!(counts[1] == counts[0] && counts[2] > counts[0] && counts[3] == 1_024, "{counts:?}");
        assert_eq!(taken.len(), 1_024);
    }

    #[test]
    fn a_server_that_has_come_in_is_given_its_share_once_it_has_settled_and_one_that_starts_anew_is_not() {
        let mut world = World::of(2);
        world.give_all(0);
        world.look();
        for second in 1..60 {
            assert_eq!(world.second(&[0, 1]).give, [], "{second}");
        }
        let given = world.second(&[0, 1]).give;
        assert!(given.len() == GIVEN_MAX && given.iter().all(|(_, to)| *to == id(1)));
        // It is silent for longer than a lease.
        for _ in 0..6 {
            world.second(&[0]);
        }
        for _ in 0..59 {
            assert_eq!(world.second(&[0, 1]).give, []);
        }
        assert_eq!(world.second(&[0, 1]).give.len(), GIVEN_MAX);
    }

    #[test]
    fn who_goes_takes_nothing_and_gives_all_it_has_to_those_who_beat() {
        let mut world = World::of(3);
        world.rows[0].is_draining = true;
        world.look();
        let acts = world.second(&[0, 1, 2]);
        assert!(acts.take.is_empty() && acts.give.is_empty());
        for _ in 0..6 {
            world.second(&[0, 1]);
        }
        let heirs = world.standing.heirs(world.now, id(0), &world.rows, Slot::all());
        assert!(heirs.len() == 1_024 && heirs.iter().all(|(_, to)| *to == id(1)), "the other one is silent");
        world.rows[1].is_draining = true;
        assert_eq!(world.standing.heirs(world.now, id(0), &world.rows, Slot::all()), []);
    }

    #[test]
    fn one_that_has_the_log_to_itself_is_no_home() {
        let mut world = World::of(2);
        world.rows[1].address = None;
        assert_eq!(world.look().take.len(), 1_024);
    }
}
