//! What a room has to do with other servers: who follows it here, or whom it follows, and what was asked there.

use std::collections::{BTreeMap, VecDeque};

use thin_vec::ThinVec;

use crate::engine::parcel::{Attachment, Decided};
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::doubt::Doubt;
use crate::engine::rooms::inbox::InboxItem;
use crate::meters::Parking;
use crate::ports::{Owner, Term};
use crate::room::Note;
use crate::types::{Generation, Mono, NodeId, Offset, SessionId};

/// What a room has to do with other servers. Where there are none, no room has one.
#[derive(Default)]
pub(crate) struct Part {
    /// As whose the room was worked on last.
    pub(crate) stands: Option<Owner>,
    /// Under which term what is here was decided here, if it was: nobody else has decided under it, so that it is still true after a while in
    /// which nobody did.
    pub(crate) own: Option<Term>,
    /// Whether it was decided here before.
    #[cfg(feature = "fault_injection")]
    pub(crate) has_decided: bool,
    /// A term under which the log takes nothing, whatever is said of the slot, and until when that is believed: what was refused was perhaps not the
    /// term, but something that is mended by then.
    pub(crate) over: Option<(Term, Mono)>,
    /// Before the log is asked again what a room is that is to be decided here.
    pub(crate) pause: Backoff,
    /// Whether the log ends before what is known here.
    pub(crate) doubt: Doubt,
    /// Of an owner: the servers that follow.
    pub(crate) guests: BTreeMap<NodeId, Guest>,
    /// Of an owner with guests: what was noted since it was last told, each behind the record after which it was.
    pub(crate) notes: Vec<(Offset, Note)>,
    /// Of an owner: which servers follow from now on, and with whom attached, and whose sessions were ended. They came while the room waited for
    /// its log, or while nobody decided.
    pub(crate) later: ThinVec<InboxItem>,
    /// Of an owner: who was attached when it began to decide, at servers that have not said so since.
    pub(crate) unclaimed: BTreeMap<SessionId, Generation>,
    /// Until when they have the time to.
    pub(crate) claimed_until: Mono,
    /// Of a follower: what was asked of the owner and is not answered, by number.
    pub(crate) letters: BTreeMap<u64, Letter>,
    /// Of a follower: what was decided, and is told once what it rests on is played.
    pub(crate) decided: VecDeque<Decided>,
    /// Sessions that read here and are not attached, as far as is known: to the owner they have lost their connection, or they were ended and are still
    /// to be told so. They are ended with their membership.
    pub(crate) dangling: ThinVec<SessionId>,
    /// Of a follower: who tells what follows on what is known here, and under which term. It may not be the owner any more: what it has told is
    /// in the log, and who owns the room now begins afresh.
    pub(crate) fed_by: Option<(NodeId, Term)>,
    /// Since when nobody who decides has told anything.
    pub(crate) silent_since: Option<Mono>,
    /// What waits for a server that decides, in the order in which it was asked.
    pub(crate) parked: VecDeque<Parked>,
    /// Before the owner is asked again that did not take what was asked, or does not know that it is.
    pub(crate) asking: Backoff,
    /// Of a follower that is out of step, and has asked to follow or is to: when it asks again.
    pub(crate) follow_at: Option<Mono>,
    /// Of a follower: the owner has given back what was asked, and may not know who is here. It is said to it again, whatever it tells until then.
    pub(crate) is_unsaid: bool,
}

/// What was asked here, and waits for what the owner says.
pub(crate) struct Letter {
    /// Whom it was asked.
    pub(crate) to: NodeId,
    pub(crate) until: Mono,
    /// Until when it may wait once more for a server that decides, where it has waited before.
    pub(crate) parked: Option<Mono>,
    pub(crate) item: InboxItem,
}

/// What waits for a server that decides.
pub(crate) struct Parked {
    pub(crate) until: Mono,
    /// What it holds, about.
    pub(crate) bytes: usize,
    /// The number it was asked under elsewhere, where that was given back; above all of those where it was not.
    pub(crate) number: u64,
    pub(crate) item: InboxItem,
    /// It is counted for as long as it waits.
    pub(crate) _counted: Parking,
}

/// A server that follows a room from here.
#[derive(Default)]
pub(crate) struct Guest {
    /// It is to be told the room afresh.
    pub(crate) is_new: bool,
    /// Before it is told once more, where its link has not taken that.
    pub(crate) again: Backoff,
    /// It has said who is attached there.
    pub(crate) has_followed: bool,
    /// What it is to be told first then, as of the moment since which it follows.
    pub(crate) beginning: Option<Box<Beginning>>,
    /// Its sessions that are attached here.
    pub(crate) sessions: BTreeMap<SessionId, Generation>,
    /// Since when its link is down.
    pub(crate) down_since: Option<Mono>,
}

impl Guest {
    /// An incarnation begins: nobody is in it yet.
    pub(crate) fn begin_life(&mut self) {
        self.sessions.clear();
        if let Some(beginning) = &mut self.beginning {
            **beginning = Beginning { after: Offset(0), notes: Vec::new(), noted: 0 };
        }
    }
}

/// All that is in no record, at one moment.
pub(crate) struct Beginning {
    /// After which record.
    pub(crate) after: Offset,
    pub(crate) notes: Vec<Note>,
    /// How many of what was noted before is in it.
    pub(crate) noted: usize,
}

