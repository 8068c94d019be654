//! One room as one person sees it, frame by frame: what may come next, and what may not.

use std::time::Duration;

use chat_core::wire::{Joined, RoomStatus, Status};
use chat_core::{Epoch, MemberId, Notices, Position, Seq, ServerFrame};
use tokio::time::Instant;

use crate::promise::{Broken, Promise, hold};
use crate::summary::summary;
use crate::truth::{Truth, check_members, check_roles};

/// A membership: in which life of which room, and since which event.
pub(crate) type Stay = (String, Epoch, Seq);

/// What a person knows of a room.
#[derive(Debug)]
pub(crate) struct View {
    room: String,
    epoch: Epoch,
    /// As whom.
    member: MemberId,
    /// Where this stay began.
    from: Seq,
    /// Where it says that the present membership began: one's own leaving before that was of an earlier one.
    entered: Seq,
    /// The last event seen.
    seq: Seq,
    state: State,
    /// One has left, and knows it, but has not been told everything up to there.
    leaving: bool,
    /// The position named with the last resume, where it is of the life that the server says one is in.
    named: Option<Position>,
    /// The server could not say, and a `joined` it spoke of before has not come.
    is_open_question: bool,
    /// Since when the server has owed a word on where one stands.
    waits: Option<Instant>,
    /// More was due than was wanted: a gap comes before anything else.
    skips: bool,
    /// Since when events follow.
    since: Instant,
    /// Whether joins and leaves are only counted here.
    counts: bool,
    /// Members, and those of them with a connection, as last told.
    presence: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Events follow.
    Open,
    /// After a resume that does not go on from here: a `joined` follows.
    AwaitsJoined,
    /// The server could not say: the next connection asks again.
    Parked,
    /// The membership has ended; at most the end of the room follows.
    Ended,
}

