//! Statements that write, and what each of them locks, waits for and changes.
//!
//! Each sees the rows as of its beginning, and of a row that it locks the newest version: the rule of PostgreSQL's `READ COMMITTED`.

use std::collections::VecDeque;

use super::rows::{Change, Rows, SlotRow, TailRow, WriterId};
use super::what::{Append, Bug, Key, Mode, Outcome, What};

/// A statement on its way: its first moment is over.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// What it does.
    pub(super) what: What,
    /// The rows at its beginning.
    seen: Rows,
    /// What it has still to lock.
    wants: VecDeque<(Key, Mode)>,
    /// What it has locked.
    pub(super) holds: Vec<(Key, Mode)>,
    /// Of those the rows that were still what it is about.
    fitting: Vec<Key>,
    is_deposed: bool,
    bug: Option<Bug>,
}

impl Statement {
    /// It begins: from here on it sees the rows as they are now.
    pub(super) fn begin(what: What, rows: &Rows, bug: Option<Bug>) -> Self {
        let unlocked = match what {
            What::Append(..) => bug == Some(Bug::AppendUnlocked),
            What::Claim(..) => bug == Some(Bug::ClaimUnlocked),
            _ => false,
        };
        let mut wants = VecDeque::new();
        let mut is_deposed = false;
        if let Some(writer) = what.writer() {
            match rows.writers.contains_key(&writer) {
                true if unlocked => {}
                true => wants.push_back((Key::Writer(writer), Mode::KeyShare)),
                false => is_deposed = true,
            }
        }
        match &what {
            What::Enter(_) => {}
            What::Connect(_, node) => wants.push_back((Key::Node(*node), Mode::KeyShare)),
            What::Beat(node) => wants.push_back((Key::Node(*node), Mode::Update)),
            What::Depose(node, _) => wants.push_back((Key::Node(*node), Mode::Delete)),
            What::Settle(writer) => wants.push_back((Key::Writer(*writer), Mode::Delete)),
            What::Take(slot, node) => {
                wants.extend([(Key::Slot(*slot), Mode::Update), (Key::Node(*node), Mode::KeyShare)]);
            }
            What::Give(_, slot, ..) => wants.push_back((Key::Slot(*slot), Mode::Update)),
            What::Append(_, rooms) => wants.extend(rooms.iter().map(|room| (Key::Tail(room.code), Mode::Update))),
            What::Claim(_, room) => wants.push_back((Key::Tail(room.code), Mode::Delete)),
            What::Snapshot(..) if bug == Some(Bug::SnapshotAlways) => {}
            What::Snapshot(_, code, ..) => wants.push_back((Key::Tail(*code), Mode::Update)),
            What::Trim(_, codes) => wants.extend(codes.iter().rev().map(|code| (Key::Tail(*code), Mode::Update))),
            What::Delete(_, code, _) => wants.push_back((Key::Tail(*code), Mode::Delete)),
            What::Empty(..) => {}
        }
        if is_deposed {
            wants.clear();
        }
        let mut statement = Self {
            what,
            seen: rows.clone(),
            wants: VecDeque::new(),
            holds: Vec::new(),
            fitting: Vec::new(),
            is_deposed,
            bug,
        };
        // What does not fit now is not looked at again.
        let before = wants.len();
        wants.retain(|(key, _)| statement.fits(*key, rows));
        // A slot that is not taken refers to nobody.
        if wants.len() < before && matches!(statement.what, What::Take(..)) {
            wants.clear();
        }
        statement.wants = wants;
        statement
    }