impl Part {
    /// Under which term the room is decided here; `None` where it is not.
    pub(crate) fn decides(&self) -> Option<Term> {
        match self.stands {
            Some(Owner::Me(term)) => Some(term).filter(|_| self.own == Some(term)),
            _ => None,
        }
    }

    /// Whether nobody decides now, and what is here was decided here, under a term that may go on.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.own.is_some() && self.decides().is_none()
    }

    /// Whom the room follows.
    pub(crate) fn follows(&self) -> Option<NodeId> {
        match self.stands {
            Some(Owner::Other(node, _)) => Some(node),
            _ => None,
        }
    }

    /// Whether what the owner tells next follows on what is known here.
    pub(crate) fn is_in_step(&self) -> bool {
        self.fed_by.is_some_and(|(node, term)| self.stands == Some(Owner::Other(node, term)))
    }

    /// What has waited too long for its answer.
    pub(crate) fn overdue(&mut self, now: Mono) -> Vec<InboxItem> {
        self.letters.extract_if(.., |_, letter| letter.until <= now).map(|(_, letter)| letter.item).collect()
    }

    /// A session of a guest has come in, as this generation; which servers have it still under an older one, and under which.
    pub(crate) fn arrive(
        &mut self,
        node: NodeId,
        session: SessionId,
        generation: Generation,
    ) -> Vec<(NodeId, Generation)> {
        let older = self.supersede(Some(node), session);
        self.guests.entry(node).or_default().sessions.insert(session, generation);
        older
    }

    /// A session has come in at this server, or at another guest: the others have it no more.
    pub(crate) fn supersede(&mut self, but: Option<NodeId>, session: SessionId) -> Vec<(NodeId, Generation)> {
        self.unclaimed.remove(&session);
        let others = self.guests.iter_mut().filter(|(node, _)| Some(**node) != but);
        others.filter_map(|(node, guest)| Some((*node, guest.sessions.remove(&session)?))).collect()
    }

    /// A guest says that this connection is there. Where another is said to have it, that is the same server before it was deposed: what becomes of
    /// that one does not end it.
    pub(crate) fn claim(&mut self, node: NodeId, session: SessionId, generation: Generation) {
        self.unclaimed.remove(&session);
        for (_, guest) in self.guests.iter_mut().filter(|(other, _)| **other != node) {
            if guest.sessions.get(&session) == Some(&generation) {
                guest.sessions.remove(&session);
            }
        }
    }

    /// A session is attached at no other server any more. Where it was, and under which generation: at a server that has said so, or at one that
    /// has still to.
    pub(crate) fn forget_session(&mut self, session: SessionId) -> Option<(Option<NodeId>, Generation)> {
        let unclaimed = self.unclaimed.remove(&session).map(|generation| (None, generation));
        let of_guest = |(node, guest): (&NodeId, &mut Guest)| Some((Some(*node), guest.sessions.remove(&session)?));
        let claimed: Vec<_> = self.guests.iter_mut().filter_map(of_guest).collect();
        unclaimed.into_iter().chain(claimed).max_by_key(|(_, generation)| *generation)
    }

    /// A session is attached there after all.
    pub(crate) fn put_back(&mut self, node: Option<NodeId>, session: SessionId, generation: Generation) {
        match node {
            Some(node) => self.guests.entry(node).or_default().sessions.insert(session, generation),
            None => self.unclaimed.insert(session, generation),
        };
    }

    /// A session reads here that is not attached any more.
    pub(crate) fn dangle(&mut self, session: SessionId) {
        if !self.dangling.contains(&session) {
            self.dangling.push(session);
        }
    }

    /// This very connection of a session is gone: an older one is still to be told that it was replaced.
    pub(crate) fn lose_session(&mut self, session: SessionId, generation: Generation) {
        for guest in self.guests.values_mut() {
            if guest.sessions.get(&session) == Some(&generation) {
                guest.sessions.remove(&session);
            }
        }
    }

    /// What guests are to be told does not follow on what they were told.
    pub(crate) fn begin_anew(&mut self) {
        for guest in self.guests.values_mut() {
            (guest.is_new, guest.beginning) = (true, None);
        }
    }

    /// A guest says who is attached there: those who are not any more.
    pub(crate) fn replace(
        &mut self,
        node: NodeId,
        attached: &[Attachment],
        awaited: &[(SessionId, Generation)],
    ) -> Vec<(SessionId, Generation)> {
        let guest = self.guests.entry(node).or_default();
        (guest.is_new, guest.beginning, guest.down_since) = (true, None, None);
        guest.again = Backoff::default();
        guest.has_followed = true;
        let now = attached.iter().map(|attachment| (attachment.session, attachment.generation)).collect();
        let before = std::mem::replace(&mut guest.sessions, now);
        let has_come_in = |(session, generation): &&(SessionId, Generation)| before.get(session) == Some(generation);
        guest.sessions.extend(awaited.iter().filter(has_come_in).copied());
        // Who has come in by a newer connection that they never heard of there is not there by that one.
        let is_here =
            |session: SessionId, generation| guest.sessions.get(&session).is_some_and(|now| *now >= generation);
        before.into_iter().filter(|(session, generation)| !is_here(*session, *generation)).collect()
    }
}
