//! One room as one person sees it, frame by frame: what may come next, and what may not.

use chat_core::wire::{Joined, RoomStatus, Status};
use chat_core::{Epoch, MemberId, Position, Seq, ServerFrame};

use crate::support::summary;
use crate::truth::Truth;

/// What a person knows of a room.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) room: String,
    epoch: Epoch,
    /// As whom.
    member: MemberId,
    /// Where this stay began.
    from: Seq,
    /// The last event seen.
    seq: Seq,
    state: State,
    /// One has left, and knows it, but has not been told everything up to there.
    leaving: bool,
    /// The position named with the last resume, where it is of the life that the server says one is in.
    named: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Events follow.
    Open,
    /// After a resume that does not go on from here: a `joined` follows.
    AwaitsJoined,
    /// The membership has ended; at most the end of the room follows.
    Ended,
}

impl View {
    /// A stay begins, where it was asked to go on after a position of this life, if it was.
    pub(crate) fn joined(joined: &Joined, earlier: Option<&View>, after: Option<Position>, truth: &Truth) -> Self {
        let room = joined.room.as_str();
        if let Some(earlier) = earlier {
            let is_over = earlier.state != State::Open;
            // After a resume: one may be shown where one is already, as another member too, whose join nobody has heard of.
            let is_the_same = earlier.position() == joined.position();
            assert!(is_over || is_the_same, "{room}: an earlier stay is told to its end: {earlier:?}");
        }
        // One that answers nothing follows a resume, and goes on from the position named there.
        let named = earlier.filter(|_| joined.id.is_none()).and_then(|earlier| earlier.named);
        match after.or(named).filter(|after| after.epoch == joined.epoch) {
            // The members are those of now, whatever is still to be told.
            Some(after) => {
                let goes_on = after.seq == joined.seq && truth.tells;
                assert!(!goes_on || joined.history.is_empty(), "{room}: events follow instead");
            }
            None => truth.check_members(room, joined.epoch, joined.seq, &joined.members),
        }
        assert_eq!(joined.members[0], joined.you, "oneself first");
        let all = truth.messages(room, joined.epoch, joined.seq);
        let shown: Vec<Seq> = joined.history.iter().map(|message| message.frame().seq).collect();
        assert!(all.ends_with(&shown), "{room}: the last messages and nothing else: {shown:?} of {all:?}");
        for message in &joined.history {
            let frame = message.frame().clone();
            let (seq, told) = (frame.seq, summary(&ServerFrame::Message(frame)));
            assert!(truth.told(room, joined.epoch, seq).contains(&told), "{room}: {told}");
        }
        Self {
            room: room.to_owned(),
            epoch: joined.epoch,
            member: joined.you.member,
            from: joined.seq,
            seq: joined.seq,
            state: State::Open,
            leaving: false,
            named: None,
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }

    /// Where this stay began.
    pub(crate) fn from(&self) -> Seq {
        self.from
    }

    /// Whether one is a member, as far as one knows.
    pub(crate) fn is_open(&self) -> bool {
        self.state != State::Ended && !self.leaving
    }

    /// Whether one knows where one is, and may name it when coming back.
    pub(crate) fn has_position(&self) -> bool {
        self.state == State::Open && !self.leaving
    }

    /// The leave has been acknowledged; the stream goes on to its end.
    pub(crate) fn left(&mut self) {
        self.leaving = true;
    }

    /// A new connection: what an ended stay had still to tell does not come any more.
    pub(crate) fn reconnected(&mut self) {
        if self.leaving {
            self.state = State::Ended;
        }
    }

    /// What the welcome says, after the position that was named. `false` when there is nothing to know any more.
    pub(crate) fn resumed(&mut self, status: &RoomStatus, named: Option<Position>) -> bool {
        match status.status {
            Status::Live | Status::Gap => {
                self.named = named.filter(|named| Some(named.epoch) == status.epoch);
                let reached = status.epoch.zip(status.seq).map(|(epoch, seq)| Position { epoch, seq });
                match named.filter(|_| self.state != State::Ended && reached == named) {
                    Some(named) => (self.seq, self.state) = (named.seq, State::Open),
                    None => self.state = State::AwaitsJoined,
                }
            }
            Status::Left => self.state = State::Ended,
            Status::Closed | Status::Unknown => return false,
            other => panic!("there is no log that could fail: {other:?}"),
        }
        true
    }

    /// An event of this room.
    pub(crate) fn event(&mut self, seq: Seq, frame: &ServerFrame, truth: &Truth) {
        let told = summary(frame);
        assert_eq!(self.state, State::Open, "{}: {told} for a member only: {self:?}", self.room);
        assert_eq!(seq, self.seq.next(), "{}: {told} is the next", self.room);
        assert!(truth.told(&self.room, self.epoch, seq).contains(&told), "{}: {told}", self.room);
        self.seq = seq;
        if matches!(frame, ServerFrame::MemberLeft { member, .. } if *member == self.member) {
            self.state = State::Ended;
        }
    }

    /// One has left, and no event says so.
    pub(crate) fn left_quietly(&mut self, frame: &ServerFrame) {
        let ServerFrame::MemberLeft { position, member, .. } = frame else { panic!("one's own leaving") };
        assert_eq!((self.state, *member), (State::Open, self.member), "{frame:?} in {self:?}");
        assert_eq!(position.as_ref(), Some(&self.position().to_string()), "everything before it has been told");
        self.state = State::Ended;
    }

    /// Events that will not come.
    pub(crate) fn gap(&mut self, frame: &ServerFrame, truth: &Truth) {
        let ServerFrame::Gap { epoch, from, to, members, ended, .. } = frame else { panic!("a gap") };
        assert_eq!((self.state, self.epoch, self.seq.next()), (State::Open, *epoch, *from), "{frame:?} in {self:?}");
        assert!(to >= from && *to <= truth.head(&self.room, self.epoch), "{frame:?}");
        self.seq = *to;
        if *ended {
            self.state = State::Ended;
        } else {
            truth.check_members(&self.room, self.epoch, *to, members);
        }
    }

    /// The end of the room.
    pub(crate) fn closed(&self, epoch: Epoch, truth: &Truth) {
        assert_eq!(self.epoch, epoch, "{}: this life", self.room);
        assert_eq!(self.seq, truth.head(&self.room, epoch), "{}: told to its end", self.room);
    }

    /// Everything has been read and nothing happens any more.
    pub(crate) fn check_at_the_end(&self, truth: &Truth) {
        let is_told = match self.state {
            State::Open => self.seq == truth.head(&self.room, self.epoch) && !self.leaving,
            State::AwaitsJoined => false,
            State::Ended => true,
        };
        assert!(is_told, "{}: nothing is missing at the end: {self:?}", self.room);
    }
}
