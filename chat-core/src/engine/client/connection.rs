//! One connection of a session, as a transport holds it: commands in, frames out, positions moved by what was really written.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use crate::domain::Command;
use crate::engine::client::command_sender::{self, Busy, CommandSender};
use crate::engine::client::pull::{FillLimit, FrameRef, Positions, Pulled, Sink, pull};
use crate::engine::feed::wake::Look;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::cell::{FrameEffect, SessionCell, SessionState, Span, Spans};
use crate::engine::session::connection_state::{Closing, ConnectionState};
use crate::engine::session::reply::{Answered, Reply};
use crate::engine::session::token::Kind;
use crate::engine::shared::Shared;
use crate::locks::lock;
use crate::meters::Micros;
use crate::ports::ObserverEvent;
use crate::types::{CloseReason, CommandId, Identity, Reject, RejectCode, SessionId};
use crate::wire::{self, BadFrame, FrameKind, ServerFrame};

/// One connection of a session. Dropping it is a disconnect: the session detaches, and its memberships run into their
/// grace.
///
/// **The contract.** Commands go in with [`submit`](Self::submit), which never waits. Frames come out in one of three ways, of
/// which a transport uses one: [`poll_fill`](Self::poll_fill) and [`written`](Self::written) (many frames, one buffer, one write),
/// [`peek`](Self::peek) and [`commit`](Self::commit) (one frame, taken when the transport has accepted it), or
/// [`next`](Self::next) (typed, for embedders). A frame that was not committed comes again.
pub struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<ConnectionState>,
    pub(crate) filled: Mutex<Filled>,
}

/// What the last fill holds, until the transport says how much of it was written.
#[derive(Default)]
pub(crate) struct Filled {
    spans: Spans,
    /// Nothing else was due.
    is_all: bool,
    /// All that was due has been written: there is nothing to look for before somebody says so.
    is_told: bool,
    /// All that was due has been written at least once: what is published from then on is late by no fault of a resume.
    is_on_time: bool,
    /// When an event in it was published, of one that is timed.
    published: Option<Micros>,
    /// How much of the last one its socket did not take.
    unsent: u32,
}

/// One frame that is due.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frame {
    /// Its `type`, without parsing it.
    pub kind: FrameKind,
    /// The frame.
    pub json: Bytes,
    /// What the transport gave with the command that this answers.
    pub tag: Option<u64>,
    /// To be given to [`Connection::commit`] when the transport has taken the frame.
    pub mark: FrameMark,
}

/// What taking a frame means. Good for the next [`Connection::commit`] on the same connection only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMark(FrameEffect);

/// What [`Connection::poll_fill`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Frames are in the buffer.
    Frames,
    /// The `closing` frame has been taken: the connection is to be closed now.
    Ended(CloseReason),
}

/// Turns frames into what goes over a transport, a few bytes around each. No state of a room or session lives here.
pub trait Framing {
    /// Appends one frame to `out`.
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>);
}

struct FillSink<'a, F> {
    framing: &'a mut F,
    out: &'a mut BytesMut,
}

impl<F: Framing> Sink for FillSink<'_, F> {
    fn take(&mut self, frame: FrameRef<'_>) -> usize {
        self.framing.frame(self.out, frame);
        self.out.len()
    }

    fn expect(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }
}

#[derive(Default)]
struct PeekSink {
    frame: Option<(FrameKind, Bytes, Option<u64>)>,
}

