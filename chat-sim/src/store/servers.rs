//! Servers that share the engine of record: each a small sketch of what `log-postgres` and a node do, and what they must not.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::StdRng;

use super::engine::{Answer, Engine, StatementId};
use super::purpose::{Doubt, Purpose};
use super::rows::{Code, Life, NodeId, Said, SlotId, WriterId};
use super::told::{Told, readable};
use super::what::{Append, Bug, Outcome, What};

/// Rooms there are names for; each lies in the slot of its parity.
pub(super) const CODES: u8 = 4;
/// Slots.
pub(super) const SLOTS: u8 = 2;

/// In which slot a room lies.
pub(super) fn slot_of(code: Code) -> SlotId {
    SlotId(code.0 % SLOTS)
}

/// A room as its owner knows it.
#[derive(Clone, Debug)]
struct Room {
    life: Life,
    term: u32,
    last: u32,
    is_closed: bool,
}

/// A writing connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// Nobody has said that it may write.
    New,
    /// Its row is asked for.
    Connecting(WriterId),
    /// It may.
    Ready(WriterId),
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    node: Option<NodeId>,
    is_entering: bool,
    lanes: [Lane; 2],
    owns: BTreeMap<SlotId, u32>,
    rooms: BTreeMap<Code, Room>,
    /// Rooms of which something is under way, or unknown.
    busy: BTreeSet<Code>,
    /// Slots that it is giving up: as good as given, until it is known that they are not.
    giving: BTreeSet<SlotId>,
    doubts: Vec<Doubt>,
    waits: BTreeMap<StatementId, Purpose>,
    bug: Option<Bug>,
}

