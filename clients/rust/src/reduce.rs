//! The store of a room: what is held, changed by one frame. No clock, no I/O, no randomness.

use std::mem;

use chat_core::wire::{ChangedMessage, Joined, MemberEntry, ServerFrame, TaggedMessage};
use chat_core::{MemberId, PersonData, Seq};

use crate::messages::Edit;
use crate::missed::Question;
use crate::state::{Ending, Hole, Presence, RoomState};

/// Messages that grow at a time. 64: a server shows 4 of a room.
const GROWING_MAX: usize = 64;

/// What an answer answers; its place tells whether it still fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A question of the room's own.
    Question(Question),
    /// A page of earlier messages that somebody wanted.
    Before(Seq),
}

impl RoomState {
    /// Takes a frame of the stream of this room. True for an event that has moved the position.
    pub(crate) fn apply(&mut self, frame: &ServerFrame) -> bool {
        let before = self.seq;
        match frame {
            ServerFrame::Joined(joined) => self.enter(joined),
            ServerFrame::RoomClosed { epoch, .. } if Some(*epoch) == self.epoch => self.end(Ending::new("closed")),
            // Before its `joined`, or a `welcome` that goes on, there is no position to move.
            _ if self.presence != Presence::Live => return false,
            ServerFrame::Read { read, .. } => self.take_read(*read),
            ServerFrame::Gap { .. } => self.gap(frame),
            ServerFrame::Typing { members, .. } => self.typing.clone_from(members),
            ServerFrame::Live { target, text, .. } => match text {
                Some(text) => {
                    self.growing.insert(*target, text.clone());
                    if self.growing.len() > GROWING_MAX {
                        self.growing.pop_first();
                    }
                }
                None => drop(self.growing.remove(target)),
            },
            ServerFrame::Signals { signals, .. } => self.signals.clone_from(signals),
            ServerFrame::Presence { members, online, .. } => {
                (self.members_total, self.online) = (*members, Some(*online));
            }
            ServerFrame::MemberLeft { seq: None, .. } => self.member_left(frame),
            _ => match frame.numbered() {
                Some((_, seq)) => self.event(seq, frame),
                None => return false,
            },
        }
        self.settle();
        let is_event = frame.numbered().is_some_and(|(_, seq)| seq == self.seq);
        is_event && self.seq > before
    }

    /// Takes an answer to what was asked.
    pub(crate) fn answer(&mut self, frame: &ServerFrame, asked: Asked) {
        match (frame, asked) {
            (ServerFrame::History { .. }, asked) => self.history(frame, asked),
            (ServerFrame::Changes { .. }, _) => self.changes(frame),
            (
                ServerFrame::Members { members, members_total, more, .. },
                Asked::Question(Question::Members { after }),
            ) => {
                self.list(members, *members_total, *more, after);
            }
            (ServerFrame::Read { read, .. }, _) => self.take_read(*read),
            _ => {}
        }
        self.settle();
    }

    fn settle(&mut self) {
        // Pages of one list may be of different moments, and so may be what each says of how many there are.
        if self.notices == chat_core::Notices::Told && self.listed_to.is_none() {
            self.members_total = self.members.len();
        }
    }

    fn take_read(&mut self, read: chat_core::wire::ReadStatus) {
        self.later_read(Some(read));
        // What was taken back since may still be counted in an answer that was overtaken.
        if self.due > read.as_of {
            self.read_due = self.due;
        }
    }

    fn event(&mut self, seq: Seq, frame: &ServerFrame) {
        if seq <= self.seq {
            return;
        }
        // No server leaves out a number without a `gap`; if one did, everything may have changed.
        if seq > self.seq.next() {
            let last = Seq(seq.0 - 1);
            self.miss(self.seq.next(), last, last);
        }
        if !self.misses() {
            self.known = self.known.max(seq);
        }
        self.seq = seq;
        self.happen(seq, frame);
        while self.held.list().len() > self.max.messages || self.held.bytes() > self.max.bytes {
            self.trim();
        }
    }