impl Sink for PeekSink {
    fn take(&mut self, frame: FrameRef<'_>) -> usize {
        self.frame = Some((frame.kind, Bytes::copy_from_slice(frame.json), frame.tag));
        frame.json.len()
    }
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, cell: Arc<SessionCell>, connection: Arc<ConnectionState>) -> Self {
        shared.counters.open(connection.transport);
        Self { shared, cell, connection, filled: Mutex::default() }
    }

    /// Whose connection it is; the same over all connections of the session, and not a secret.
    pub fn session_id(&self) -> SessionId {
        self.cell.id
    }

    /// The session's one secret: resumes it on any transport, and hands in its commands. Each resume by a token gives another one;
    /// see [`token_expiry`](crate::SessionLimits::token_expiry) for how long it is good.
    pub fn token(&self) -> String {
        self.sign(Kind::Token)
    }

    /// Who it is, as the policy said.
    pub fn identity(&self) -> Option<Identity> {
        self.cell.lock().identity.clone()
    }

    /// Where commands go in.
    pub fn sender(&self) -> CommandSender {
        CommandSender {
            shared: Arc::clone(&self.shared),
            cell: Arc::clone(&self.cell),
            connection: Arc::clone(&self.connection),
        }
    }

    /// See [`CommandSender::submit`].
    ///
    /// # Errors
    /// [`Busy`], as there.
    pub fn submit(&self, command: Command, reply: Reply) -> Result<(), Busy> {
        self.sender().submit(command, reply)
    }

    /// See [`CommandSender::refuse`].
    ///
    /// # Errors
    /// [`Busy`], as there.
    pub fn refuse(&self, bad: BadFrame, reply: Reply) -> Result<(), Busy> {
        self.sender().refuse(bad, reply)
    }

    /// See [`CommandSender::can_submit`].
    pub fn can_submit(&self) -> bool {
        command_sender::can_submit(&self.shared, &self.cell, &self.connection)
    }

    /// A credential that resumes the session and does nothing else: for places that are less secret than the token's.
    pub fn cursor(&self) -> String {
        self.sign(Kind::Cursor)
    }

    /// When its token and cursor were made, in days since the Unix epoch, UTC. On another day than before, both are new: a transport that
    /// writes cursors asks for another one.
    pub fn issue_day(&self) -> u16 {
        self.connection.issue().day
    }

    fn sign(&self, kind: Kind) -> String {
        self.shared.signer.sign(kind, self.cell.id, self.connection.issue(), self.identity().as_ref())
    }

    /// Hands in a command and waits for its answer: an `ack` (for a join too: the `joined` itself comes with
    /// [`Connection::next`]), or the page or word that was asked for: `history`, `changes`, `members`, `bans`, `read` or `ended`.
    ///
    /// # Errors
    /// The reject; `busy` also where [`Connection::submit`] would be.
    pub async fn call(&self, command: Command) -> Result<ServerFrame, Reject> {
        let (reply, answer) = Reply::channel(None::<CommandId>);
        self.submit(command, reply).map_err(|busy| Reject::new(RejectCode::Busy, busy.to_string()))?;
        match answer.await {
            Ok(Answered { reject: Some(reject), .. }) => Err(reject),
            Ok(Answered { json, .. }) => Ok(parse(&json)),
            Err(_) => Err(Reject::new(RejectCode::Unavailable, "the connection was replaced before the answer")),
        }
    }

    /// The next frame that is due, without taking it.
    pub fn peek(&self) -> Option<Frame> {
        let mut sink = PeekSink::default();
        let limit = FillLimit { frames: 1, bytes: usize::MAX };
        let mark = self.with_due(limit, &mut sink, |filled| filled.spans.pop())?.mark;
        let (kind, json, tag) = sink.frame.expect("a mark comes with its frame");
        Some(Frame { kind, json, tag, mark: FrameMark(mark) })
    }

    /// As [`Connection::peek`]; wakes the task when something becomes due.
    pub fn poll_peek(&self, cx: &Context<'_>) -> Poll<Frame> {
        self.connection.wake.poll(cx, || self.peek().map_or(Look::Nothing, Look::Some))
    }

    /// The transport has taken the frame of the last [`Connection::peek`]: positions move.
    pub fn commit(&self, mark: FrameMark) {
        let mut state = self.cell.lock_for(&self.connection);
        self.apply(&mut state, mark.0);
    }

    /// Fills `out`, which is empty, with everything due, up to
    /// [`chunk_bytes_max`](crate::SessionLimits::chunk_bytes_max) (a little more where the last frame is long); pending while
    /// nothing is. After each fill with frames [`Connection::written`] must be called.
    pub fn poll_fill<F: Framing>(&self, cx: &Context<'_>, framing: &mut F, out: &mut BytesMut) -> Poll<Fill> {
        if self.lock_filled().is_told && self.connection.wake.is_quiet(cx) {
            return Poll::Pending;
        }
        let limit = FillLimit { frames: usize::MAX, bytes: self.shared.limits.session.chunk_bytes_max };
        self.connection.wake.poll(cx, || {
            let mut sink = FillSink { framing: &mut *framing, out: &mut *out };
            match self.with_due(limit, &mut sink, |filled| (filled.spans.is_empty(), filled.is_all)) {
                (false, true) => Look::All(Fill::Frames),
                (false, false) => Look::Some(Fill::Frames),
                (true, _) => self.ended().map_or(Look::Nothing, |reason| Look::Some(Fill::Ended(reason))),
            }
        })
    }

    /// Why the connection is to be closed; `None` until its `closing` frame has been taken.
    pub fn ended(&self) -> Option<CloseReason> {
        self.connection.closing().filter(|closing| closing.told).map(|closing| closing.reason)
    }

    /// Ready once a drain has given the connection up, for a transport whose peer takes nothing: it is to end the connection then, without
    /// another word. Wakes one task.
    pub fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        self.connection.poll_cut(cx.waker())
    }

    /// Whether a drain has given the connection up.
    pub fn is_cut(&self) -> bool {
        self.connection.is_cut()
    }

    /// Whether the `closing` frame has been handed out, in the fill in hand or before it: nothing may follow.
    pub fn is_ending(&self) -> bool {
        let is_in_hand = self.lock_filled().spans.last().is_some_and(|span| span.mark == FrameEffect::Closing);
        is_in_hand || self.ended().is_some()
    }

    /// Says that the peer has kept the transport waiting, where that does not show in how much of a fill was taken: a gap is no surprise then.
    pub fn note_blocked(&self) {
        self.connection.note_blocked();
    }

    /// Says how many bytes of the last fill the socket has taken, and learns how many bytes of it must still be sent: to the
    /// end of the frame that is half out. The frames after that come again with the next fill.
    ///
    /// ```text
    /// let end = connection.written(taken);
    /// out.truncate(end);
    /// out.advance(taken);      // what is left in `out` is the rest of one frame, or nothing
    /// ```
    pub fn written(&self, bytes: usize) -> usize {
        let mut held = self.lock_filled();
        let filled = std::mem::take(&mut held.spans);
        held.is_told = held.is_all && filled.last().is_some_and(|span| span.end <= bytes);
        let unsent = filled.last().map_or(0, |span| u32::try_from(span.end.saturating_sub(bytes)).unwrap_or(u32::MAX));
        let unsent_before = std::mem::replace(&mut held.unsent, unsent);
        let published = held.published.take().filter(|_| held.is_on_time && unsent == 0);
        held.is_on_time |= held.is_told;
        drop(held);
        self.shared.counters.unsent(unsent, unsent_before);
        if let Some(published) = published {
            self.shared.counters.wrote(published);
        }
        let mut state = self.cell.lock_for(&self.connection);
        let mut end = 0;
        for (index, span) in filled.iter().enumerate() {
            if end >= bytes {
                self.connection.note_blocked();
                break;
            }
            end = span.end;
            // Of a run of events in one room, the last says it all.
            let is_passed = end < bytes && filled.get(index + 1).is_some_and(|next| next.mark.passes(span.mark));
            if !is_passed {
                self.apply(&mut state, span.mark);
            }
        }
        if end > bytes {
            self.connection.note_blocked();
        }
        end
    }

    /// Waits for the next frame and takes it. After [`ServerFrame::Closing`] nothing follows, and this never returns.
    ///
    /// A connection wakes one reader. Of two that waited, one would sleep for ever over what the other was woken for:
    ///
    /// ```compile_fail,E0499
    /// # async fn two(mut connection: chat_core::Connection) {
    /// tokio::join!(connection.next(), connection.next());
    /// # }
    /// ```
    ///
    /// Who hands in commands beside the reader does so with a [`CommandSender`], which [`Connection::sender`] gives.
    pub async fn next(&mut self) -> ServerFrame {
        let frame = std::future::poll_fn(|cx| self.poll_peek(cx)).await;
        self.commit(frame.mark);
        parse(&frame.json)
    }

    /// Ends this connection with a reason: a `closing` frame becomes due, and after it nothing. The session itself lives on,
    /// detached, once this handle is dropped.
    pub fn close(&self, reason: CloseReason) {
        self.connection.close(reason);
    }

    /// Runs one pull under the lock and looks at what it gave.
    fn with_due<T>(&self, limit: FillLimit, sink: &mut impl Sink, found: impl FnOnce(&mut Filled) -> T) -> T {
        let mut held = self.lock_filled();
        let filled = &mut held.spans;
        filled.clear();
        let closing = self.connection.closing();
        let now = || self.shared.clock.now().mono;
        let is_open =
            closing.is_none_or(|closing| !closing.told && closing.flush_until.is_some_and(|until| now() < until));
        let mut is_owed_an_answer = false;
        // The session's state may belong to a newer connection by now; then it is not looked at.
        let mut pulled = Pulled::default();
        if is_open && let Some(mut state) = self.cell.lock_for(&self.connection) {
            pulled = pull(&self.shared, &self.cell, &mut state, &self.connection, limit, sink, filled);
            is_owed_an_answer = state.answers.in_flight > 0;
        }
        // Nothing is due after the end, and nothing before it that a resume would not bring again.
        let is_over = |closing: &Closing| !closing.told && filled.is_empty() && !is_owed_an_answer;
        if let Some(closing) = closing.filter(is_over).filter(|closing| !self.is_held_back(closing, is_open)) {
            let mut state = self.cell.lock_for(&self.connection);
            if let Some(state) = &mut state {
                state.rooms.roll_back();
            }
            let positions = state.iter().flat_map(|state| Positions::of(state).iter());
            let json = wire::closing(closing.reason, closing.reconnect_after, positions);
            let end = sink.take(FrameRef::closing(&json));
            filled.push(Span { end, mark: FrameEffect::Closing });
        }
        (held.is_all, held.is_told) = (pulled.is_all && closing.is_none(), false);
        held.published = held.published.or(pulled.published);
        let found = found(&mut held);
        drop(held);
        // Nothing is locked any more: an observer may ask the engine, and a room may be given up on the way.
        for code in pulled.asks {
            self.shared.enqueue(&code, InboxItem::GapView);
        }
        for events in pulled.gaps {
            self.shared.counters.gap_events.fetch_add(events, Ordering::Relaxed);
            self.shared.observe(ObserverEvent::Gap { session: self.cell.id, events });
        }
        found
    }

    /// Whether the end is not told yet, although nothing else is due: those who drain are told together, or the first would come back
    /// while the server still waits for the last. Where other servers have the rooms, they come back there; of a server that goes on, likewise.
    fn is_held_back(&self, closing: &Closing, is_open: bool) -> bool {
        let is_held_back = is_open
            && closing.reason == CloseReason::Draining
            && self.shared.draining.load(Ordering::Acquire)
            && !self.shared.flushed.load(Ordering::Acquire)
            && !self.shared.goes_on.load(Ordering::Acquire);
        if is_held_back {
            self.connection.note_flushed();
            self.shared.gone.notify_waiters();
        }
        is_held_back
    }

    fn lock_filled(&self) -> MutexGuard<'_, Filled> {
        lock(&self.filled)
    }

    /// One frame has been taken.
    fn apply(&self, state: &mut Option<MutexGuard<'_, SessionState>>, mark: FrameEffect) {
        match (mark, state) {
            (FrameEffect::Closing, _) => {
                self.connection.closing_told();
                self.shared.gone.notify_waiters();
            }
            (mark, Some(state)) => state.commit(mark, &self.shared.limits.engine, || self.shared.clock.now().mono),
            // Replaced in between: the newer connection has its own positions.
            (_, None) => {}
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.counters.unsent(0, self.lock_filled().unsent);
        self.shared.detach(&self.cell, &self.connection);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("session_id", &self.cell.id)
            .field("generation", &self.connection.generation)
            .finish()
    }
}

fn parse(json: &[u8]) -> ServerFrame {
    serde_json::from_slice(json).expect("every server frame is of the wire protocol")
}
