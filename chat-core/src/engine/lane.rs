//! The way of one session's commands into rooms: rate first, then the policy, one command at a time and in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::engine::Shared;
use super::reply::{Reply, ReplyTo};
use super::room_cell::{Entrance, Letter};
use super::session_cell::{SessionCell, Welcome};
use crate::messages::Command;
use crate::ports::SessionView;
use crate::room::{Actor, Budget, Caller, Input};
use crate::wire::BadFrame;
use crate::words::{Body, Mono, Reject, RejectCode, RoomCode};

/// Where a session's commands go in: one at a time, in order, without waiting. Cheap to clone; of no use any more once its
/// connection is gone.
#[derive(Clone)]
pub struct Lane {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<Connection>,
}

/// Too many commands are in flight: wait for an answer to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many commands are in flight")]
pub struct Busy;

impl Lane {
    /// Hands in a command. Its answer goes where `reply` says.
    ///
    /// # Errors
    /// [`Busy`] when [`commands_in_flight_max`](crate::SessionLimits::commands_in_flight_max) commands are unanswered, or
    /// answered and not yet read. The command was not taken.
    pub fn submit(&self, command: Command, reply: Reply) -> Result<(), Busy> {
        self.take_in()?;
        submit(&self.shared, command, self.reply_to(reply));
        Ok(())
    }

    /// Answers a frame that was no command.
    ///
    /// # Errors
    /// As [`Lane::submit`].
    pub fn refuse(&self, bad: BadFrame, reply: Reply) -> Result<(), Busy> {
        self.take_in()?;
        self.shared.count_reject(bad.reject.code);
        self.reply_to(reply).reject(None, bad.reject);
        Ok(())
    }

    /// Whether another command would be taken. A transport that reads no further while this is false never has to refuse
    /// one; it is woken when that changes.
    pub fn can_submit(&self) -> bool {
        can_submit(&self.shared, &self.cell, &self.connection)
    }

    fn take_in(&self) -> Result<(), Busy> {
        let Some(mut state) = self.cell.lock_for(&self.connection) else { return Err(Busy) };
        // A session that is still coming back to its rooms must not enter one of them twice.
        let is_coming_back = matches!(state.welcome, Welcome::Awaited);
        if is_coming_back || state.in_flight >= self.shared.limits.session.commands_in_flight_max {
            return Err(Busy);
        }
        state.in_flight += 1;
        Ok(())
    }

    fn reply_to(&self, reply: Reply) -> ReplyTo {
        ReplyTo::new(Arc::clone(&self.cell), Arc::clone(&self.connection), reply)
    }
}

/// See [`Lane::can_submit`].
pub(crate) fn can_submit(shared: &Shared, cell: &SessionCell, connection: &Arc<Connection>) -> bool {
    match cell.lock_for(connection) {
        Some(state) => state.in_flight < shared.limits.session.commands_in_flight_max,
        None => false,
    }
}

/// Commands that wait for the policy.
#[derive(Default)]
pub(crate) struct PolicyQueue {
    queue: VecDeque<(Command, Budget, ReplyTo)>,
    /// Whether a task is working through the queue.
    running: bool,
}

impl PolicyQueue {
    /// Gives up what waits: its connection is gone, and nobody would hear the answers. To be dropped once the session is
    /// not locked any more.
    pub(crate) fn give_up(&mut self) -> impl Sized + use<> {
        std::mem::take(&mut self.queue)
    }
}

/// Takes in one command. Without a policy it is in its room's inbox when this returns.
fn submit(shared: &Arc<Shared>, command: Command, reply: ReplyTo) {
    let budget = match pay(shared, &command, &reply) {
        Ok(budget) => budget,
        Err(reject) => {
            shared.count_reject(reject.code);
            return reply.reject(command.room(), reject);
        }
    };
    if shared.policy.is_none() {
        return dispatch(shared, command, None, budget, reply);
    }
    let cell = Arc::clone(&reply.cell);
    let mut state = cell.lock();
    state.asking.queue.push_back((command, budget, reply));
    if !std::mem::replace(&mut state.asking.running, true) {
        drop(state);
        tokio::spawn(run(Arc::clone(shared), cell));
    }
}

/// Takes a token for a command. A send with a key goes on without one: it may be a retry, and the answer to that costs nothing.
fn pay(shared: &Shared, command: &Command, reply: &ReplyTo) -> Result<Budget, Reject> {
    let now = shared.clock.now().mono;
    let limits = &shared.limits.session;
    let mut state = reply.cell.lock();
    let (paid, what) = match command {
        Command::Send { .. } => (state.sends.take(now, limits.send_burst, limits.send_per_second), "too many messages"),
        _ => (state.commands.take(now, limits.command_burst, limits.command_per_second), "too many commands"),
    };
    match (paid, command) {
        (Ok(()), _) => Ok(Budget::Paid),
        (Err(retry_after), Command::Send { key: Some(_), .. }) => Ok(Budget::Exhausted { retry_after }),
        (Err(retry_after), _) => Err(Reject::new(RejectCode::RateLimited, what).retry_after(retry_after)),
    }
}

