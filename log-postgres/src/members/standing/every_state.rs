//! Every state of a table that two servers share, as what they make of it leads there: whose two slots are, and who takes itself for their owner.
//!
//! What a server makes of the table, and for how long it believes itself, is decided by the code that servers run. Around it stands as little as can
//! be: rows that are counted up, deleted and put in, as the statements do it, and whatever may be late or lost on the way. A server that does
//! nothing is frozen, cut off or slow. Times are kept as ages, and beats and terms as whether they are the latest, so that there is an end of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chat_core::Slot;

use super::super::lease::{Clocks, Lease};
use super::{Acts, READS_MIN, Row, Standing};
use crate::id::Id;
use crate::slots::Held;

const TICK: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);
/// Now, at every moment: what was is so much earlier.
const NOW: Duration = Duration::from_secs(1_000);
/// No age matters that is above these: to who is silent, to who is given something, and to who takes what has nobody.
const SILENT_MAX: Duration = Duration::from_secs(7);
const STEADY_MAX: Duration = Duration::from_secs(6);
const ORPHAN_MAX: Duration = Duration::from_secs(3);
const SERVERS: usize = 2;
const SLOTS: usize = 2;
/// Within so many ticks each slot is to have an owner, once nothing goes wrong any more: until a server is taken for gone, and until one that is not at
/// home takes what it left, each with a few to spare.
const CALM: usize = 20;
/// More than there are. What grows for ever ends here.
const STATES_MAX: usize = 2_000_000;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A lease counts from the answer to its beat, and not from its sending.
    Sending,
    /// A server is deposed whatever its beat is by now.
    SameBeat,
    /// Who was deposed goes on with the slots that it knows as its own, under its old lease.
    Stripping,
    /// A slot that is taken has the term that it had.
    Raising,
    /// Nobody is ever deposed.
    Deposing,
}

/// What is under way between a server and the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Beat {
    None,
    /// Sent so many ticks ago.
    Sent(u8),
    /// The table has counted it, and the answer is on its way.
    Counted(u8),
    /// There was no row.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    /// A server that was deposed begins anew under another id; of two none comes twice while anybody knows it.
    is_odd: bool,
    standing: Standing,
    /// For how many ticks it has believed itself.
    lease: Option<u8>,
    beat: Beat,
    /// It has begun a beat in this tick.
    has_beaten: bool,
    /// What it knows of the slots.
    known: [Held; SLOTS],
    /// What it found to do, and has not done.
    acts: Acts,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    servers: [Server; SERVERS],
    /// The beats of those who have a row.
    rows: [Option<i64>; SERVERS],
    held: [Held; SLOTS],
}

/// What is wrong with a step.
type Wrong = &'static str;

impl Server {
    fn id(&self, place: usize) -> Id {
        Id::of_bits(place as u128 * 2 + u128::from(self.is_odd))
    }

    /// Whether it answers for a slot.
    fn answers_for(&self, place: usize, slot: usize) -> bool {
        self.known[slot].node == Some(self.id(place)) && self.believes()
    }

    fn believes(&self) -> bool {
        let Some(age) = self.lease else { return false };
        let lease = Lease::new(LEASE);
        let at = |before: Duration| Clocks { running: NOW - before, wall: NOW - before };
        lease.renew(at(TICK * age.into()));
        lease.rest(at(Duration::ZERO)).is_some()
    }
}

impl State {
    /// Both have just come, and nobody has a slot.
    fn first() -> Self {
        let server = || Server {
            is_odd: false,
            standing: Standing { settles: LEASE, ..Standing::new(LEASE) },
            lease: None,
            beat: Beat::None,
            has_beaten: false,
            known: [Held::default(); SLOTS],
            acts: Acts::default(),
        };
        Self { servers: [server(), server()], rows: [Some(1), Some(1)], held: [Held { node: None, term: 1 }; SLOTS] }
    }

    fn table(&self) -> Vec<Row> {
        let row = |place: usize| {
            let beat = self.rows[place]?;
            Some(Row {
                id: self.servers[place].id(place),
                // One is at home in the first slot, and the other in the second.
                address: Some(format!("10.0.0.{place}:7000")),
                beat,
                lease: Some(LEASE),
                is_draining: false,
                reaches: None,
            })
        };
        (0..SERVERS).filter_map(row).collect()
    }

    /// Whose slot it is, of those who answer.
    fn owner(&self, slot: usize) -> Result<Option<usize>, Wrong> {
        let mut answering = (0..SERVERS).filter(|place| self.servers[*place].answers_for(*place, slot));
        match (answering.next(), answering.next()) {
            (_, Some(_)) => Err("two servers answer for one slot"),
            (owner, None) => Ok(owner),
        }
    }

    fn tick(&mut self) {
        for server in &mut self.servers {
            server.has_beaten = false;
            server.lease = server.lease.map(|age| age + 1);
            if let Beat::Sent(age) | Beat::Counted(age) = &mut server.beat {
                *age += 1;
                if TICK * (*age).into() >= LEASE {
                    // Nobody waits for it any longer.
                    server.beat = Beat::None;
                }
            }
            let standing = &mut server.standing;
            standing.orphans.values_mut().for_each(|since| *since -= TICK);
            for seen in standing.seen.values_mut() {
                (seen.since, seen.steady) = (seen.since - TICK, seen.steady - TICK);
            }
        }
    }