impl Server {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            node: None,
            is_entering: false,
            lanes: [Lane::New; 2],
            owns: BTreeMap::new(),
            rooms: BTreeMap::new(),
            busy: BTreeSet::new(),
            giving: BTreeSet::new(),
            doubts: Vec::new(),
            waits: BTreeMap::new(),
            bug,
        }
    }

    fn ask(&mut self, engine: &mut Engine, what: What, purpose: Purpose) {
        let id = engine.begin(what);
        self.waits.insert(id, purpose);
    }

    /// It is no node any more: everything it knew is nothing.
    fn step_down(&mut self) {
        *self = Self::new(self.bug);
    }

    /// Does something, if there is something that it may do.
    pub(super) fn act(&mut self, engine: &mut Engine, told: &mut Told, rng: &mut StdRng) {
        let Some(node) = self.node else {
            if !self.is_entering {
                self.is_entering = true;
                let node = NodeId(told.draw());
                self.node = Some(node);
                self.ask(engine, What::Enter(node), Purpose::Enter);
            }
            return;
        };
        if self.is_entering {
            return;
        }
        self.settle(engine, told);
        let lane = rng.random_range(0..2);
        match self.lanes[lane] {
            Lane::New => {
                let writer = WriterId(told.draw());
                self.lanes[lane] = Lane::Connecting(writer);
                return self.ask(engine, What::Connect(writer, node), Purpose::Connect(lane, writer));
            }
            Lane::Connecting(_) => return,
            Lane::Ready(_) => {}
        }
        match rng.random_range(0..20) {
            0 => self.ask(engine, What::Beat(node), Purpose::Beat),
            1 => {
                let others: Vec<_> = engine.rows.nodes.iter().filter(|(other, _)| **other != node).collect();
                if let Some((other, beat)) = others.get(rng.random_range(0..others.len().max(1))) {
                    let what = What::Depose(**other, **beat);
                    self.ask(engine, what, Purpose::Look);
                }
            }
            2 | 3 => {
                let slot = SlotId(rng.random_range(0..SLOTS));
                if engine.rows.slots.get(&slot).is_none_or(|row| row.node.is_none()) {
                    self.ask(engine, What::Take(slot, node), Purpose::Look);
                }
            }
            4 | 5 => {
                let slot = SlotId(rng.random_range(0..SLOTS));
                let is_open = self.busy.iter().any(|code| slot_of(*code) == slot);
                let Lane::Ready(writer) = self.lanes[lane] else { return };
                if let Some(term) = self.owns.get(&slot).copied().filter(|_| !is_open && !self.is_lane_busy(lane)) {
                    self.forget(slot);
                    self.giving.insert(slot);
                    self.ask(engine, What::Give(writer, slot, node, term), Purpose::Give { lane, slot });
                }
            }
            6 | 7 => self.look(engine),
            8 | 9 => self.load(engine, told, rng),
            10..=14 => self.say(engine, told, rng, lane),
            _ => self.keep(engine, rng, lane),
        }
    }

    /// What the table says is so.
    fn look(&mut self, engine: &Engine) {
        let Some(node) = self.node else { return };
        for slot in (0..SLOTS).map(SlotId) {
            let row = engine.rows.slots.get(&slot).copied().unwrap_or_default();
            let owned = (row.node == Some(node) && !self.giving.contains(&slot)).then_some(row.term);
            if self.owns.get(&slot).copied() != owned {
                self.forget(slot);
                self.owns.extend(owned.map(|term| (slot, term)));
            }
        }
    }

    fn forget(&mut self, slot: SlotId) {
        self.owns.remove(&slot);
        if self.bug != Some(Bug::TermOfTable) {
            self.rooms.retain(|code, _| slot_of(*code) != slot);
        }
    }

    /// Reads a room, and sees whether it can be read.
    fn load(&mut self, engine: &Engine, told: &mut Told, rng: &mut StdRng) {
        let code = Code(rng.random_range(0..CODES));
        let Some(term) = self.owns.get(&slot_of(code)).copied().filter(|_| !self.busy.contains(&code)) else { return };
        let Some(tail) = engine.rows.tails.get(&code) else {
            self.rooms.remove(&code);
            return;
        };
        told.broken = told.broken.take().or(readable(&engine.rows, tail).err());
        self.rooms.insert(code, Room { life: tail.life, term, last: tail.last, is_closed: tail.is_closed });
    }

    /// Says something in some of its rooms, or claims one.
    fn say(&mut self, engine: &mut Engine, told: &mut Told, rng: &mut StdRng, lane: usize) {
        let Lane::Ready(writer) = self.lanes[lane] else { return };
        if self.is_lane_busy(lane) {
            return;
        }
        let code = Code(rng.random_range(0..CODES));
        if !self.busy.contains(&code)
            && let Some(term) = self.owns.get(&slot_of(code)).copied()
            && !self.rooms.contains_key(&code)
        {
            let said = self.words(told, rng);
            let claim =
                Append { code, slot: slot_of(code), life: Life(told.draw()), term, after: 0, said, closes: false };
            self.busy.insert(code);
            let purpose = Purpose::Rooms { lane, appends: vec![claim.clone()], is_claim: true };
            return self.ask(engine, What::Claim(writer, claim), purpose);
        }
        let mut appends = Vec::new();
        for (code, Room { life, term, last, is_closed }) in self.rooms.clone() {
            if is_closed || self.busy.contains(&code) || rng.random_bool(0.4) {
                continue;
            }
            let (said, closes) = (self.words(told, rng), rng.random_bool(0.15));
            appends.push(Append { code, slot: slot_of(code), life, term, after: last, said, closes });
        }
        if !appends.is_empty() {
            self.busy.extend(appends.iter().map(|append| append.code));
            let purpose = Purpose::Rooms { lane, appends: appends.clone(), is_claim: false };
            self.ask(engine, What::Append(writer, appends), purpose);
        }
    }

    /// Something to say: what is known not to have been said, or something new.
    fn words(&mut self, told: &mut Told, rng: &mut StdRng) -> Vec<Said> {
        let one = |_| {
            let said = told.again.pop().unwrap_or_else(|| Said(told.draw()));
            told.absent.retain(|(_, _, absent)| *absent != said);
            said
        };
        (0..rng.random_range(1..3)).map(one).collect()
    }

    fn is_lane_busy(&self, lane: usize) -> bool {
        self.waits.values().any(|purpose| match purpose {
            Purpose::Rooms { lane: other, .. } | Purpose::Give { lane: other, .. } => *other == lane,
            Purpose::Upkeep { lane: other } => *other == lane,
            _ => false,
        })
    }

    /// A snapshot, upkeep, or the end of a room.
    fn keep(&mut self, engine: &mut Engine, rng: &mut StdRng, lane: usize) {
        let Lane::Ready(writer) = self.lanes[lane] else { return };
        if self.is_lane_busy(lane) {
            return;
        }
        let rooms: Vec<(Code, Room)> = self.rooms.iter().map(|(code, room)| (*code, room.clone())).collect();
        let Some((code, room)) = rooms.get(rng.random_range(0..rooms.len().max(1))).cloned() else { return };
        let what = match rng.random_range(0..8) {
            0..=2 => What::Snapshot(writer, code, room.life, room.last),
            3..=5 if self.bug == Some(Bug::TrimTogether) => {
                What::Trim(writer, rooms.iter().map(|(code, _)| *code).collect())
            }
            3..=5 => What::Trim(writer, vec![code]),
            6 if !self.busy.contains(&code) && (room.is_closed || self.bug == Some(Bug::DeleteOpen)) => {
                self.rooms.remove(&code);
                What::Delete(writer, code, room.life)
            }
            _ => match engine.rows.graves.first() {
                Some(life) => What::Empty(writer, *life),
                None => return,
            },
        };
        self.ask(engine, what, Purpose::Upkeep { lane });
    }

    /// Finds out what became of what is in doubt.
    fn settle(&mut self, engine: &mut Engine, told: &mut Told) {
        if self.bug == Some(Bug::SettleByReading) {
            for doubt in std::mem::take(&mut self.doubts) {
                self.found(engine, told, &doubt);
            }
            return;
        }
        for index in 0..self.doubts.len() {
            if !self.doubts[index].is_asked {
                self.doubts[index].is_asked = true;
                let writer = self.doubts[index].writer;
                self.ask(engine, What::Settle(writer), Purpose::Settle(writer));
            }
        }
    }

    /// It is over: what is there now is there for good, and what is not will never be.
    fn found(&mut self, engine: &Engine, told: &mut Told, doubt: &Doubt) {
        if let Some(slot) = doubt.gives {
            self.giving.remove(&slot);
        }
        for append in &doubt.appends {
            self.busy.remove(&append.code);
            self.rooms.remove(&append.code);
            let is_there = |(number, said): (u32, &Said)| engine.rows.records.get(&(append.life, number)) == Some(said);
            let mut numbered = (append.after + 1..).zip(&append.said);
            let is_whole = engine.rows.tails.get(&append.code).is_some_and(|tail| tail.life == append.life);
            let never_was = append.after == 0 && !is_whole && !engine.has_ended(append.life);
            match is_whole && numbered.clone().all(is_there) {
                true => told.acked.extend(numbered.map(|(number, said)| (append.life, number, *said))),
                // Of a room that was trimmed or has ended meanwhile nothing is said.
                false if !is_whole && !never_was => {}
                false if engine.rows.tails.get(&append.code).is_some_and(|tail| tail.first > append.after + 1) => {}
                false => {
                    told.absent.extend(numbered.by_ref().map(|(number, said)| (append.life, number, *said)));
                    told.again.extend(&append.said);
                }
            }
        }
    }

    /// A statement has been answered.
    pub(super) fn hear(&mut self, id: StatementId, answer: Answer, engine: &Engine, told: &mut Told) {
        let Some(purpose) = self.waits.remove(&id) else { return };
        let answer = match answer {
            Answer::Warned(outcome) if self.bug == Some(Bug::WarningIsSuccess) => Answer::Done(outcome),
            answer => answer,
        };
        match (purpose, answer) {
            (_, Answer::Done(Outcome::Deposed)) => self.step_down(),
            (Purpose::Enter, Answer::Done(_)) => self.is_entering = false,
            // Another id is drawn: a row of this one may be there.
            (Purpose::Enter, _) => self.step_down(),
            (Purpose::Connect(lane, writer), Answer::Done(_)) => self.lanes[lane] = Lane::Ready(writer),
            (Purpose::Connect(lane, _), _) => self.lanes[lane] = Lane::New,
            (Purpose::Look, _) => self.look(engine),
            (Purpose::Beat, _) => {}
            (Purpose::Settle(writer), Answer::Done(outcome)) => {
                let Some(index) = self.doubts.iter().position(|doubt| doubt.writer == writer) else {
                    return;
                };
                let doubt = self.doubts.remove(index);
                match outcome {
                    Outcome::Done(_) => self.found(engine, told, &doubt),
                    // Somebody else has taken the row away: this is no node any more.
                    _ => self.step_down(),
                }
            }
            (Purpose::Settle(writer), _) => {
                let doubt = self.doubts.iter_mut().find(|doubt| doubt.writer == writer);
                doubt.into_iter().for_each(|doubt| doubt.is_asked = false);
            }
            (Purpose::Rooms { appends, is_claim, .. }, Answer::Done(outcome)) => {
                let won = if let Outcome::Done(won) = outcome { won } else { Vec::new() };
                for append in appends {
                    self.busy.remove(&append.code);
                    if !won.contains(&append.code) {
                        // It is not what it was: it is read again.
                        self.rooms.remove(&append.code);
                        told.again.extend(append.said);
                        continue;
                    }
                    let numbered = (append.after + 1..).zip(&append.said);
                    told.acked.extend(numbered.map(|(number, said)| (append.life, number, *said)));
                    let last = append.after + append.said.len() as u32;
                    let Append { life, term, closes: is_closed, .. } = append;
                    let room = Room { life, term, last, is_closed };
                    if is_claim || self.rooms.contains_key(&append.code) {
                        self.rooms.insert(append.code, room);
                    }
                }
            }
            (Purpose::Rooms { appends, .. }, Answer::Refused) => {
                for append in appends {
                    self.busy.remove(&append.code);
                    told.again.extend(append.said);
                }
            }
            (Purpose::Rooms { lane, appends, .. }, Answer::Warned(_) | Answer::Broken) => {
                let Lane::Ready(writer) = self.lanes[lane] else { return };
                self.lanes[lane] = Lane::New;
                if self.bug == Some(Bug::SaidInDoubt) {
                    told.again.extend(appends.iter().flat_map(|append| &append.said));
                }
                self.doubts.push(Doubt { writer, appends, gives: None, is_asked: false });
            }
            (Purpose::Give { slot, .. }, Answer::Done(_) | Answer::Refused) => {
                self.giving.remove(&slot);
                self.look(engine);
            }
            (Purpose::Give { lane, slot }, _) if self.bug != Some(Bug::GiveUnsettled) => {
                let Lane::Ready(writer) = self.lanes[lane] else { return };
                self.lanes[lane] = Lane::New;
                self.doubts.push(Doubt { writer, appends: Vec::new(), gives: Some(slot), is_asked: false });
            }
            (Purpose::Give { lane, slot }, _) => {
                self.lanes[lane] = Lane::New;
                self.giving.remove(&slot);
            }
            (Purpose::Upkeep { lane }, answer) => {
                if matches!(answer, Answer::Broken | Answer::Warned(_)) {
                    self.lanes[lane] = Lane::New;
                }
            }
        }
    }
}
