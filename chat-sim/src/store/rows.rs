//! The rows that servers share, and the changes that statements make of them.

use std::collections::{BTreeMap, BTreeSet};

/// A server, for as long as it has a row. Drawn anew after it was deposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// One writing connection of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriterId(pub u32);

/// An incarnation of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(pub u32);

/// A room, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub u8);

/// A share of the rooms: what is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId(pub u8);

/// What a record says: each is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said(pub u32);

/// Who owns a slot, and how often that has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotRow {
    /// Nobody, once a node has been deposed.
    pub node: Option<NodeId>,
    /// Raised with every change of the owner.
    pub term: u32,
}

/// The end of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailRow {
    /// The incarnation that is there.
    pub life: Life,
    /// The term under which it was written last.
    pub term: u32,
    /// The number of its first record that has not been trimmed.
    pub first: u32,
    /// The number of its last record.
    pub last: u32,
    /// Up to which record the stored snapshot reaches.
    pub through: u32,
    /// Its last record says that the incarnation is over.
    pub is_closed: bool,
}

/// All that is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Those that live, and their beats.
    pub nodes: BTreeMap<NodeId, u32>,
    /// The writing connections that count.
    pub writers: BTreeMap<WriterId, NodeId>,
    /// The owners.
    pub slots: BTreeMap<SlotId, SlotRow>,
    /// The rooms.
    pub tails: BTreeMap<Code, TailRow>,
    /// What was said, by incarnation and number.
    pub records: BTreeMap<(Life, u32), Said>,
    /// How far the stored snapshots reach.
    pub snapshots: BTreeMap<Life, u32>,
    /// Incarnations that are to be emptied.
    pub graves: BTreeSet<Life>,
}

/// One change of one row. Those of one statement come to pass together.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A node is there, with this beat.
    Node(NodeId, u32),
    /// It is not.
    NoNode(NodeId),
    /// A connection may write.
    Writer(WriterId, NodeId),
    /// It may not any more.
    NoWriter(WriterId),
    /// A slot is owned like this.
    Slot(SlotId, SlotRow),
    /// A room ends like this.
    Tail(Code, TailRow),
    /// There is no such room, and what it was made of is to be emptied.
    NoTail(Code, Life),
    /// Something was said.
    Record(Life, u32, Said),
    /// Records before this one are gone.
    Trimmed(Life, u32),
    /// A snapshot reaches so far.
    Snapshot(Life, u32),
    /// A grave has been emptied.
    Emptied(Life),
}

impl Rows {
    /// Makes changes.
    pub fn make(&mut self, changes: &[Change]) {
        for change in changes {
            match *change {
                Change::Node(node, beat) => drop(self.nodes.insert(node, beat)),
                Change::NoNode(node) => drop(self.nodes.remove(&node)),
                Change::Writer(writer, node) => drop(self.writers.insert(writer, node)),
                Change::NoWriter(writer) => drop(self.writers.remove(&writer)),
                Change::Slot(slot, row) => drop(self.slots.insert(slot, row)),
                Change::Tail(code, row) => drop(self.tails.insert(code, row)),
                Change::NoTail(code, life) => {
                    self.tails.remove(&code);
                    self.graves.insert(life);
                }
                Change::Record(life, number, said) => drop(self.records.insert((life, number), said)),
                Change::Trimmed(life, first) => self.records.retain(|(of, number), _| *of != life || *number >= first),
                Change::Snapshot(life, through) => drop(self.snapshots.insert(life, through)),
                Change::Emptied(life) => {
                    self.records.retain(|(of, _), _| *of != life);
                    self.snapshots.remove(&life);
                    self.graves.remove(&life);
                }
            }
        }
    }

    /// What was said in an incarnation, oldest first, as far as it has not been trimmed.
    pub fn said(&self, life: Life) -> impl Iterator<Item = (u32, Said)> {
        self.records.range((life, 0)..=(life, u32::MAX)).map(|((_, number), said)| (*number, *said))
    }
}
