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

/// How many leases a server may be cut off from the others before it says so, and gives its slots away: a link that broke is up again sooner, and who
/// has died is out of the table.
const APART_LEASES: u32 = 2;

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
    /// Which others it reaches; nothing of one that does not say, and is taken to reach all.
    pub(crate) reaches: Option<Vec<Id>>,
}

impl Row {
    fn reaches(&self, other: &Self) -> bool {
        self.id == other.id || self.reaches.as_ref().is_none_or(|reached| reached.contains(&other.id))
    }
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
    /// Whether this server was ever one of those who reach each other.
    has_met: bool,
    /// Since when it is none of them.
    apart_since: Option<Duration>,
}

impl Standing {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { lease, seen: BTreeMap::new(), orphans: BTreeMap::new(), has_met: false, apart_since: None }
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
        let core = self.core(now, me, rows);
        match core.contains(&me) {
            true => (self.has_met, self.apart_since) = (true, None),
            false => drop(self.apart_since.get_or_insert(now)),
        }
        let members = || {
            let members = rows.iter().filter(|row| core.contains(&row.id));
            members.filter_map(|row| Some((row.id, row.address.as_deref()?)))
        };
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
        } else if is_beat && self.has_met && self.is_apart(now) {
            // Its rooms answer at some servers only: at the others they do at all that are left.
            let mine = Slot::all().zip(held).filter(|(_, held)| held.node == Some(me)).map(|(slot, _)| slot);
            acts.give = self.heirs(now, me, rows, mine);
        }
        acts
    }

    /// Whether this server is cut off from those who reach each other: for so long that it is no matter of a link that is made anew, or since it began.
    pub(crate) fn is_apart(&self, now: Duration) -> bool {
        self.stays_apart(now) || self.apart_since.is_some() && !self.has_met
    }

    /// The same, but that one which has just come is given as long for its first links.
    pub(crate) fn stays_apart(&self, now: Duration) -> bool {
        self.apart_since.is_some_and(|since| now.saturating_sub(since) >= self.lease * APART_LEASES)
    }

    /// Servers that are there, stay, and all reach each other: begun with those who reach most, and of these with who has been there longest. Every
    /// server finds the same, as far as it has read the same table; somebody is always among them.
    fn core(&self, now: Duration, me: Id, rows: &[Row]) -> BTreeSet<Id> {
        let beats = |id: &Id| self.seen.get(id).is_some_and(|seen| now.saturating_sub(seen.since) < self.lease);
        let is_there = |row: &&Row| !row.is_draining && row.address.is_some() && (row.id == me || beats(&row.id));
        let mut there: Vec<&Row> = rows.iter().filter(is_there).collect();
        let reached = |row: &Row| there.iter().filter(|other| row.reaches(other) && other.reaches(row)).count();
        let counts: BTreeMap<Id, usize> = there.iter().map(|row| (row.id, reached(row))).collect();
        // Of as many, in the order of the table.
        there.sort_by_key(|row| std::cmp::Reverse(counts[&row.id]));
        let mut core: Vec<&Row> = Vec::new();
        for row in there {
            if core.iter().all(|other| row.reaches(other) && other.reaches(row)) {
                core.push(row);
            }
        }
        core.into_iter().map(|row| row.id).collect()
    }

    /// To whom a server that goes gives each of its slots: their homes among those that are there, and beat; who can be reached and reaches the others
    /// before who cannot.
    pub(crate) fn heirs(
        &self,
        now: Duration,
        me: Id,
        rows: &[Row],
        mine: impl Iterator<Item = Slot>,
    ) -> Vec<(Slot, Id)> {
        // Within two of its beats: what is given to one that has just been killed would wait until that is seen.
        let beats = |id: &Id| self.seen.get(id).is_some_and(|seen| now.saturating_sub(seen.since) < self.lease * 2 / 5);
        let all: Vec<&Row> = rows.iter().filter(|row| row.id != me && !row.is_draining && beats(&row.id)).collect();
        let core = self.core(now, me, rows);
        let own = rows.iter().find(|row| row.id == me);
        let is_linked = |row: &Row| own.is_none_or(|own| own.reaches(row) && row.reaches(own));
        let of = |is_one: &dyn Fn(&Row) -> bool| all.iter().copied().filter(|row| is_one(row)).collect::<Vec<_>>();
        let best =
            [of(&|row| core.contains(&row.id) && is_linked(row)), of(&|row| core.contains(&row.id)), all.clone()];
        let best = best.into_iter().find(|some| !some.is_empty()).unwrap_or_default();
        let heirs = || best.iter().filter_map(|row| Some((row.id, row.address.as_deref()?)));
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
                reaches: None,
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

    impl World {
        /// From now on these links are all there are.
        fn link(&mut self, pairs: &[(u128, u128)]) {
            for row in &mut self.rows {
                let own = row.id.bits();
                let others = pairs.iter().filter_map(|&(one, other)| match own {
                    _ if own == one => Some(id(other)),
                    _ if own == other => Some(id(one)),
                    _ => None,
                });
                row.reaches = Some(others.collect());
            }
        }

        /// Whether the first of them is apart after so many seconds in which all beat.
        fn is_apart_after(&mut self, seconds: u32) -> bool {
            let all: Vec<u128> = self.rows.iter().map(|row| row.id.bits()).collect();
            (0..seconds).for_each(|_| drop(self.second(&all)));
            self.standing.is_apart(self.now)
        }
    }

    #[test]
    fn who_is_cut_off_from_the_others_is_apart_before_long_and_somebody_never_is() {
        for (count, links, is_apart) in [
            (3, &[(1, 2)][..], true),
            (3, &[(0, 1), (1, 2)], false),
            (3, &[(0, 1)], false),
            (2, &[], false),
            (4, &[(0, 1), (2, 3)], false),
            (4, &[(2, 3)], true),
            (5, &[(1, 2), (3, 4)], true),
        ] {
            let mut world = World::of(count);
            world.give_all(1);
            assert!(!world.is_apart_after(1), "{links:?}: nobody says anything of links");
            world.link(links);
            assert!(!world.is_apart_after(9), "{links:?}: they may be made anew");
            assert_eq!(world.is_apart_after(3), is_apart, "{links:?}");
        }
        // Of two that do not reach each other, who came later.
        let mut world = World::of(3);
        world.link(&[(0, 1), (0, 2), (1, 2)]);
        assert!(!world.is_apart_after(1));
        world.rows.rotate_left(1);
        world.link(&[(0, 2), (1, 2)]);
        assert!(world.is_apart_after(12));
        world.link(&[(0, 1), (0, 2), (1, 2)]);
        assert!(!world.is_apart_after(1), "it is linked again");
    }

    #[test]
    fn one_that_has_just_come_is_apart_and_takes_nothing_until_it_is_linked() {
        let mut world = World::of(3);
        world.rows.rotate_left(1);
        world.link(&[(1, 2)]);
        world.second(&[0, 1, 2]);
        assert!(world.look().take.is_empty() && world.standing.is_apart(world.now));
        assert!(!world.standing.stays_apart(world.now), "its links are being made");
        assert!(world.is_apart_after(8) && !world.standing.stays_apart(world.now));
        assert!(world.is_apart_after(2) && world.standing.stays_apart(world.now), "they had their time");
        world.link(&[(0, 1), (0, 2), (1, 2)]);
        assert!(!world.second(&[0, 1, 2]).take.is_empty() && !world.standing.is_apart(world.now));
    }

    #[test]
    fn slots_are_given_to_who_is_linked_and_all_of_them_by_who_is_apart() {
        let mut world = World::of(3);
        world.give_all(0);
        world.link(&[(0, 1), (0, 2), (1, 2)]);
        world.look();
        for _ in 0..61 {
            world.second(&[0, 1, 2]);
        }
        // The third cannot be reached by the second: it is not one of the service.
        world.link(&[(0, 1), (0, 2)]);
        let given = world.second(&[0, 1, 2]).give;
        assert!(given.len() == GIVEN_MAX && given.iter().all(|(_, to)| *to == id(1)), "{given:?}");
        let heirs = world.standing.heirs(world.now, id(0), &world.rows, Slot::all());
        assert!(heirs.len() == 1_024 && heirs.iter().all(|(_, to)| *to == id(1)));
        world.link(&[(1, 2)]);
        for _ in 0..10 {
            assert_eq!(world.second(&[0, 1, 2]).give, []);
        }
        let given = world.second(&[0, 1, 2]).give;
        assert!(given.len() == 1_024 && given.iter().all(|(_, to)| *to != id(0)), "{}", given.len());
    }

    #[test]
    fn one_that_has_the_log_to_itself_is_no_home() {
        let mut world = World::of(2);
        world.rows[1].address = None;
        assert_eq!(world.look().take.len(), 1_024);
    }
}