    /// Whether a row is one of those that it is about, in this version of it.
    fn fits(&self, key: Key, rows: &Rows) -> bool {
        match (key, &self.what) {
            (Key::Slot(slot), What::Take(..)) => rows.slots.get(&slot).is_none_or(|row| row.node.is_none()),
            (Key::Slot(slot), What::Give(_, _, node, term)) => {
                rows.slots.get(&slot) == Some(&SlotRow { node: Some(*node), term: *term })
            }
            // What is another's by now is left alone.
            (Key::Slot(slot), What::Depose(node, _)) => {
                rows.slots.get(&slot).is_some_and(|row| row.node == Some(*node))
            }
            (Key::Node(node), What::Depose(_, beat)) => rows.nodes.get(&node) == Some(beat),
            (Key::Node(node), What::Beat(_)) => rows.nodes.contains_key(&node),
            (Key::Tail(code), What::Append(_, rooms)) => {
                let tail = rows.tails.get(&code);
                let room = rooms.iter().find(|room| room.code == code);
                room.zip(tail)
                    .is_some_and(|(room, tail)| (room.life, room.after) == (tail.life, tail.last) && !tail.is_closed)
            }
            (Key::Tail(code), What::Snapshot(_, _, life, through)) => {
                let tail = rows.tails.get(&code).filter(|tail| tail.life == *life);
                tail.is_some_and(|tail| (tail.through..=tail.last).contains(through))
            }
            (Key::Tail(code), What::Delete(_, _, life)) => {
                let is_over = |tail: &TailRow| tail.is_closed || self.bug == Some(Bug::DeleteOpen);
                rows.tails.get(&code).is_some_and(|tail| tail.life == *life && is_over(tail))
            }
            (Key::Tail(code), What::Claim(..)) => !rows.tails.contains_key(&code),
            _ => true,
        }
    }

    /// The row that it locks next.
    pub(super) fn wants(&self) -> Option<(Key, Mode)> {
        self.wants.front().copied()
    }

    /// It has locked that row, of which this is the newest version.
    pub(super) fn lock(&mut self, rows: &Rows) {
        let Some((key, mode)) = self.wants.pop_front() else { return };
        let is_there = match key {
            Key::Node(node) => rows.nodes.contains_key(&node),
            Key::Writer(writer) => rows.writers.contains_key(&writer),
            Key::Slot(_) => true,
            Key::Tail(code) => rows.tails.contains_key(&code) != matches!(self.what, What::Claim(..)),
        };
        if is_there {
            // Locked, whether or not it is still what is asked for, until the statement's end.
            self.holds.push((key, mode));
        }
        if !self.fits(key, rows) {
            if matches!(self.what, What::Take(..)) {
                self.wants.clear();
            }
            return;
        }
        self.fitting.push(key);
        match (key, &self.what) {
            // Its row went while it waited: it does nothing, and locks nothing more.
            (Key::Writer(writer), what) if what.writer() == Some(writer) && !rows.writers.contains_key(&writer) => {
                self.is_deposed = true;
                self.wants.clear();
            }
            // What refers to a node goes with it; who is about to refer to it waits, and is refused.
            (Key::Node(node), What::Depose(..)) => {
                let writers = rows.writers.iter().filter(|(_, of)| **of == node).map(|(writer, _)| *writer);
                let writers = writers.filter(|_| self.bug != Some(Bug::DeposeNodeAlone));
                self.wants.extend(writers.map(|writer| (Key::Writer(writer), Mode::Delete)));
                let slots = rows.slots.iter().filter(|(_, row)| row.node == Some(node)).map(|(slot, _)| *slot);
                self.wants.extend(slots.map(|slot| (Key::Slot(slot), Mode::Update)));
            }
            _ => {}
        }
    }