    /// Of a type that this version does not know an event moves the position, and that is all.
    fn happen(&mut self, seq: Seq, frame: &ServerFrame) {
        match frame {
            ServerFrame::Message(message) => {
                self.held.push(message);
                self.typing.retain(|member| Some(*member) != message.member);
                if let Some(author) = self.members.iter_mut().find(|member| Some(member.member) == message.member) {
                    author.online = true;
                }
            }
            ServerFrame::Redacted { target: Some(target), .. } => {
                self.held.redact(*target, seq);
                self.due = seq;
                self.read_again(seq, *target, *target);
            }
            ServerFrame::Edited { target, text, data, n, .. } => {
                self.due = seq;
                // One that a later change has superseded says nothing; what superseded it follows.
                if let (Some(target), Some(text)) = (target, text) {
                    self.held.edit(*target, seq, &Edit { text, data: data.as_ref(), n: *n });
                }
            }
            ServerFrame::Swept { range: Some(range), .. } => {
                self.held.sweep(range.member, range.from, range.to, seq);
                self.due = seq;
                self.read_again(seq, range.from, range.to);
            }
            ServerFrame::Reacted { target, reaction, .. } => {
                self.due = seq;
                if let (Some(target), Some(change)) = (target, reaction)
                    && !self.held.react(*target, seq, change)
                {
                    self.known = self.known.min(Seq(seq.0 - 1));
                }
            }
            ServerFrame::MemberJoined { member, nick, color, role, data, .. } => {
                self.members_at = seq;
                let now = MemberEntry::new(*member, nick.clone(), *color, *role, data.clone());
                match self.members.binary_search_by_key(member, |other| other.member) {
                    Ok(index) => self.members[index] = now,
                    Err(index) => {
                        self.members.insert(index, now);
                        self.members_total += 1;
                    }
                }
            }
            ServerFrame::MemberLeft { .. } => {
                self.members_at = seq;
                self.member_left(frame);
            }
            ServerFrame::MemberChanged { member, nick, data, .. } => {
                self.members_at = seq;
                let is_own = self.you.as_ref().is_some_and(|you| you.member == *member);
                // Of an earlier membership of one's own: the present one began under the name that `joined` says.
                if is_own && seq < self.entered {
                    return;
                }
                let own = self.you.iter_mut().filter(|you| you.member == *member);
                for shown in own.chain(self.members.iter_mut().filter(|other| other.member == *member)) {
                    show_as(shown, nick.as_deref(), data.as_ref());
                }
            }
            ServerFrame::RoleChanged { member, role, .. } => {
                self.members_at = seq;
                let own = self.you.iter_mut().filter(|you| you.member == *member);
                for shown in own.chain(self.members.iter_mut().filter(|other| other.member == *member)) {
                    shown.role = *role;
                }
            }
            ServerFrame::TopicChanged { topic, .. } => self.topic.clone_from(topic),
            ServerFrame::SettingsChanged { settings, .. } => self.settings = *settings,
            ServerFrame::NoticesChanged { notices, .. } => {
                (self.notices, self.online, self.listed_to) = (*notices, None, Some(MemberId(0)));
            }
            _ => {}
        }
    }

    /// Messages up to here were counted as unread, and some of them may count no more.
    fn read_again(&mut self, seq: Seq, from: Seq, to: Seq) {
        if self.read.is_some_and(|read| to > read.through && from <= read.as_of && seq > read.as_of) {
            self.read_due = self.read_due.max(seq);
        }
    }

    /// Only so much is held; a quarter goes at once, so that not every message moves the others.
    fn trim(&mut self) {
        self.held.drop_quarter();
        self.from = self.held.list().first().map_or(self.seq.next(), |first| first.seq);
        self.hole = self.hole.filter(|hole| hole.after.next() >= self.from);
        self.more = true;
    }