    /// Tells a server what the table says.
    fn look(&mut self, place: usize) -> Result<(), Wrong> {
        let (rows, held) = (self.table(), self.held);
        let server = &mut self.servers[place];
        for (known, held) in server.known.iter_mut().zip(held) {
            if known.term > held.term {
                return Err("a server knows a later term than the table");
            }
            *known = held;
        }
        let me = server.id(place);
        server.acts = server.standing.look(NOW, me, &rows, &held, true);
        Ok(())
    }

    fn answered(&mut self, place: usize, age: u8, left: Left) -> Result<(), Wrong> {
        self.look(place)?;
        let server = &mut self.servers[place];
        server.lease = Some(if left == Left::Sending { 0 } else { age });
        server.beat = Beat::None;
        Ok(())
    }

    /// A server hears that it was deposed, and comes in again.
    fn begin_anew(&mut self, place: usize, left: Left) -> Result<(), Wrong> {
        let server = &mut self.servers[place];
        server.beat = Beat::None;
        server.is_odd = !server.is_odd;
        let me = server.id(place);
        if left == Left::Stripping {
            let before = Id::of_bits(me.bits() ^ 1);
            server.known.iter_mut().filter(|known| known.node == Some(before)).for_each(|known| known.node = Some(me));
            self.rows[place] = Some(1);
            return Ok(());
        }
        server.lease = None;
        self.rows[place] = Some(1);
        self.look(place)
    }

    /// Does what it found to do, as the statements do it.
    fn carry_out(&mut self, place: usize, left: Left) -> Result<(), Wrong> {
        let acts = std::mem::take(&mut self.servers[place].acts);
        let me = self.servers[place].id(place);
        for (id, beat) in acts.depose.into_iter().filter(|_| left != Left::Deposing) {
            let there = (0..SERVERS).find(|other| self.rows[*other].is_some() && self.servers[*other].id(*other) == id);
            let Some(there) = there else { continue };
            if self.rows[there] == Some(beat) || left == Left::SameBeat {
                self.rows[there] = None;
                self.held.iter_mut().filter(|held| held.node == Some(id)).for_each(|held| held.node = None);
            }
        }
        let raised = |held: Held| if left == Left::Raising { held.term } else { held.term + 1 };
        let index = |slot: Slot| usize::from(slot.number());
        if self.rows[place].is_some() {
            for slot in
                acts.take.into_iter().map(index).filter(|slot| self.held[*slot].node.is_none()).collect::<Vec<_>>()
            {
                let held = Held { node: Some(me), term: raised(self.held[slot]) };
                self.put(place, slot, held)?;
            }
        }
        for (slot, to) in acts.give {
            let slot = index(slot);
            let is_there = (0..SERVERS).any(|other| self.rows[other].is_some() && self.servers[other].id(other) == to);
            if self.held[slot] == self.servers[place].known[slot] && self.held[slot].node == Some(me) && is_there {
                let held = Held { node: Some(to), term: raised(self.held[slot]) };
                self.put(place, slot, held)?;
            }
        }
        Ok(())
    }

    /// A slot has another server, as one knows who has seen to it.
    fn put(&mut self, place: usize, slot: usize, held: Held) -> Result<(), Wrong> {
        let before = std::mem::replace(&mut self.held[slot], held);
        self.servers[place].known[slot] = held;
        if held.term <= before.term { Err("a slot moves, and its term does not") } else { Ok(()) }
    }

    /// The same, as one of finitely many.
    fn canonical(mut self) -> Self {
        let ids: Vec<Id> = (0..SERVERS).map(|place| self.servers[place].id(place)).collect();
        let rows = self.rows;
        let is_latest = |id: Id, beat: i64| ids.iter().zip(rows).any(|(other, row)| *other == id && row == Some(beat));
        for server in &mut self.servers {
            let clamp = |since: &mut Duration, most: Duration| *since = (*since).max(NOW - most);
            for (id, seen) in &mut server.standing.seen {
                clamp(&mut seen.since, SILENT_MAX);
                clamp(&mut seen.steady, STEADY_MAX);
                seen.reads = seen.reads.min(READS_MIN);
                seen.beat = i64::from(is_latest(*id, seen.beat));
            }
            server.standing.orphans.values_mut().for_each(|since| clamp(since, ORPHAN_MAX));
            server.acts.depose.retain_mut(|(id, beat)| {
                *beat = i64::from(is_latest(*id, *beat));
                ids.contains(id)
            });
            server.lease = server.lease.filter(|_| server.believes());
            for (known, held) in server.known.iter_mut().zip(self.held) {
                known.term = i64::from(known.term == held.term);
            }
        }
        self.held.iter_mut().for_each(|held| held.term = 1);
        self.rows.iter_mut().flatten().for_each(|beat| *beat = 1);
        self
    }