    /// What it changes, all locks being held, and what it will answer.
    pub(super) fn change(&self, rows: &Rows) -> (Vec<Change>, Outcome) {
        if self.is_deposed {
            return (Vec::new(), Outcome::Deposed);
        }
        let done = |changes: Vec<Change>| match changes.is_empty() {
            true => (changes, Outcome::Nothing),
            false => (changes, Outcome::Done(Vec::new())),
        };
        match &self.what {
            What::Enter(node) => done(vec![Change::Node(*node, 0)]),
            What::Connect(writer, node) => match rows.nodes.contains_key(node) {
                true => done(vec![Change::Writer(*writer, *node)]),
                false => (Vec::new(), Outcome::Deposed),
            },
            What::Beat(node) => match rows.nodes.get(node) {
                Some(beat) => done(vec![Change::Node(*node, beat + 1)]),
                None => (Vec::new(), Outcome::Deposed),
            },
            What::Depose(node, beat) => {
                if rows.nodes.get(node) != Some(beat) {
                    return done(Vec::new());
                }
                let mut changes = vec![Change::NoNode(*node)];
                for key in &self.fitting {
                    match *key {
                        Key::Writer(writer) => changes.push(Change::NoWriter(writer)),
                        Key::Slot(slot) => {
                            let row = SlotRow { node: None, ..rows.slots.get(&slot).copied().unwrap_or_default() };
                            changes.push(Change::Slot(slot, row));
                        }
                        _ => {}
                    }
                }
                done(changes)
            }
            What::Settle(writer) => {
                done(rows.writers.get(writer).map(|_| Change::NoWriter(*writer)).into_iter().collect())
            }
            What::Take(slot, _) if !self.fitting.contains(&Key::Slot(*slot)) => done(Vec::new()),
            What::Take(slot, node) => {
                let row = rows.slots.get(slot).copied().unwrap_or_default();
                match rows.nodes.contains_key(node) {
                    false => (Vec::new(), Outcome::Deposed),
                    true => done(vec![Change::Slot(*slot, SlotRow { node: Some(*node), term: row.term + 1 })]),
                }
            }
            What::Give(_, slot, node, term) => {
                let row = rows.slots.get(slot).copied().unwrap_or_default();
                let is_theirs = row == SlotRow { node: Some(*node), term: *term };
                done(
                    is_theirs
                        .then_some(Change::Slot(*slot, SlotRow { node: None, term: term + 1 }))
                        .into_iter()
                        .collect(),
                )
            }
            What::Append(writer, rooms) => self.append(*writer, rooms, rows),
            What::Claim(writer, room) => {
                if rows.tails.contains_key(&room.code) || !self.owns(*writer, room) {
                    return (Vec::new(), Outcome::Nothing);
                }
                let last = room.said.len() as u32;
                let tail =
                    TailRow { life: room.life, term: room.term, first: 1, last, through: 0, is_closed: room.closes };
                let mut changes = vec![Change::Tail(room.code, tail)];
                changes.extend((1..).zip(&room.said).map(|(number, said)| Change::Record(room.life, number, *said)));
                (changes, Outcome::Done(vec![room.code]))
            }
            What::Snapshot(_, code, life, through) => {
                let tail = rows.tails.get(code).filter(|tail| tail.life == *life);
                if self.bug == Some(Bug::SnapshotAlways) {
                    return done(vec![Change::Snapshot(*life, *through)]);
                }
                let fits = tail.filter(|tail| (tail.through..=tail.last).contains(through));
                let changes = fits.map(|tail| {
                    let tail = TailRow { through: *through, ..*tail };
                    vec![Change::Tail(*code, tail), Change::Snapshot(*life, *through)]
                });
                done(changes.unwrap_or_default())
            }
            What::Trim(_, codes) => {
                let tails = codes.iter().filter_map(|code| Some((*code, *rows.tails.get(code)?)));
                let changes = tails.filter(|(_, tail)| tail.first <= tail.through).flat_map(|(code, tail)| {
                    let first = tail.through + 1;
                    [Change::Tail(code, TailRow { first, ..tail }), Change::Trimmed(tail.life, first)]
                });
                done(changes.collect())
            }
            What::Delete(_, code, life) => {
                let is_there = self.fitting.contains(&Key::Tail(*code)) && rows.tails.contains_key(code);
                done(is_there.then_some(Change::NoTail(*code, *life)).into_iter().collect())
            }
            What::Empty(_, life) => {
                done(rows.graves.get(life).map(|life| Change::Emptied(*life)).into_iter().collect())
            }
        }
    }

    fn append(&self, writer: WriterId, rooms: &[Append], rows: &Rows) -> (Vec<Change>, Outcome) {
        let (mut changes, mut won) = (Vec::new(), Vec::new());
        for room in rooms {
            let tail = rows.tails.get(&room.code).filter(|_| self.fitting.contains(&Key::Tail(room.code)));
            let Some(tail) = tail.filter(|_| self.owns(writer, room)) else { continue };
            let last = room.after + room.said.len() as u32;
            changes.push(Change::Tail(room.code, TailRow { term: room.term, last, is_closed: room.closes, ..*tail }));
            let numbered = (room.after + 1..).zip(&room.said);
            changes.extend(numbered.map(|(number, said)| Change::Record(room.life, number, *said)));
            won.push(room.code);
        }
        match won.is_empty() {
            true => (changes, Outcome::Nothing),
            false => (changes, Outcome::Done(won)),
        }
    }

    /// Whether the writer's node owns the slot: as of the beginning, for no row of `slots` is locked.
    fn owns(&self, writer: WriterId, room: &Append) -> bool {
        let node = self.seen.writers.get(&writer).copied();
        let slot = self.seen.slots.get(&room.slot).copied().unwrap_or_default();
        let is_of_term = slot.term == room.term || self.bug == Some(Bug::TermOfTable);
        node.is_some() && slot.node == node && is_of_term
    }
}