    /// Somebody has left; where leaves are only counted one is told of one's own alone, and no event.
    fn member_left(&mut self, frame: &ServerFrame) {
        let ServerFrame::MemberLeft { member, seq, reason, by, until, .. } = frame else { return };
        if self.you.as_ref().is_some_and(|you| you.member == *member) {
            // Before the present membership began: the end of an earlier one.
            if seq.is_none_or(|seq| seq >= self.entered) {
                self.end(Ending { by: *by, ..Ending::new(reason).until(*until) });
            }
            return;
        }
        let before = self.members.len();
        self.members.retain(|other| other.member != *member);
        // Who is not listed yet has a higher number than those who are.
        let was_counted = self.members.len() < before || self.listed_to.is_some_and(|last| *member > last);
        if was_counted {
            self.members_total = self.members_total.saturating_sub(1);
        }
        self.typing.retain(|other| other != member);
    }

    fn enter(&mut self, joined: &Joined) {
        let is_same = self.epoch == Some(joined.epoch);
        self.show_nothing();
        self.epoch = Some(joined.epoch);
        self.presence = Presence::Live;
        self.ended = None;
        self.you = Some(joined.you.clone());
        self.entered = joined.entered;
        let is_listed = joined.members.len() >= joined.members_total;
        let last = joined.members.iter().skip(1).last().map_or(MemberId(0), |member| member.member);
        self.listed_to = (!is_listed).then_some(last);
        self.members = sorted(joined.members.clone());
        (self.members_total, self.members_at) = (joined.members_total, joined.seq);
        (self.notices, self.online) = (joined.notices, None);
        self.topic.clone_from(&joined.topic);
        self.settings = joined.settings;
        if !is_same {
            self.read = None;
            (self.read_due, self.read_to) = (Seq(0), Seq(0));
        }
        self.later_read(joined.read);
        // It goes on from what is held, and what follows that is told. What is not one's own to see any more nobody would say to have changed.
        if is_same && joined.seq == self.seq {
            return self.see_above(joined.sees);
        }
        self.seq = joined.seq;
        self.held.clear();
        self.held.merge(joined.history.iter().map(TaggedMessage::frame), joined.as_of);
        let first = self.held.list().first().map_or(joined.seq.next(), |first| first.seq);
        self.from = if joined.more { first } else { Seq(1) };
        (self.more, self.hole, self.is_bare) = (joined.more, None, false);
        self.known = joined.seq.max(joined.as_of);
        self.due = joined.changed_at;
    }

    /// Without messages up to a floor.
    fn see_above(&mut self, floor: Seq) {
        if self.from <= floor {
            let cut = |hole: &Hole| Hole { after: hole.after.max(floor), ..*hole };
            self.hole = self.hole.filter(|hole| hole.through > floor).as_ref().map(cut);
            self.held.retain(|message| message.seq > floor);
        }
    }

    fn gap(&mut self, frame: &ServerFrame) {
        let ServerFrame::Gap { epoch, from, to, members, members_total, .. } = frame else { return };
        let ServerFrame::Gap { topic, notices, settings, changed_at, ended, .. } = frame else { return };
        if Some(*epoch) != self.epoch || *to <= self.seq {
            return;
        }
        let changed_at = if *ended { *to } else { changed_at.unwrap_or_default() };
        self.miss((*from).min(self.seq.next()), *to, changed_at);
        if *ended {
            return self.end(Ending::new("left").missed());
        }
        let you = self.you.as_ref().map(|you| you.member);
        if let Some(own) = members.iter().find(|member| Some(member.member) == you) {
            self.you = Some(own.clone());
        }
        let total = members_total.unwrap_or(members.len());
        let last = members.iter().rfind(|member| Some(member.member) != you).map_or(MemberId(0), |last| last.member);
        self.listed_to = (members.len() < total).then_some(last);
        self.members = sorted(members.clone());
        (self.members_total, self.members_at) = (total, *to);
        self.notices = notices.unwrap_or(self.notices);
        if let Some(topic) = topic {
            self.topic.clone_from(topic);
        }
        self.settings = *settings;
    }

