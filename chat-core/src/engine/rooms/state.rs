//! A room as its task knows it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::domain::RoomCloseReason;
use crate::engine::feed::budget::LedgerShare;
use crate::engine::feed::fanout::Fanout;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::debts::Debts;
use crate::engine::rooms::part::Part;
use crate::engine::rooms::unnamed::Unnamed;
use crate::engine::session::subscription::{End, Subscriber};
use crate::ports::Tail;
use crate::room::{Note, Room};
use crate::seldom::Seldom;
use crate::types::{Epoch, Generation, MemberId, Mono, Now, RoomLimits, Scope, SessionId};

/// Whether a code has a room, as far as that is known.
pub(crate) enum Phase {
    /// Nothing: its log has to be read first, and is not asked before the backoff is over.
    Unread(Backoff),
    /// There is no room.
    NoRoom,
    /// There is one, and this is what sessions read of it.
    Live(Arc<RoomFeed>),
}

/// A room as its task knows it.
pub(crate) struct RoomState {
    pub(crate) room: Room,
    /// What the room holds of the budget.
    pub(crate) held: LedgerShare,
    pub(crate) phase: Phase,
    /// The end of the log.
    pub(crate) tail: Tail,
    pub(crate) subscribers: BTreeMap<SessionId, Subscriber>,
    pub(crate) fanout: Fanout,
    /// A batch has been worked on since others had their turn.
    pub(crate) has_worked: bool,
    /// Somebody was let in since others had their turn.
    pub(crate) has_let_in: bool,
    /// When somebody wanted something of it last, since it was read.
    pub(crate) asked: Option<Mono>,
    /// The tick that is on its way.
    pub(crate) armed: Option<Mono>,
    pub(crate) gap_view_made: Option<Mono>,
    pub(crate) presence_told: Option<(Mono, usize, usize)>,
    pub(crate) typing_told: Vec<MemberId>,
    /// Members who were kicked lately, so that those who were away can be told.
    pub(crate) kicked: VecDeque<Scope>,
    /// Who has come back, and is to be shown as the policy says by now.
    pub(crate) unnamed: Unnamed,
    /// Who was here when the log was found to have lost what they had seen, and has not come back since: what they say that they have seen is nothing
    /// of the room as it is.
    pub(crate) misled: BTreeSet<SessionId>,
    /// What the log has not been made to do yet.
    pub(crate) debts: Seldom<Debts>,
    /// What it has to do with other servers, where there are any.
    pub(crate) part: Option<Box<Part>>,
}

impl RoomState {
    /// A room that nothing is known of yet. One with a log has to be read first.
    pub(crate) fn new(limits: &Arc<RoomLimits>, has_log: bool) -> Self {
        Self {
            room: Room::new(Arc::clone(limits)),
            held: LedgerShare::default(),
            phase: if has_log { Phase::Unread(Backoff::default()) } else { Phase::NoRoom },
            tail: Tail::default(),
            subscribers: BTreeMap::new(),
            fanout: Fanout::default(),
            has_worked: false,
            has_let_in: false,
            asked: None,
            armed: None,
            gap_view_made: None,
            presence_told: None,
            typing_told: Vec::new(),
            kicked: VecDeque::new(),
            unnamed: Unnamed::default(),
            misled: BTreeSet::new(),
            debts: Seldom::default(),
            part: None,
        }
    }

    /// What sessions read; `None` where there is no room, or nothing is known of it.
    pub(crate) fn feed(&self) -> Option<&Arc<RoomFeed>> {
        match &self.phase {
            Phase::Live(feed) => Some(feed),
            Phase::Unread(_) | Phase::NoRoom => None,
        }
    }

    /// Which incarnation sessions read; `None` where there is none.
    pub(crate) fn phase_epoch(&self) -> Option<Epoch> {
        self.feed().map(|feed| feed.epoch)
    }