/// Asks the policy about one command after the other, until the queue is empty.
async fn run(shared: Arc<Shared>, cell: Arc<SessionCell>) {
    let policy = shared.policy.clone().expect("a lane runs only where there is a policy");
    loop {
        let (command, budget, reply, identity) = {
            let mut state = cell.lock();
            let Some((command, budget, reply)) = state.asking.queue.pop_front() else {
                state.asking.running = false;
                state.asking.queue = VecDeque::new();
                return;
            };
            (command, budget, reply, state.identity.clone())
        };
        let view = SessionView { session: cell.id, identity, transport: reply.connection.transport };
        let said = match &command {
            Command::Send { text, .. } => Some(text.clone()),
            _ => None,
        };
        let room = command.room().cloned();
        match policy.check(&view, command).await {
            Ok(command) => dispatch(&shared, command, said, budget, reply),
            Err(reject) => {
                shared.count_reject(reject.code);
                reply.reject(room.as_ref(), reject);
            }
        }
    }
}

/// Brings a command into its room's inbox, or refuses it. `said` is the text as the client sent it, where a policy has seen it.
fn dispatch(shared: &Arc<Shared>, command: Command, said: Option<Body>, budget: Budget, reply: ReplyTo) {
    let identity = reply.cell.lock().identity.clone();
    let by = Caller { session: reply.cell.id, generation: reply.connection.generation, identity };
    let (room, input) = match command {
        Command::Create { nick, room } => return shared.create(by, nick, room, reply),
        Command::Join { room, nick, history, after } => {
            let input = Input::Join { by, nick, history, after };
            return enter(shared, room, input, reply);
        }
        Command::Send { room, text, key } => {
            let as_sent = said.filter(|said| *said != text);
            (room, Input::Send { by, text, as_sent, key, budget })
        }
        Command::Leave { room } => (room, Input::Leave { by }),
        Command::History { room, before, limit } => (room, Input::History { by, before, limit }),
        Command::Members { room, after, limit } => (room, Input::Members { by, after, limit }),
        Command::Typing { room, state } => (room, Input::Typing { by, state }),
        Command::Redact { room, seq } => (room, Input::Redact { by: Actor::Member(by), seq }),
        Command::Kick { room, member } => (room, Input::Kick { by: Actor::Member(by), member }),
        Command::Ban { room, member } => (room, Input::Ban { by: Actor::Member(by), member }),
        Command::SetTopic { room, topic } => (room, Input::SetTopic { by: Actor::Member(by), topic }),
    };
    shared.post(&room, Letter::Command { input, reply });
}

/// Brings a join into its room's inbox, if the session may be in another room.
fn enter(shared: &Arc<Shared>, room: RoomCode, input: Input, reply: ReplyTo) {
    match reserve(shared, &reply, Some(&room)) {
        Ok(()) => shared.post(&room, Letter::Enter { input, entrance: Entrance::Command(reply) }),
        Err(reject) => reply.reject(Some(&room), reject),
    }
}

/// Counts a room that is about to be entered; the entrance gives it back.
pub(crate) fn reserve(shared: &Shared, reply: &ReplyTo, room: Option<&RoomCode>) -> Result<(), Reject> {
    let mut state = reply.cell.lock();
    let rooms_max = shared.limits.session.rooms_max;
    // Rooms that it has left count until it has read so: else one that does not read could leave and join without end.
    state.forget_finished();
    let is_in = |code: &RoomCode| state.rooms.iter().any(|slot| slot.is_open() && slot.subscription.life.code == *code);
    let taken = state.rooms.len() + state.left_off.len() + state.entering;
    if taken >= rooms_max && !room.is_some_and(is_in) {
        let reject = Reject::new(RejectCode::TooManyRooms, "the session is in as many rooms as it may be");
        shared.count_reject(reject.code);
        return Err(reject.limit(rooms_max as u64));
    }
    state.entering += 1;
    Ok(())
}

/// A token bucket: so many at once after a pause, so many per second in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Thousandths of a token.
    level: u64,
    filled: Mono,
}

const TOKEN: u64 = 1_000;

impl Bucket {
    pub(crate) fn full(burst: u32, now: Mono) -> Self {
        Self { level: u64::from(burst) * TOKEN, filled: now }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&mut self, now: Mono, burst: u32, per_second: u32) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        // A token per second is a thousandth of a token per millisecond: no rounding, however often this is called.
        let earned = (now.since(self.filled).as_millis() as u64).saturating_mul(u64::from(per_second));
        self.filled = now;
        self.level = self.level.saturating_add(earned).min(u64::from(burst.max(1)) * TOKEN);
        if self.level < TOKEN {
            let missing = TOKEN - self.level;
            return Err(Duration::from_millis(missing.div_ceil(u64::from(per_second))));
        }
        self.level -= TOKEN;
        Ok(())
    }

    /// Puts one token back: it was taken for nothing.
    pub(crate) fn put_back(&mut self) {
        self.level += TOKEN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(2, Mono(0));
        assert_eq!(bucket.take(Mono(0), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(0), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(0), 2, 5), Err(Duration::from_millis(200)));
        assert_eq!(bucket.take(Mono(199), 2, 5), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(Mono(200), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(10_000), 2, 5), Ok(()));
        assert_eq!(bucket.take(Mono(10_000), 2, 5), Ok(()));
        assert!(bucket.take(Mono(10_000), 2, 5).is_err(), "a long pause earns no more than a burst");
    }

    #[test]
    fn a_rate_of_zero_is_no_bound() {
        let mut bucket = Bucket::full(1, Mono(0));
        assert!((0..1_000).all(|_| bucket.take(Mono(0), 1, 0).is_ok()));
    }

    #[test]
    fn a_token_put_back_can_be_taken_again() {
        let mut bucket = Bucket::full(1, Mono(0));
        assert_eq!(bucket.take(Mono(0), 1, 1), Ok(()));
        bucket.put_back();
        assert_eq!(bucket.take(Mono(0), 1, 1), Ok(()));
    }
}