    /// All that may come next.
    fn next(&self, left: Left) -> Vec<(&'static str, Result<Self, Wrong>)> {
        let mut next = Vec::new();
        let mut step = |what, change: &dyn Fn(&mut Self) -> Result<(), Wrong>| {
            let mut state = self.clone();
            let changed = change(&mut state);
            next.push((what, changed.map(|()| state.canonical())));
        };
        step("time passes", &|state| {
            state.tick();
            Ok(())
        });
        for (place, server) in self.servers.iter().enumerate() {
            let names = &NAMES[place];
            match server.beat {
                Beat::None if !server.has_beaten => step(names[0], &|state| {
                    (state.servers[place].beat, state.servers[place].has_beaten) = (Beat::Sent(0), true);
                    Ok(())
                }),
                Beat::None => {}
                Beat::Sent(age) => step(names[1], &|state| {
                    state.servers[place].beat = match &mut state.rows[place] {
                        Some(beat) => {
                            *beat += 1;
                            Beat::Counted(age)
                        }
                        None => Beat::Refused,
                    };
                    Ok(())
                }),
                Beat::Counted(age) => {
                    step(names[2], &|state| state.answered(place, age, left));
                    step(names[3], &|state| {
                        state.servers[place].beat = Beat::None;
                        Ok(())
                    });
                }
                Beat::Refused => step(names[4], &|state| state.begin_anew(place, left)),
            }
            if server.acts != Acts::default() {
                step(names[5], &|state| state.carry_out(place, left));
            }
        }
        next
    }

    /// One tick in which these do what they are to, and nothing goes wrong.
    fn calm_tick(&mut self, running: &[usize], left: Left) -> Result<(), Wrong> {
        self.tick();
        for &place in running {
            let has_row = self.rows[place].is_some();
            match self.rows[place].as_mut() {
                Some(beat) => *beat += 1,
                None => self.begin_anew(place, left)?,
            }
            if has_row {
                self.answered(place, 0, left)?;
            }
            self.carry_out(place, left)?;
        }
        Ok(())
    }

    /// Whether each slot has an owner among these at last, and keeps it.
    fn comes_to_rest(&self, running: &[usize], left: Left) -> Result<(), Wrong> {
        let mut state = self.clone();
        for _ in 0..CALM {
            state.calm_tick(running, left)?;
            state = state.canonical();
        }
        for _ in 0..2 {
            state.calm_tick(running, left)?;
            state = state.canonical();
            for slot in 0..SLOTS {
                if state.owner(slot)?.is_none() {
                    return Err("a slot has nobody, though nothing goes wrong any more");
                }
            }
        }
        Ok(())
    }
}

const NAMES: [[&str; 6]; SERVERS] = [
    ["A sends a beat", "A's beat comes to the table", "A is answered", "A is not answered", "A begins anew", "A acts"],
    ["B sends a beat", "B's beat comes to the table", "B is answered", "B is not answered", "B begins anew", "B acts"],
];

/// Looks at every state that can come about, and at what becomes of every so-many-th of them once all goes well.
fn explore(left: Left, calm_every: usize) -> Result<usize, (Wrong, Vec<&'static str>)> {
    let first = State::first().canonical();
    let mut ways: HashMap<State, usize> = HashMap::from([(first.clone(), 0)]);
    let mut steps = vec![(0, "")];
    let mut waiting = VecDeque::from([(first, 0)]);
    let way = |steps: &[(usize, &'static str)], mut at: usize| {
        let mut way = Vec::new();
        while at > 0 {
            way.push(steps[at].1);
            at = steps[at].0;
        }
        way.reverse();
        way
    };
    while let Some((state, at)) = waiting.pop_front() {
        if let Some(wrong) = (0..SLOTS).find_map(|slot| state.owner(slot).err()) {
            return Err((wrong, way(&steps, at)));
        }
        if at % calm_every == 0 {
            for running in [&[0, 1][..], &[0], &[1]] {
                state.comes_to_rest(running, left).map_err(|wrong| (wrong, way(&steps, at)))?;
            }
        }
        for (what, next) in state.next(left) {
            let next = next.map_err(|wrong| (wrong, way(&steps, at)))?;
            if !ways.contains_key(&next) {
                assert!(ways.len() < STATES_MAX, "there is no end of it");
                steps.push((at, what));
                ways.insert(next.clone(), steps.len() - 1);
                waiting.push_back((next, steps.len() - 1));
            }
        }
    }
    Ok(ways.len())
}

#[test]
fn in_no_state_do_two_answer_and_in_the_end_somebody_does() {
    match explore(Left::Nothing, 97) {
        Ok(states) => println!("{states} states"),
        Err((wrong, way)) => panic!("{wrong}: {way:#?}"),
    }
}

#[test]
fn each_rule_that_is_left_out_is_missed() {
    for left in [Left::Sending, Left::SameBeat, Left::Stripping, Left::Raising, Left::Deposing] {
        let (wrong, way) = explore(left, 97).expect_err("it does harm");
        println!("{left:?}: {wrong}, after {} steps", way.len());
    }
}
