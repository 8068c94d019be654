//! One who reads: at any pace, from any position, and knows what may come next.

use std::collections::BTreeMap;
use std::fmt;
use std::task::{Context, Waker};

use bytes::BytesMut;
use chat_core::wire::{Joined, MemberEntry, RoomStatus, Status};
use chat_core::{
    Command, ConnectRequest, Connection, Engine, Epoch, FrameRef, Framing, Hello, HistoryAnchor, MemberId, Nick,
    PersonData, Position, Resume, Seq, ServerFrame,
};

use super::{Truth, room};
use crate::checks::choices::Choices;

pub(super) struct Reader {
    nick: Nick,
    token: Option<String>,
    session: Option<Connection>,
    /// As whom, where the stay began, and the last event seen.
    member: MemberId,
    /// Where the present membership began.
    entered: Seq,
    from: Seq,
    at: Seq,
    due: Due,
    /// The `welcome` of this connection has been read.
    is_welcomed: bool,
    /// Whether the last thing asked for, and granted, was to come in.
    wants_in: bool,
    /// A leave was granted since the last `joined`.
    has_left: bool,
    /// A join was granted and its `joined` is still to come; after which position it asked to go on.
    entering: Option<Option<Position>>,
    /// The position named when coming back.
    named: Option<Position>,
    /// Where more events than this are due, one gap is to be told.
    catch_up: Option<u32>,
    /// More was due than that when this connection was made: nothing comes before the gap.
    skips: bool,
    /// A frame of which the socket has taken a part.
    half: Option<ServerFrame>,
    /// What is shown beside the messages on this connection: those that grow, and what the speaker shows.
    growing: BTreeMap<Seq, String>,
    signal: Option<u8>,
}

/// What of the room may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Nothing: one is not in.
    Nothing,
    /// The next event, or a gap that begins there.
    Events,
    /// A `joined`: after coming back without a position.
    Joined,
    /// One or the other: after coming back with a position that one never had.
    Either,
}

/// Frames one after the other, and where each ends.
#[derive(Default)]
struct Ends(Vec<(usize, ServerFrame)>);

impl Framing for Ends {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        self.0.push((out.len(), parse(frame.json)));
    }
}

