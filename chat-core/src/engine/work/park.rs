//! What is asked while nobody decides, or whoever does cannot be reached: it waits a little, in its order, for whoever decides next.

use std::collections::VecDeque;

use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::{Letter, Parked};
use crate::engine::shared::unavailable;
use crate::engine::work::follow::FOLLOW_AGAIN;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::Owner;
use crate::room::{Caller, Input};
use crate::types::{Mono, NodeId, Reject, RejectCode, SessionId};

impl RoomTask {
    /// Whether what waits can be decided here now, or asked of whoever decides.
    fn is_open(&self, now: Mono) -> bool {
        let Some(part) = &self.state.part else { return true };
        match part.stands {
            Some(Owner::Other(node, _)) => self.shared.peers.has(node) && part.asking.until() <= now,
            _ => part.decides().is_some(),
        }
    }

    /// Takes out of these what has to wait, and lets go what has waited and need not any more. What is asked of another server is asked on the
    /// spot; what is decided here stands before the rest.
    pub(crate) fn sort_out(&mut self, items: &mut VecDeque<InboxItem>) {
        let now = self.mono();
        self.refuse_overdue(now);
        let is_open = self.is_open(now);
        let Some(part) = &mut self.state.part else { return };
        #[cfg(feature = "fault_injection")]
        if is_open && fault_injection::is(Bug::ForgetParked) {
            std::mem::forget(std::mem::take(&mut part.parked));
        }
        let owner = part.follows();
        if is_open && part.parked.is_empty() && part.letters.values().all(|letter| Some(letter.to) == owner) {
            return;
        }
        let mut first = VecDeque::new();
        for parked in self.state.part.as_mut().map(|part| std::mem::take(&mut part.parked)).unwrap_or_default() {
            match is_open && !self.waits_for_another(&parked.item) {
                true => self.let_go(parked, &mut first),
                false => self.state.part.get_or_insert_default().parked.push_back(parked),
            }
        }
        for item in std::mem::take(items) {
            match item.is_parkable() && (!is_open || self.waits_for_another(&item)) {
                true => self.park(item, None),
                false => items.push_back(item),
            }
        }
        first.into_iter().rev().for_each(|item| items.push_front(item));
    }

    fn let_go(&mut self, parked: Parked, first: &mut VecDeque<InboxItem>) {
        match self.state.part.as_ref().and_then(|part| part.follows()) {
            Some(owner) => self.ask(owner, parked.item, Some(parked.until)),
            None => first.push_back(parked.item),
        }
    }

    /// Whether something that the same session has asked before has not been answered, by a server that does not decide any more, or waits
    /// itself: one thing is decided after the other.
    fn waits_for_another(&self, item: &InboxItem) -> bool {
        let (Some(part), Some(session)) = (&self.state.part, session_of(item)) else { return false };
        let owner = part.follows();
        let is_elsewhere = |letter: &Letter| Some(letter.to) != owner && session_of(&letter.item) == Some(session);
        part.parked.iter().any(|parked| session_of(&parked.item) == Some(session))
            || part.letters.values().any(is_elsewhere)
    }

    /// It waits, until then where it has waited before. What another server has asked waits there.
    pub(crate) fn park(&mut self, item: InboxItem, until: Option<Mono>) {
        let Some(part) = &mut self.state.part else { return };
        let item = match item {
            InboxItem::Asked(asked) if part.own.is_none() => return asked.reply.hand_back(),
            item => item,
        };
        let limits = &self.shared.limits;
        let until = until.unwrap_or_else(|| self.shared.clock.now().mono.after(limits.engine.owner_wait));
        let bytes = item.input().and_then(|input| serde_json::to_vec(input).ok()).map_or(0, |bytes| bytes.len());
        let held: usize = part.parked.iter().map(|parked| parked.bytes).sum();
        if part.parked.len() >= limits.room.parked_max || held + bytes > limits.room.parked_bytes_max {
            let reject = Reject::new(RejectCode::Busy, "too much waits for the room's owner");
            return self.cell.refuse(item, reject);
        }
        let _counted = self.shared.counters.park();
        part.parked.push_back(Parked { until, bytes, number: u64::MAX, item, _counted });
    }

