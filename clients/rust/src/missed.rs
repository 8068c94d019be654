//! What is made of events that will not come: a hole to be read, or, where it is too long, everything before it forgotten.

use chat_core::{Command, HistoryAnchor, MemberId, Notices, RoomCode, Seq};

use crate::state::{Hole, Presence, RoomState};

/// What is asked so that what is held becomes equal to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// What was changed after this event.
    Changes { after: Seq },
    /// Messages of the hole, which goes through this event by now.
    Hole { after: Seq, through: Seq },
    /// The newest messages, before this event.
    Newest { before: Seq },
    /// Members after this one.
    Members { after: MemberId },
    /// What is unread; and that one has read so far.
    Read { through: Seq },
}

/// Messages in a page that fills a hole: as many as a server shows at once.
const PAGE: u32 = 200;
/// Messages that are read first where nothing is held.
const NEWEST: u32 = 50;

impl Question {
    /// As it is asked.
    pub(crate) fn command(self, room: RoomCode) -> Command {
        match self {
            Self::Changes { after } => Command::changes(room, after),
            Self::Hole { after, .. } => {
                Command::history(room).with_anchor(HistoryAnchor::After(after)).with_limit(PAGE)
            }
            Self::Newest { before } => Command::history(room).with_before(before).with_limit(NEWEST),
            Self::Members { after } => {
                Command::members(room).with_members_after(Some(after).filter(|after| after.0 > 0))
            }
            Self::Read { through } => Command::read(room, through),
        }
    }

    /// A bit for each command that asks one.
    pub(crate) fn kind(self) -> u8 {
        match self {
            Self::Changes { .. } => 1,
            Self::Hole { .. } | Self::Newest { .. } => 2,
            Self::Members { .. } => 4,
            Self::Read { .. } => 8,
        }
    }

    /// Whether both are asked in the same words.
    pub(crate) fn is_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::Hole { after, .. }, Self::Hole { after: same, .. }) => after == same,
            (one, other) => one == other,
        }
    }
}

impl RoomState {
    /// The events `from` to `to` were not told, of which `changed_at` is the last that changed an earlier message.
    pub(crate) fn miss(&mut self, from: Seq, to: Seq, changed_at: Seq) {
        let last = Seq(from.0.saturating_sub(1));
        let due = self.due.max(changed_at);
        let before = if self.misses() { self.known } else { self.known.max(last) };
        let after = self.hole.map_or(last, |hole| hole.after);
        self.seq = to;
        self.known = if due > before { before } else { before.max(to) };
        self.due = due;
        // What was told between two holes is read again with both.
        self.held.retain(|message| message.seq <= after);
        self.hole = Some(Hole { after, through: to });
        self.read_due = to;
        self.typing.clear();
        if to.0.saturating_sub(after.0) > self.max.hole {
            self.forget();
        }
    }

    /// Drops every message: the newest are to be read again.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.from = self.seq.next();
        self.more = true;
        self.hole = None;
        self.is_bare = true;
        self.known = self.seq.max(self.known).max(self.due);
    }

    /// The next question, but for kinds that were refused; nothing where all is known, or nothing can be asked.
    pub(crate) fn next_question(&self, refused: u8) -> Option<Question> {
        if self.presence != Presence::Live {
            return None;
        }
        let changes = self.misses().then_some(Question::Changes { after: self.known });
        let hole = self.hole.map(|Hole { after, through }| Question::Hole { after, through });
        let newest = self.is_bare.then_some(Question::Newest { before: self.from });
        let listed_to = self.listed_to.filter(|_| self.notices == Notices::Told);
        let members = listed_to.map(|after| Question::Members { after });
        let read = self.read.filter(|_| self.is_read_stale());
        let read = read.map(|read| Question::Read { through: read.through.max(self.read_to) });
        let all = [changes, hole, newest, members, read];
        all.into_iter().flatten().find(|question| question.kind() & refused == 0)
    }
}