impl Reader {
    pub(super) fn new(nick: Nick, catch_up: Option<u32>) -> Self {
        Self {
            nick,
            token: None,
            session: None,
            member: MemberId(0),
            entered: Seq(0),
            from: Seq(0),
            at: Seq(0),
            due: Due::Nothing,
            is_welcomed: false,
            wants_in: false,
            has_left: false,
            entering: None,
            named: None,
            catch_up,
            skips: false,
            half: None,
            growing: BTreeMap::new(),
            signal: None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn cut(&mut self) {
        self.session = None;
        self.half = None;
    }

    /// Connects, comes back or takes over: with its position, an earlier one, one of nobody, or none.
    pub(super) async fn connect(&mut self, engine: &Engine, truth: &Truth, choices: &mut Choices<'_>) {
        let has_position = self.due == Due::Events && self.wants_in && self.entering.is_none();
        self.named = match choices.below(5) {
            _ if !has_position => None,
            0 | 1 => Some(Position { epoch: truth.epoch(), seq: self.at }),
            2 => Some(self.earlier(truth, choices)),
            3 => Some(Position {
                epoch: Epoch(truth.epoch().0 ^ u64::from(choices.below(2) as u8)),
                seq: Seq(choices.word().into()),
            }),
            _ => None,
        };
        let due = |named: Position| truth.head().0.saturating_sub(named.seq.0);
        self.skips = self.catch_up.zip(self.named).is_some_and(|(most, named)| due(named) > u64::from(most));
        let positions = self.named.map(|position| (room(), position)).into_iter().collect();
        let resume = self.token.clone().map(|token| Resume { token, positions });
        let session = engine
            .connect(ConnectRequest::default(), Hello { resume, catch_up: self.catch_up, ..Hello::default() })
            .await;
        let session = session.expect("everybody is let in");
        self.token.get_or_insert_with(|| session.token());
        self.half = None;
        self.entering = None;
        self.is_welcomed = false;
        // The rest of a stay that one has left does not come any more.
        if self.has_left || !self.wants_in {
            self.due = Due::Nothing;
        }
        self.session = Some(session);
    }

    pub(super) async fn enter(&mut self, truth: &Truth, choices: &mut Choices<'_>) {
        let Some(session) = &self.session else { return };
        if self.wants_in {
            return;
        }
        let goes_on = choices.in_256(100) && self.at > Seq(0);
        let after = goes_on.then(|| self.earlier(truth, choices));
        let join = Command::join(room(), self.nick.clone()).with_position(after);
        if session.call(join).await.is_ok() {
            self.wants_in = true;
            self.entering = Some(after);
        }
    }

    /// Leaves a room that one has been shown: of two that are still to come it could not be told whose a `joined` is.
    pub(super) async fn leave(&mut self) {
        let is_shown = self.is_welcomed && self.due == Due::Events && self.entering.is_none();
        let Some(session) = self.session.as_ref().filter(|_| is_shown) else { return };
        if session.call(Command::leave(room())).await.is_ok() {
            self.wants_in = false;
            self.has_left = true;
        }
    }

    /// Looks at a page after, or around, the middle of what it has seen: a stretch of what was said, which says whether it goes on.
    pub(super) async fn page(&self, truth: &Truth) {
        let Some(session) = &self.session else { return };
        let middle = Seq(self.at.0 / 2);
        let is_after = self.at.0.is_multiple_of(2);
        let anchor = if is_after { HistoryAnchor::After(middle) } else { HistoryAnchor::Around(middle) };
        let asked = Command::history(room()).with_anchor(anchor).with_limit(5);
        let Ok(ServerFrame::History { messages, more_after, .. }) = session.call(asked).await else { return };
        let shown: Vec<Seq> = messages.iter().map(|message| message.frame().seq).collect();
        let all = truth.last_messages(truth.head(), usize::MAX);
        let start = shown.first().map_or(0, |first| all.partition_point(|seq| seq < first));
        assert_eq!(shown, all[start..start + shown.len()], "a stretch of what was said");
        assert!(!is_after || shown.first().is_none_or(|first| *first > middle), "{anchor:?}: {shown:?}");
        let last = shown.last().copied().unwrap_or(middle);
        let follows = |until: Seq| all.iter().any(|seq| *seq > last && *seq <= until);
        assert!(more_after || !follows(self.at) || shown.is_empty(), "{anchor:?}: {shown:?} of {all:?}");
        assert!(!more_after || follows(truth.head()), "{anchor:?}: {shown:?} of {all:?}");
        for message in messages {
            let frame = message.frame().clone();
            truth.check(frame.seq, &ServerFrame::Message(frame));
        }
    }

    /// A position of this stay.
    fn earlier(&self, truth: &Truth, choices: &mut Choices<'_>) -> Position {
        let back = u64::from(choices.byte()) % (self.at.0 - self.from.0 + 1);
        Position { epoch: truth.epoch(), seq: Seq(self.at.0 - back) }
    }

    /// Reads at most so many frames, one by one.
    pub(super) fn take(&mut self, most: usize, truth: &Truth) {
        let Some(session) = self.session.take() else { return };
        self.half.take().into_iter().for_each(|frame| self.told(frame, truth));
        for _ in 0..most {
            let Some(frame) = session.peek() else { break };
            session.commit(frame.mark);
            self.told(parse(&frame.json), truth);
        }
        self.session = Some(session);
    }

    /// Reads as a socket that takes about so many of the bytes that are due.
    pub(super) fn take_bytes(&mut self, bytes: usize, truth: &Truth) {
        let Some(session) = self.session.take() else { return };
        let (mut ends, mut out) = (Ends::default(), BytesMut::new());
        self.half.take().into_iter().for_each(|frame| self.told(frame, truth));
        if session.poll_fill(&Context::from_waker(Waker::noop()), &mut ends, &mut out).is_ready() {
            let taken = bytes % (out.len() + 1);
            let end = session.written(taken);
            for (at, frame) in ends.0 {
                if at <= taken {
                    self.told(frame, truth);
                } else if at == end {
                    self.half = Some(frame);
                }
            }
        }
        self.session = Some(session);
    }

    pub(super) fn check_at_the_end(&self, truth: &Truth) {
        assert!(matches!(self.due, Due::Nothing | Due::Events), "{self:?} was never told where it is");
        assert!(self.entering.is_none(), "{self:?} came in and was never shown the room");
        assert!(self.due == Due::Nothing || self.at == truth.head(), "{self:?} missed the end");
        if self.due == Due::Events {
            truth.look(|told| {
                assert!(
                    self.growing.iter().eq(told.growing.iter().map(|(seq, text)| (seq, text))),
                    "{self:?}: {:?}",
                    self.growing
                );
                assert_eq!(self.signal, told.signals.last().copied().flatten(), "{self:?}");
            });
        }
    }

    fn told(&mut self, frame: ServerFrame, truth: &Truth) {
        match &frame {
            ServerFrame::Welcome { rooms, .. } => self.welcomed(rooms.first(), truth),
            ServerFrame::Joined(joined) => self.joined(joined, truth),
            ServerFrame::Gap { from, to, epoch, ended, members, .. } => {
                self.check_next(*from, &frame);
                assert!(*epoch == truth.epoch() && to >= from && *to <= truth.head(), "{frame:?}");
                (self.at, self.skips) = (*to, false);
                assert!(*ended || speaker(members) == truth.shown(*to), "{frame:?}");
                if *ended {
                    self.out();
                }
            }
            ServerFrame::Message(message) => self.event(message.seq, &frame, truth),
            ServerFrame::MemberJoined { seq, .. }
            | ServerFrame::MemberChanged { seq, .. }
            | ServerFrame::Redacted { seq, .. }
            | ServerFrame::Edited { seq, .. }
            | ServerFrame::Reacted { seq, .. } => self.event(*seq, &frame, truth),
            ServerFrame::MemberLeft { seq, member, .. } => {
                // No room of this check is so big that leaves are only counted.
                let seq = seq.expect("leaves are told here");
                self.event(seq, &frame, truth);
                // One before that is the end of an earlier membership.
                if *member == self.member && seq >= self.entered {
                    self.out();
                }
            }
            ServerFrame::Live { target, text, .. } => self.live(*target, text.as_ref(), truth),
            ServerFrame::Signals { signals, .. } => {
                let numbers: Vec<_> = signals.iter().map(|signal| signal.data.as_u64()).collect();
                assert!(numbers.len() <= 1 && signals.iter().all(|signal| signal.name == "count"), "{frame:?}");
                self.signal = numbers.first().and_then(|number| u8::try_from((*number)?).ok());
                truth.look(|told| assert!(told.signals.contains(&self.signal), "{self:?} is told {frame:?}"));
            }
            other => panic!("{self:?} is told {other:?}"),
        }
    }

    /// What is told was set, of a message that one knows of; and no end of what one was not told.
    fn live(&mut self, target: Seq, text: Option<&String>, truth: &Truth) {
        assert!(target <= self.at && self.due != Due::Nothing, "{self:?} is told of {target}: {text:?}");
        match text {
            Some(text) => {
                truth.look(|told| {
                    assert!(told.texts.contains(&(target, text.clone())), "{target} is told to say {text}")
                });
                self.growing.insert(target, text.clone());
                assert!(self.growing.len() <= 1, "the speaker shows one message: {:?}", self.growing);
            }
            None => assert!(self.growing.remove(&target).is_some(), "{self:?} was never told that {target} grows"),
        }
    }

    fn welcomed(&mut self, status: Option<&RoomStatus>, truth: &Truth) {
        self.is_welcomed = true;
        (self.growing, self.signal) = (BTreeMap::new(), None);
        assert!(self.named.is_none() || status.is_some(), "a room that is named is stated");
        // What is not stated has ended, and what said so was lost on its way.
        let Some(status) = status else { return self.out() };
        let stands = status.epoch.zip(status.seq).map(|(epoch, seq)| Position { epoch, seq });
        let is_own = |named: Position| named.epoch == truth.epoch() && (self.from..=self.at).contains(&named.seq);
        match (status.status, self.named) {
            (Status::Live | Status::Gap, Some(named)) if is_own(named) => {
                assert_eq!(stands, Some(named), "it goes on where it was");
                (self.at, self.due) = (named.seq, Due::Events);
            }
            (Status::Live | Status::Gap, Some(_)) => {
                (self.at, self.skips) = (status.seq.unwrap_or_default(), false);
                assert!(self.at <= truth.head(), "{status:?}");
                self.due = Due::Either;
            }
            (Status::Live | Status::Gap, None) => self.due = Due::Joined,
            (Status::Left, _) => self.out(),
            // Somebody who is not in any more, and names a life that never was.
            (Status::Closed, Some(named)) if named.epoch != truth.epoch() => self.out(),
            other => panic!("the room is there, and can say so: {other:?}"),
        }
    }

    fn joined(&mut self, joined: &Joined, truth: &Truth) {
        let entered = self.entering.take();
        // A position from before one's own join may be of an earlier membership: then one is shown there who one is.
        let goes_on = self.due == Due::Events && self.named == Some(joined.position()) && self.at == joined.seq;
        let is_due =
            goes_on || entered.is_some() && self.due == Due::Nothing || matches!(self.due, Due::Joined | Due::Either);
        assert!(is_due, "{self:?} is shown the room unasked: {joined:?}");
        assert!(joined.epoch == truth.epoch() && joined.seq <= truth.head(), "{joined:?}");
        assert!(self.due != Due::Either || joined.seq == self.at, "{self:?} is shown the room elsewhere: {joined:?}");
        match entered.flatten() {
            // Of whom was put out the room remembers nothing: they are newcomers.
            Some(after) if !truth.was_kicked(&self.nick) => {
                assert_eq!(joined.seq, after.seq, "it goes on where it was asked to");
            }
            _ => {
                let shown: Vec<Seq> = joined.history.iter().map(|message| message.frame().seq).collect();
                assert_eq!(shown, truth.last_messages(joined.seq, shown.len()), "the last messages and nothing else");
            }
        }
        // The members are those of the moment at which one came in or back, wherever the events go on.
        let mut moments = (joined.seq.0..=joined.as_of.0).map(Seq);
        let data = speaker(&joined.members);
        assert!(moments.any(|seq| truth.shown(seq) == data), "{joined:?} shows what was never shown");
        for message in &joined.history {
            let frame = message.frame().clone();
            truth.check(frame.seq, &ServerFrame::Message(frame));
        }
        (self.has_left, self.skips) = (false, false);
        (self.growing, self.signal) = (BTreeMap::new(), None);
        (self.member, self.entered) = (joined.you.member, joined.entered);
        (self.from, self.at, self.due) = (joined.seq, joined.seq, Due::Events);
    }

    fn event(&mut self, seq: Seq, frame: &ServerFrame, truth: &Truth) {
        self.check_next(seq, frame);
        assert!(!self.skips, "{self:?} wants to be told no more than {:?} events: {frame:?}", self.catch_up);
        truth.check(seq, frame);
        (self.at, self.due) = (seq, Due::Events);
    }

    fn check_next(&self, seq: Seq, frame: &ServerFrame) {
        assert!(matches!(self.due, Due::Events | Due::Either), "{self:?} is told of a room it is not in: {frame:?}");
        assert_eq!(seq, self.at.next(), "{self:?} is told {frame:?}");
    }

    /// The stay is over.
    fn out(&mut self) {
        self.due = Due::Nothing;
        // Somebody else may have ended it; one may also have come in again meanwhile.
        self.wants_in = self.entering.is_some();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nick, from, at, due, wants_in, .. } = self;
        write!(f, "{} at {at} since {from}, {due:?}, in: {wants_in}", nick.as_str())
    }
}

/// What the first member shows: the one who speaks.
fn speaker(members: &[MemberEntry]) -> Option<PersonData> {
    members.iter().find(|entry| entry.member == MemberId(1)).and_then(|entry| entry.data.clone())
}

fn parse(json: &[u8]) -> ServerFrame {
    serde_json::from_slice(json).expect("every server frame is of the wire protocol")
}