impl View {
    /// A stay begins, where it was asked to go on after a position of this life, if it was.
    pub(crate) fn joined(
        joined: &Joined,
        earlier: Option<&View>,
        after: Option<Position>,
        truth: &Truth,
        tells: bool,
    ) -> Result<Self, Broken> {
        let (room, epoch, seq) = (joined.room.as_str(), joined.epoch, joined.seq);
        if let Some(earlier) = earlier {
            let is_over = earlier.state != State::Open;
            // After a resume: one may be shown where one is already, as another member too, whose join nobody has heard of.
            let is_the_same = earlier.position() == joined.position();
            // Where leaves are only counted, no event is missing, but that one is out.
            let promise = if earlier.counts { Promise::EndTold } else { Promise::Interval };
            hold!(is_over || is_the_same, promise, "{room}: {} before the end of {earlier:?}", joined.seq);
        }
        let head = truth.head(room, epoch);
        hold!(seq <= head, Promise::Logged, "{room}: joined at {epoch}:{seq}, and the log ends at {head}");
        // One that answers nothing follows a resume, and goes on from the position named there.
        let named = earlier.filter(|_| joined.id.is_none()).and_then(|earlier| earlier.named);
        let after = after.or(named).filter(|after| after.epoch == epoch);
        match after {
            // The members are those of now, whatever is still to be told.
            Some(after) => {
                let goes_on = after.seq == seq && tells;
                let empty = joined.history.is_empty();
                hold!(!goes_on || empty, Promise::Interval, "{room}: a history where events follow from {seq}");
            }
            None => {
                let set = truth.settings(room, epoch, seq);
                let is_told = joined.settings == set;
                hold!(is_told, Promise::Settings, "{room}: {:?} at {seq}, and {set:?} is set", joined.settings);
                if tells {
                    check_shown(truth, joined)?;
                }
            }
        }
        let has_entered = truth.has_entered(room, epoch, joined.you.member, joined.entered);
        hold!(has_entered, Promise::Fold, "{room}: no join of {} at {}", joined.you.member, joined.entered);
        hold!(joined.members.first() == Some(&joined.you), Promise::Fold, "{room}: oneself is not first");
        let all = truth.messages(room, epoch, seq);
        let shown: Vec<Seq> = joined.history.iter().map(|message| message.frame().seq).collect();
        let are_last = all.ends_with(&shown);
        hold!(are_last, Promise::Fold, "{room}: history {shown:?} is not the last of {all:?}");
        let floor = truth.floor(room, epoch, joined.you.member);
        let is_above = shown.first().is_none_or(|first| *first > floor) && seq >= floor;
        hold!(is_above, Promise::Floor, "{room}: {shown:?} at {seq} to {}, whose floor is {floor}", joined.you.member);
        for message in &joined.history {
            check_told(truth, room, epoch, message.frame().seq, &ServerFrame::Message(message.frame().clone()))?;
        }
        Ok(Self {
            room: room.to_owned(),
            epoch,
            member: joined.you.member,
            from: seq,
            entered: joined.entered,
            seq,
            state: State::Open,
            leaving: false,
            named: None,
            is_open_question: false,
            waits: None,
            skips: false,
            since: Instant::now(),
            counts: joined.notices == Notices::Counted,
            presence: None,
        })
    }

    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    /// As whom one is or was there.
    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }

    /// Where this stay began.
    pub(crate) fn from(&self) -> Seq {
        self.from
    }

    /// The present membership.
    pub(crate) fn stay(&self) -> Stay {
        (self.room.clone(), self.epoch, self.entered)
    }

    /// Whether one is a member, as far as one knows.
    pub(crate) fn is_open(&self) -> bool {
        self.state != State::Ended && !self.leaving
    }

    /// Whether one can talk here.
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Open && !self.leaving
    }

    /// Whether one could for so long, on one connection.
    pub(crate) fn is_live_for(&self, time: Duration) -> bool {
        self.is_live() && self.since.elapsed() >= time
    }

    /// Whether one knows where one is, and may name it when coming back.
    pub(crate) fn has_position(&self) -> bool {
        matches!(self.state, State::Open | State::Parked) && !self.leaving
    }

    /// Whether the server could not say where one is.
    pub(crate) fn is_parked(&self) -> bool {
        self.state == State::Parked || self.is_open_question
    }

    /// The leave has been acknowledged; the stream goes on to its end.
    pub(crate) fn left(&mut self) {
        self.leaving = true;
    }

    /// One comes back, and more is due than one wanted.
    pub(crate) fn expect_skip(&mut self) {
        self.skips = true;
    }

    /// A new connection: what an ended stay had still to tell does not come any more.
    pub(crate) fn reconnected(&mut self) {
        (self.waits, self.skips) = (None, false);
        if self.leaving {
            self.state = State::Ended;
        }
    }

    /// Whether the room is still to say where one is.
    pub(crate) fn waits(&self) -> bool {
        self.waits.is_some()
    }

    /// The room says where one is, which it could not when one was welcomed.
    pub(crate) fn resumed_late(&mut self, status: &RoomStatus, named: Option<Position>) -> Result<bool, Broken> {
        let is_due = self.waits.is_some() && status.status != Status::Waiting;
        hold!(is_due, Promise::Protocol, "{status:?} where nothing was to be said: {self:?}");
        self.resumed(status, named)
    }

    /// Whether the server has said in time where one is.
    pub(crate) fn check_answered(&self, patience: Duration) -> Result<(), Broken> {
        let is_late = self.waits.is_some_and(|since| since.elapsed() > patience);
        hold!(!is_late, Promise::Answered, "{}: it is never said where {self:?} is", self.room);
        Ok(())
    }

    /// What the welcome says, after the position that was named. `false` when there is nothing to know any more.
    pub(crate) fn resumed(&mut self, status: &RoomStatus, named: Option<Position>) -> Result<bool, Broken> {
        self.is_open_question = false;
        self.waits = (status.status == Status::Waiting).then(Instant::now);
        match status.status {
            Status::Live | Status::Gap => {
                let reached = status.epoch.zip(status.seq).map(|(epoch, seq)| Position { epoch, seq });
                self.named = named.filter(|named| Some(named.epoch) == status.epoch);
                match named.filter(|_| self.state != State::Ended && reached == named) {
                    Some(named) => (self.seq, self.state, self.since) = (named.seq, State::Open, Instant::now()),
                    None => self.state = State::AwaitsJoined,
                }
            }
            Status::Left => self.state = State::Ended,
            Status::Closed | Status::Unknown => return Ok(false),
            Status::Waiting | Status::Unavailable => match self.state {
                State::AwaitsJoined => self.is_open_question = true,
                State::Ended => {}
                State::Open | State::Parked => self.state = State::Parked,
            },
            other => hold!(false, Promise::Protocol, "{}: a status of {other:?}", self.room),
        }
        Ok(true)
    }

    /// An event of this room.
    pub(crate) fn event(&mut self, seq: Seq, frame: &ServerFrame, truth: &Truth) -> Result<(), Broken> {
        let told = summary(frame);
        hold!(self.state == State::Open, Promise::Interval, "{}: \"{told}\" to {self:?}", self.room);
        hold!(seq == self.seq.next(), Promise::Interval, "{}: \"{told}\" follows {}", self.room, self.seq);
        hold!(!self.skips, Promise::Skips, "{}: \"{told}\" to {self:?}", self.room);
        check_told(truth, &self.room, self.epoch, seq, frame)?;
        let floor = truth.floor(&self.room, self.epoch, self.member);
        hold!(seq > floor, Promise::Floor, "{}: \"{told}\" to {self:?}, whose floor is {floor}", self.room);
        if let ServerFrame::Redacted { target, .. }
        | ServerFrame::Edited { target, .. }
        | ServerFrame::Reacted { target, .. } = frame
        {
            let is_theirs = truth.target(&self.room, self.epoch, seq).is_some_and(|of| of > floor);
            let is_so = target.is_some() == is_theirs;
            hold!(is_so, Promise::Floor, "{}: \"{told}\" to {self:?}, whose floor is {floor}", self.room);
        }
        if let ServerFrame::Swept { range, .. } = frame {
            let swept = truth.swept(&self.room, self.epoch, seq).filter(|(_, to)| *to > floor);
            let theirs = swept.map(|(from, to)| (from.max(floor.next()), to));
            let is_so = range.map(|range| (range.from, range.to)) == theirs;
            hold!(is_so, Promise::Floor, "{}: \"{told}\" to {self:?}, whose floor is {floor}", self.room);
        }
        self.seq = seq;
        if let ServerFrame::NoticesChanged { notices, .. } = frame {
            self.counts = *notices == Notices::Counted;
        }
        if matches!(frame, ServerFrame::MemberLeft { member, .. } if *member == self.member) && seq >= self.entered {
            self.state = State::Ended;
        }
        Ok(())
    }

    /// One has left, and no event says so.
    pub(crate) fn left_quietly(&mut self, frame: &ServerFrame, truth: &Truth) -> Result<(), Broken> {
        let ServerFrame::MemberLeft { position, member, .. } = frame else { unreachable!("one's own leaving") };
        let (told, is_own) = (summary(frame), *member == self.member && self.state == State::Open);
        hold!(is_own, Promise::Interval, "\"{told}\" to {self:?}");
        let is_at_the_end = position.as_ref() == Some(&self.position().to_string());
        hold!(is_at_the_end, Promise::Interval, "\"{told}\" at {position:?} to {self:?}");
        let is_out = truth.has_left(&self.room, self.epoch, self.member);
        hold!(is_out, Promise::Logged, "\"{told}\" to {self:?}, and the log has no leave");
        self.state = State::Ended;
        Ok(())
    }

    /// Events that will not come.
    pub(crate) fn gap(&mut self, frame: &ServerFrame, truth: &Truth, tells: bool) -> Result<(), Broken> {
        let ServerFrame::Gap { epoch, from, to, members, ended, notices, settings, .. } = frame else {
            unreachable!("a gap")
        };
        let is_next = (self.state, self.epoch, self.seq.next()) == (State::Open, *epoch, *from);
        hold!(is_next, Promise::Interval, "\"{}\" to {self:?}", summary(frame));
        let head = truth.head(&self.room, self.epoch);
        hold!(to >= from && *to <= head, Promise::Interval, "\"{}\" where the log ends at {head}", summary(frame));
        (self.seq, self.skips) = (*to, false);
        self.counts = notices.map_or(self.counts, |notices| notices == Notices::Counted);
        let set = truth.settings(&self.room, self.epoch, *to);
        let is_told = *ended || *settings == set;
        hold!(is_told, Promise::Settings, "{}: {settings:?} as of {to}, and {set:?} is set", self.room);
        if *ended {
            self.state = State::Ended;
        } else if tells {
            check_members(truth, &self.room, self.epoch, *to, members)?;
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn presence(&mut self, members: usize, online: usize) {
        self.presence = Some((members, online));
    }

    /// Whether what has been due for some time to somebody who reads has been told.
    pub(crate) fn check_in_time(&self, truth: &Truth, late: Duration) -> Result<(), Broken> {
        let is_open = self.state == State::Open;
        let Some(since) = Instant::now().checked_sub(late).filter(|since| is_open && self.since <= *since) else {
            return Ok(());
        };
        let ended = truth.ended(&self.room, self.epoch, self.member, self.since).filter(|ended| *ended <= since);
        hold!(ended.is_none(), Promise::EndTold, "{}: one is out, which is not told to {self:?}", self.room);
        if self.leaving {
            return Ok(());
        }
        let due = truth.due(&self.room, self.epoch, since);
        if self.seq >= due && !self.counts {
            return Ok(());
        }
        // Who has just left is still to be told so.
        let Some((members, changed, true)) = truth.count(&self.room, self.epoch, self.member) else { return Ok(()) };
        hold!(self.seq >= due, Promise::InTime, "{}: {due} is not told after {late:?} to {self:?}", self.room);
        let is_told = !self.counts || changed > since || self.presence.is_some_and(|(told, _)| told == members);
        hold!(is_told, Promise::InTime, "{}: it has {members} members, which is not told to {self:?}", self.room);
        Ok(())
    }

    /// The end of the room. Nobody can read its last events any more: whose server could not be told of them may not have heard them.
    pub(crate) fn closed(&self, epoch: Epoch, truth: &Truth, may_miss: bool) -> Result<(), Broken> {
        hold!(self.epoch == epoch, Promise::Lifetime, "{}: {epoch} is closed for {self:?}", self.room);
        let head = truth.head(&self.room, epoch);
        hold!(truth.is_over(&self.room, epoch), Promise::Logged, "{}: closed, and the log goes on", self.room);
        hold!(self.seq == head || may_miss, Promise::Interval, "{}: closed at {head} for {self:?}", self.room);
        Ok(())
    }

    /// Everything has been read and nothing happens any more.
    pub(crate) fn check_at_the_end(&self, truth: &Truth) -> Result<(), Broken> {
        let is_ended = self.state == State::Ended;
        let is_out = truth.ended(&self.room, self.epoch, self.member, self.since).is_some();
        hold!(is_ended || !is_out, Promise::EndTold, "{}: one is out, which is not told to {self:?}", self.room);
        let head = truth.head(&self.room, self.epoch);
        let has_all = self.seq == head && !truth.is_over(&self.room, self.epoch);
        let is_told = is_ended || (self.state == State::Open && has_all);
        hold!(is_told, Promise::CatchUp, "{}: the log ends at {head} for {self:?}", self.room);
        if let Some((members, _, true)) = truth.count(&self.room, self.epoch, self.member)
            && self.is_live()
            && self.counts
        {
            let is_counted = self.presence == Some((members, members));
            hold!(is_counted, Promise::CatchUp, "{}: all of {members} members are there for {self:?}", self.room);
        }
        Ok(())
    }
}

/// Whether somebody who comes in is shown the members there are: oneself, and the first of the others, all of them unless many
/// answers wait to be read.
fn check_shown(truth: &Truth, joined: &Joined) -> Result<(), Broken> {
    let (room, seq, you, total) = (&joined.room, joined.seq, joined.you.member, joined.members_total);
    let members = truth.members(room, joined.epoch, seq);
    let is_all = members.contains(&you) && members.len() == total;
    hold!(is_all, Promise::Fold, "{room}: {total} members with {you} as of {seq}, the log says {members:?}");
    let shown: Vec<MemberId> = joined.members.iter().skip(1).map(|entry| entry.member).collect();
    let are_first = members.iter().filter(|member| **member != you).take(shown.len()).eq(&shown);
    hold!(are_first, Promise::Fold, "{room}: to {you}, {shown:?} are shown as of {seq} of {members:?}");
    check_roles(truth, room, joined.epoch, seq, &joined.members)
}

/// Whether the log says the same under this number.
fn check_told(truth: &Truth, room: &str, epoch: Epoch, seq: Seq, frame: &ServerFrame) -> Result<(), Broken> {
    let (told, may_be) = (summary(frame), truth.told(room, epoch, seq));
    hold!(!may_be.is_empty(), Promise::Logged, "{room}: \"{told}\" is told, and the log has no {seq}");
    hold!(may_be.contains(&told), Promise::OneOrder, "{room}: \"{told}\" is told, the log says {may_be:?}");
    Ok(())
}
