//! A room as its task knows it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::feed::budget::LedgerShare;
use crate::engine::feed::fanout::Fanout;
use crate::engine::feed::life::Life;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::session::subscription::{End, Subscriber};
use crate::messages::CloseCause;
use crate::ports::Tail;
use crate::room::{Note, Room};
use crate::words::{Generation, MemberId, Mono, Now, RoomLimits, Scope, Seq, SessionId};

/// A room as its task knows it.
pub(crate) struct RoomState {
    pub(crate) room: Room,
    /// What the room holds of the budget.
    pub(crate) held: LedgerShare,
    /// The life that sessions read; `None` while the code has none.
    pub(crate) life: Option<Arc<Life>>,
    /// The end of the log.
    pub(crate) tail: Tail,
    /// Whether the log has been asked for this code.
    pub(crate) recovered: bool,
    pub(crate) subscribers: BTreeMap<SessionId, Subscriber>,
    pub(crate) fanout: Fanout,
    /// A round has been worked on since others had their turn.
    pub(crate) has_worked: bool,
    /// When somebody wanted something of it last, since it was read.
    pub(crate) asked: Option<Mono>,
    /// The tick that is on its way.
    pub(crate) armed: Option<Mono>,
    pub(crate) snapshot_made: Option<Mono>,
    pub(crate) presence_told: Option<(Mono, usize, usize)>,
    pub(crate) typing_told: Vec<MemberId>,
    /// Who was kicked lately, so that those who were away can be told.
    pub(crate) kicked: VecDeque<Scope>,
    /// Records since the last snapshot of the ledger was stored.
    pub(crate) unsaved: usize,
    /// Messages taken back whose text the log could not be made to forget yet.
    pub(crate) unscrubbed: VecDeque<Seq>,
    /// When that is tried again.
    pub(crate) scrub_backoff: Backoff,
    /// When a log that could not be read is asked again.
    pub(crate) backoff: Backoff,
}

impl RoomState {
    /// A room that nothing is known of yet. One with a log has to be read first.
    pub(crate) fn new(limits: &Arc<RoomLimits>, has_log: bool) -> Self {
        Self {
            room: Room::new(Arc::clone(limits)),
            held: LedgerShare::default(),
            life: None,
            tail: Tail::default(),
            recovered: !has_log,
            subscribers: BTreeMap::new(),
            fanout: Fanout::default(),
            has_worked: false,
            asked: None,
            armed: None,
            snapshot_made: None,
            presence_told: None,
            typing_told: Vec::new(),
            kicked: VecDeque::new(),
            unsaved: 0,
            unscrubbed: VecDeque::new(),
            scrub_backoff: Backoff::default(),
            backoff: Backoff::default(),
        }
    }

    /// The tick that was on its way has come.
    pub(crate) fn disarm(&mut self) {
        self.armed = None;
    }

    /// A session has lost its connection.
    pub(crate) fn forget_reader(&mut self, now: Now, session: SessionId, generation: Generation) {
        self.room.note(now, Note::Detached { session, generation });
        if self.subscribers.get(&session).is_some_and(|reader| reader.connection.generation <= generation) {
            self.subscribers.remove(&session);
        }
    }

    /// Nobody works on the room any more, and what is here may be half done.
    pub(crate) fn give_up(&mut self) {
        if self.life.as_ref().is_some_and(|life| life.is_logged) {
            self.life = None;
            std::mem::take(&mut self.subscribers).into_values().for_each(|reader| reader.give_up());
        } else {
            self.end_life(CloseCause::Fault);
        }
    }

    /// Ends the life for whoever reads it.
    pub(crate) fn end_life(&mut self, cause: CloseCause) {
        let Some(life) = self.life.take() else { return };
        let _ = life.closed.set(cause);
        for reader in std::mem::take(&mut self.subscribers).into_values() {
            reader.end(life.backlog.head(), End::Life);
            reader.connection.wake.wake();
        }
    }
}