    /// A page that was asked for before `from`, or after the beginning of the hole; any other is not where it was any more.
    fn history(&mut self, frame: &ServerFrame, asked: Asked) {
        let ServerFrame::History { epoch, messages, more_before, more_after, as_of, .. } = frame else { return };
        if epoch.is_some() && *epoch != self.epoch {
            return;
        }
        let frames = messages.iter().map(TaggedMessage::frame);
        match asked {
            Asked::Before(before) | Asked::Question(Question::Newest { before }) if before == self.from => {
                // It could not be read.
                if messages.is_empty() && *more_before {
                    return;
                }
                self.overtaken(*as_of);
                if matches!(asked, Asked::Before(_)) {
                    self.max.messages += messages.len();
                }
                self.held.merge(frames, *as_of);
                self.from = messages.first().filter(|_| *more_before).map_or(Seq(1), |first| first.frame().seq);
                (self.more, self.is_bare) = (*more_before, false);
            }
            Asked::Question(Question::Hole { after, through }) => {
                let Some(hole) = self.hole.filter(|hole| hole.after == after) else { return };
                if messages.is_empty() && *more_after {
                    return;
                }
                self.overtaken(*as_of);
                let within: Vec<_> = frames.filter(|message| message.seq <= hole.through).collect();
                // Where nothing follows, that is so of what there was when it was asked, and the hole may have grown since.
                let is_filled = !more_after || within.len() < messages.len();
                let last = within.last().map_or(Seq(0), |last| last.seq);
                let after = if is_filled { last.max(hole.through.min(through)) } else { last };
                self.held.merge(within, *as_of);
                self.hole = Some(Hole { after, ..hole }).filter(|hole| hole.after < hole.through);
            }
            _ => {}
        }
    }

    /// Changes of what a page brings may have overtaken it: these are asked for again.
    fn overtaken(&mut self, as_of: Seq) {
        if self.due > as_of {
            self.known = self.known.min(as_of);
        }
    }

    /// What was changed in what one missed, as it is now.
    fn changes(&mut self, frame: &ServerFrame) {
        let ServerFrame::Changes { epoch, messages, swept, through, as_of, .. } = frame else { return };
        if Some(*epoch) != self.epoch {
            return;
        }
        let is_gone = |seq: Seq| {
            let gone =
                |changed: &ChangedMessage| matches!(changed, ChangedMessage::Gone { seq: gone, .. } if *gone == seq);
            messages.iter().any(gone)
        };
        let there = messages.iter().filter_map(|changed| match changed {
            ChangedMessage::There(message) => self.message(message.frame().seq).map(|_| message.frame()),
            ChangedMessage::Gone { .. } => None,
        });
        let now: Vec<_> = there.collect();
        if messages.iter().any(|changed| matches!(changed, ChangedMessage::Gone { .. })) {
            self.held.retain(|message| message.as_of > *as_of || !is_gone(message.seq));
        }
        self.held.merge(now, *as_of);
        for range in swept {
            self.held.sweep(range.member, range.from, range.to, *as_of);
        }
        let known = self.known.max(*through);
        self.known = if self.due > known { known } else { known.max(self.seq) };
    }

    /// A page of members after a number, which lists all up to its last one, or all others; after 0 they are listed anew.
    fn list(&mut self, page: &[MemberEntry], total: usize, more: bool, after: MemberId) {
        if after.0 != 0 && Some(after) != self.listed_to {
            return;
        }
        let last = page.last().map_or(after, |last| last.member);
        let you = self.you.as_ref().map(|you| you.member);
        if let Some(own) = page.iter().find(|member| Some(member.member) == you) {
            self.you = Some(own.clone());
        }
        let mut all = mem::take(&mut self.members);
        all.retain(|member| member.member <= after || (more && member.member > last));
        all.extend_from_slice(page);
        self.members = sorted(all);
        self.members_total = total;
        self.listed_to = more.then_some(last);
    }
}

fn sorted(mut members: Vec<MemberEntry>) -> Vec<MemberEntry> {
    members.sort_by_key(|member| member.member);
    members.dedup_by_key(|member| member.member);
    members
}

fn show_as(member: &mut MemberEntry, nick: Option<&str>, data: Option<&Option<PersonData>>) {
    if let Some(nick) = nick {
        nick.clone_into(&mut member.nick);
    }
    if let Some(data) = data {
        member.data.clone_from(data);
    }
}
