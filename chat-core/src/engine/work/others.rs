//! What others have logged of a room is shown to those who read it here: from the log, and no faster than they follow.

use std::iter::once;

use crate::domain::{Event, Reaction, Record};
use crate::engine::feed::fanout::Extent;
use crate::engine::feed::overlay::Change;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::session::subscription::{End, Subscription};
use crate::engine::work::freeze::leave_to_records;
use crate::engine::work::load::{Loaded, publish_records};
use crate::engine::work::task::RoomTask;
use crate::ports::{Log, ReadError};
use crate::room::Room;
use crate::types::{MemberId, Offset, Seq, SessionId};

/// Whether a session is in a room that was read again, beyond its member being in it.
pub(crate) type IsHere = fn(&Room, SessionId, MemberId) -> bool;

impl RoomTask {
    /// The same incarnation, of which the log has let go of what follows here: readers hear a gap.
    pub(crate) async fn leap(&mut self, loaded: Loaded, written: &[(Seq, Vec<Reaction>)]) {
        let Some(feed) = self.feed() else { return };
        let (now, published) = (self.now(), self.state.room.last_offset());
        self.state.room.replace_ledger(now, loaded.ledger);
        self.state.tail = loaded.tail;
        feed.overlay.add(&loaded.owed);
        self.begin_to_show(&feed, written);
        self.let_go_of_shown(&feed);
        for record in loaded.recent.iter().filter(|record| record.offset > published) {
            self.show(&feed, record, |_, _, _| true).await;
        }
        self.end_showing(&feed, |_, _, _| true);
    }

    /// Before what others have logged is shown: what they have ended is shown no more.
    pub(crate) fn begin_to_show(&mut self, feed: &RoomFeed, written: &[(Seq, Vec<Reaction>)]) {
        self.end_live();
        leave_to_records(feed, written);
        self.show_all_reactions(feed);
    }

    /// The log has let go of some of what follows here. By a record of it that nobody is told, somebody may have been erased whom the backlog names: nothing
    /// that came before is shown from it any more.
    pub(crate) fn let_go_of_shown(&mut self, feed: &RoomFeed) {
        // Nobody has been slow.
        self.state.subscribers.values().for_each(|reader| reader.connection.note_blocked());
        feed.backlog.leap(feed.backlog.head());
        self.let_go_of_view(feed);
    }

    /// What a gap would show of the room may name somebody who is erased by now: it is made anew for whoever asks next.
    pub(crate) fn let_go_of_view(&mut self, feed: &RoomFeed) {
        feed.gap_view.forget();
        self.state.gap_view_made = None;
    }

    /// Shows what others have logged behind a record, as far as the log still has it. The room is what they have made of it by now; behind which
    /// record the next is to be shown.
    ///
    /// # Errors
    /// Where the log cannot be read now: it is to be tried again.
    pub(crate) async fn show_from_log(
        &mut self,
        log: &dyn Log,
        feed: &RoomFeed,
        shown: &mut Offset,
        is_here: IsHere,
    ) -> Result<(), ReadError> {
        let end = self.state.tail.offset;
        while *shown < end {
            let page = log.read(&self.cell.code, Some(feed.epoch), *shown, self.page_max()).await?;
            let follows = page.records.first().is_some_and(|first| first.offset == shown.next());
            if page.tail.epoch != Some(feed.epoch) || !follows {
                return Ok(());
            }
            for record in page.records.iter().take_while(|record| record.offset <= end) {
                self.show(feed, record, is_here).await;
                *shown = record.offset;
            }
        }
        Ok(())
    }

    /// Shows a record of somebody else. Where it does not follow on what was shown, readers hear a gap.
    pub(crate) async fn show(&mut self, feed: &RoomFeed, record: &Record, is_here: IsHere) {
        self.let_readers_follow().await;
        let head = feed.backlog.head();
        if let Some(leaver) = record.leaver() {
            self.end_stays(feed, leaver, record, is_here);
        }
        let change = Change::of(record).or_else(|| Change::of_quiet(record, head));
        if let Some(change) = &change {
            feed.overlay.add(std::slice::from_ref(change));
        }
        if let Some(seq) = record.seq {
            if seq > head.next() {
                // Nobody has been slow.
                self.state.subscribers.values().for_each(|reader| reader.connection.note_blocked());
                feed.backlog.leap(Seq(seq.0 - 1));
            }
            let before = feed.backlog.head();
            publish_records(feed, once(record));
            self.state.fanout.note(Extent { events: 1, bytes: feed.backlog.bytes_after(before) });
            self.state.fanout.begin();
        }
        if let Some(change) = &change {
            feed.backlog.amend(change);
            if matches!(change, Change::Erase(_)) {
                self.let_go_of_view(feed);
            }
        }
        if let Event::Settled { through, .. } = record.event {
            feed.overlay.amended(through);
        }
        if let Event::Scrubbed { through } = record.event {
            feed.overlay.scrubbed(through);
        }
    }

    /// All that others have logged has been shown: what those read who are not in the room by now, as no record has said, ends here.
    pub(crate) fn end_showing(&mut self, feed: &RoomFeed, is_here: IsHere) {
        if self.state.room.head() > feed.backlog.head() {
            // The log has let go of the last of it.
            self.state.subscribers.values().for_each(|reader| reader.connection.note_blocked());
            feed.backlog.leap(self.state.room.head());
        }
        let (room, head) = (&self.state.room, feed.backlog.head());
        let dangling = self.state.part.as_ref().map_or(&[][..], |part| &part.dangling);
        self.state.subscribers.retain(|session, reader| {
            let is_here = |member| is_here(room, *session, member) || dangling.contains(session);
            let stays = stays(room, &reader.subscription, is_here);
            match room.member(reader.subscription.member).filter(|_| stays) {
                Some(member) => reader.subscription.note_nick(&member.nick),
                None => reader.end(head, End::Quiet),
            }
            reader.connection.wake.wake();
            stays
        });
    }

    /// What a member reads who leaves with this record, and has not stayed in the room, ends with it. Of those who came in again since it is the
    /// stay before.
    fn end_stays(&mut self, feed: &RoomFeed, leaver: MemberId, record: &Record, is_here: IsHere) {
        let (room, head) = (&self.state.room, feed.backlog.head());
        let dangling = self.state.part.as_ref().map_or(&[][..], |part| &part.dangling);
        self.state.subscribers.retain(|session, reader| {
            let subscription = &reader.subscription;
            let is_here = |member| is_here(room, *session, member) || dangling.contains(session);
            if subscription.member != leaver || stays(room, subscription, is_here) {
                return true;
            }
            if let Event::Left { nick, .. } = &record.event {
                subscription.note_nick(nick);
            }
            match record.seq {
                Some(until) => reader.end(until, End::Membership),
                None => reader.end(head, End::Quiet),
            }
            reader.connection.wake.wake();
            false
        });
    }
}

fn stays(room: &Room, subscription: &Subscription, is_here: impl Fn(MemberId) -> bool) -> bool {
    is_there(room, subscription) && is_here(subscription.member)
}

/// Whether the stay that this reads for has not ended.
pub(crate) fn is_there(room: &Room, subscription: &Subscription) -> bool {
    room.member(subscription.member).is_some_and(|stay| subscription.is_of(stay))
}