    /// A server that does not decide, or not now, gives back what was asked there: it has decided nothing of it. It waits here, before what was
    /// asked later.
    pub(crate) fn take_back_letters(&mut self, from: NodeId, numbers: &[u64]) {
        let now = self.mono();
        let wait = self.shared.limits.engine.owner_wait;
        let Some(part) = &mut self.state.part else { return };
        if part.follows() == Some(from) {
            // It does not know yet that it decides, or who is here.
            part.asking.failed_for_a_moment(now);
            part.follow_at = Some(part.asking.until().min(now.after(FOLLOW_AGAIN)));
            part.is_unsaid = true;
        }
        for number in numbers.iter().copied() {
            if let Some(Letter { parked, item, .. }) = part.letters.remove(&number).filter(|letter| letter.to == from) {
                let until = parked.unwrap_or_else(|| now.after(wait));
                // It counted among what was asked. What is given back one by one stands in the order in which it was asked.
                let place = part.parked.partition_point(|parked| parked.number < number);
                let _counted = self.shared.counters.park();
                part.parked.insert(place, Parked { until, bytes: 0, number, item, _counted });
            }
        }
    }

    /// The link to a server is down: what was asked there is not answered any more.
    pub(crate) fn lose_link(&mut self, node: NodeId) {
        let Some(part) = &mut self.state.part else { return };
        if part.fed_by.is_some_and(|(by, _)| by == node) {
            part.fed_by = None;
        }
        if part.follows() == Some(node) {
            (part.follow_at, part.silent_since) = (None, Some(self.shared.clock.now().mono));
        }
        let lost = part.letters.extract_if(.., |_, letter| letter.to == node);
        let lost: Vec<_> = lost.map(|(_, letter)| letter.item).collect();
        // What was asked from there is not waited for any more. Decided after what that server says next, it would bring back who has gone.
        let is_from_there =
            |parked: &Parked| matches!(&parked.item, InboxItem::Asked(asked) if asked.reply.node == node);
        let (vain, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut part.parked).into_iter().partition(is_from_there);
        part.parked = left;
        lost.into_iter()
            .chain(vain.into_iter().map(|parked| parked.item))
            .for_each(|item| self.cell.refuse(item, unavailable()));
    }

    /// What has waited too long, here or, where the room follows no server by now, for the answer of one.
    fn refuse_overdue(&mut self, now: Mono) {
        let Some(part) = &mut self.state.part else { return };
        let unanswered = if part.follows().is_none() { part.overdue(now) } else { Vec::new() };
        let is_over = |parked: &Parked| parked.until <= now;
        let (overdue, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut part.parked).into_iter().partition(is_over);
        part.parked = left;
        let overdue = overdue.into_iter().map(|parked| parked.item);
        unanswered.into_iter().chain(overdue).for_each(|item| self.cell.refuse(item, unavailable()));
    }

    /// When something that waits can go, or is to be refused.
    pub(crate) fn parked_deadline(&self, now: Mono) -> Option<Mono> {
        let part = self.state.part.as_ref().filter(|part| !part.parked.is_empty())?;
        let is_first = |index: usize, parked: &Parked| {
            let earlier = part.parked.iter().take(index);
            let session = session_of(&parked.item);
            session.is_none() || !earlier.into_iter().any(|other| session_of(&other.item) == session)
        };
        let owner = part.follows();
        let is_free = |parked: &Parked| {
            let session = session_of(&parked.item);
            let waits = |letter: &Letter| Some(letter.to) != owner && session_of(&letter.item) == session;
            session.is_none() || !part.letters.values().any(waits)
        };
        let can_go =
            || part.parked.iter().enumerate().any(|(index, parked)| is_first(index, parked) && is_free(parked));
        let overdue = part.parked.iter().map(|parked| parked.until).min();
        if self.is_open(now) && can_go() {
            return Some(now);
        }
        let again = Some(part.asking.until()).filter(|&at| at > now);
        overdue.into_iter().chain(again).min()
    }
}

/// Whose it is, where it is somebody's.
fn session_of(item: &InboxItem) -> Option<SessionId> {
    item.input().and_then(Input::caller).map(|by: &Caller| by.session)
}
