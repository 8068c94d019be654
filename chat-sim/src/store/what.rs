//! What there is to be said to the store: statements that write, the rows that they lock, and what comes of them.

use super::rows::{Code, Life, NodeId, Said, SlotId, WriterId};

/// A rule that is left out, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An append does not lock the row of its writer.
    AppendUnlocked,
    /// A claim does not.
    ClaimUnlocked,
    /// A warning with an answer is overheard.
    WarningIsSuccess,
    /// A room is deleted that is not over.
    DeleteOpen,
    /// What is in doubt is said again before it is settled.
    SaidInDoubt,
    /// A snapshot takes the place of whatever is there.
    SnapshotAlways,
    /// What became of a statement is looked up before its writer's row is gone.
    SettleByReading,
    /// Upkeep locks all rooms of a slot at once, the last first.
    TrimTogether,
    /// Who is deposed keeps its writers.
    DeposeNodeAlone,
    /// A slot that was perhaps given is owned again before that is known.
    GiveUnsettled,
    /// An answer comes before the standby has confirmed.
    AnswerEarly,
    /// The term of an append is that of the table, and not that of the room as it was read.
    TermOfTable,
}

/// A row that may be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Of a node.
    Node(NodeId),
    /// Of a writing connection.
    Writer(WriterId),
    /// Of a slot.
    Slot(SlotId),
    /// Of a room; also where it is only about to be there.
    Tail(Code),
}

/// How it is locked, as PostgreSQL calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `for key share`.
    KeyShare,
    /// An update of no key.
    Update,
    /// A deletion, or an insertion under a key.
    Delete,
}

impl Mode {
    /// Whether two may hold a row at once.
    pub fn agrees(self, other: Self) -> bool {
        match (self, other) {
            (Self::KeyShare, Self::Delete) | (Self::Delete, Self::KeyShare) => false,
            (Self::KeyShare, _) | (_, Self::KeyShare) => true,
            _ => false,
        }
    }
}

/// One room of a group append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The room.
    pub code: Code,
    /// Its slot.
    pub slot: SlotId,
    /// The incarnation that is appended to.
    pub life: Life,
    /// The term under which it was read.
    pub term: u32,
    /// Its last record, as far as the writer knows.
    pub after: u32,
    /// What follows.
    pub said: Vec<Said>,
    /// The last of it says that the incarnation is over.
    pub closes: bool,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A node comes to be.
    Enter(NodeId),
    /// A connection of it may write.
    Connect(WriterId, NodeId),
    /// It lives.
    Beat(NodeId),
    /// Another one has not been seen to beat since this.
    Depose(NodeId, u32),
    /// What a broken connection had under way is to be over.
    Settle(WriterId),
    /// A slot of nobody is taken.
    Take(SlotId, NodeId),
    /// A slot is given up.
    Give(WriterId, SlotId, NodeId, u32),
    /// Records follow, in several rooms.
    Append(WriterId, Vec<Append>),
    /// A room comes to be.
    Claim(WriterId, Append),
    /// A snapshot of a room up to a record.
    Snapshot(WriterId, Code, Life, u32),
    /// Records that a snapshot covers go.
    Trim(WriterId, Vec<Code>),
    /// A room goes.
    Delete(WriterId, Code, Life),
    /// What it was made of goes.
    Empty(WriterId, Life),
}

impl What {
    /// The connection that writes, of those that lock its row.
    pub fn writer(&self) -> Option<WriterId> {
        match self {
            Self::Append(writer, _) | Self::Claim(writer, _) | Self::Snapshot(writer, ..) | Self::Trim(writer, _) => {
                Some(*writer)
            }
            Self::Delete(writer, ..) | Self::Empty(writer, _) | Self::Give(writer, ..) => Some(*writer),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, of these rooms where it is about rooms.
    Done(Vec<Code>),
    /// Its writer's row, or its node's, is not there any more.
    Deposed,
    /// There was nothing that it could be done to.
    Nothing,
}