    /// The room is over, or not to be believed any more: its incarnation, if it had one.
    pub(crate) fn vacate(&mut self) -> Option<Arc<RoomFeed>> {
        match std::mem::replace(&mut self.phase, Phase::NoRoom) {
            Phase::Live(feed) => Some(feed),
            Phase::Unread(_) | Phase::NoRoom => None,
        }
    }

    /// The tick that was on its way has come.
    pub(crate) fn disarm(&mut self) {
        self.armed = None;
    }

    /// Takes in what passes without being logged; whoever follows the room is to note the same.
    pub(crate) fn note(&mut self, now: Now, note: Note) {
        let Some(part) = self.part.as_deref_mut().filter(|part| !part.guests.is_empty()) else {
            return self.room.note(now, note);
        };
        let after = self.room.last_offset();
        match note {
            // Time passes everywhere, and not at the same moment: what has run out is named.
            Note::Elapsed => {
                let before = self.room.shown();
                self.room.note(now, note);
                part.notes.extend(self.room.ended_since(&before).into_iter().map(|ended| (after, ended)));
            }
            Note::Recovered => self.room.note(now, note),
            note => {
                part.notes.push((after, note.clone()));
                self.room.note(now, note);
            }
        }
    }

    /// Whether nothing is decided here: another server decides, and what is here is a copy, or nobody does.
    pub(crate) fn follows(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.decides().is_none())
    }

    /// Whether it was decided here until nobody knew whose it is, and may be again.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.has_lapsed())
    }

    /// Whether an answer of another server is waited for, or a server that decides.
    pub(crate) fn has_letters(&self) -> bool {
        self.part.as_ref().is_some_and(|part| !part.letters.is_empty() || !part.parked.is_empty())
    }

    /// A session has lost its connection.
    pub(crate) fn forget_reader(&mut self, now: Now, session: SessionId, generation: Generation) {
        self.note(now, Note::Detached { session, generation });
        if self.subscribers.get(&session).is_some_and(|reader| reader.connection.generation <= generation) {
            self.subscribers.remove(&session);
        }
    }

    /// A session was ended. Its connection may be here, and is still to be told so: what it reads ends with the membership, and not before.
    pub(crate) fn detach_ended(&mut self, now: Now, session: SessionId, generation: Generation) {
        self.note(now, Note::Detached { session, generation });
        if let Some(part) = &mut self.part
            && self.subscribers.contains_key(&session)
        {
            part.dangle(session);
        }
    }

    /// Wakes everybody who has not heard of the latest: something is to be waited for.
    pub(crate) fn wake_rest(&mut self) {
        self.fanout.wake_rest(&self.subscribers, Subscriber::wake);
    }

    /// Whether so much has been published that a reader who has not been woken yet could lose sight of it.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.feed().is_some_and(|feed| feed.backlog.exceeds_quarter(self.fanout.unseen()))
    }

    /// Whether something has run out by now, or is to be done without being asked for.
    pub(crate) fn is_due(&self, now: Mono) -> bool {
        if self.follows() {
            return false;
        }
        let has_run_out = || self.room.next_deadline().is_some_and(|at| at <= now);
        self.feed().is_some() && (self.unnamed.is_due() || has_run_out())
    }

    /// Nobody works on the room any more, and what is here may be half done.
    pub(crate) fn give_up(&mut self) {
        if self.feed().is_some_and(|feed| feed.is_logged) {
            self.vacate();
            std::mem::take(&mut self.subscribers).into_values().for_each(|reader| reader.give_up());
        } else {
            self.end_incarnation(RoomCloseReason::Fault);
        }
    }

    /// Ends the incarnation for whoever reads it.
    pub(crate) fn end_incarnation(&mut self, cause: RoomCloseReason) {
        let Some(feed) = self.vacate() else { return };
        let _ = feed.closed.set(cause);
        for reader in std::mem::take(&mut self.subscribers).into_values() {
            reader.end(feed.backlog.head(), End::Incarnation);
            reader.connection.wake.wake();
        }
    }
}
