//! The way of one session's commands into rooms: rate first, then the policy, one command at a time and in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Command, Content, Said};
use crate::engine::client::{auth, end};
use crate::engine::rooms::inbox::{InboxItem, JoinRequest};
use crate::engine::session::answers::Read;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::policy_queue::Waiting;
use crate::engine::session::reply::Reply;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::welcome::Welcome;
use crate::engine::shared::{Shared, unavailable};
use crate::meters::{Asked, CommandKind};
use crate::ports::SessionView;
use crate::room::{Actor, Caller, Input, SendPermit};
use crate::types::{Body, CloseReason, Data, Reject, RejectCode, RoomCode, Seq};
use crate::wire::BadFrame;

/// Where a session's commands go in: one at a time, in order, without waiting. Cheap to clone; of no use any more once its
/// connection is gone.
#[derive(Clone)]
pub struct CommandSender {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<ConnectionState>,
}

/// No further command is taken now: too many are in flight, their answers hold too much, the session is still coming back to its rooms,
/// or its connection has ended. A reader of the connection is woken when there is room again. Where the connection has ended, trying
/// again never helps: nothing is taken on it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no further command is taken now")]
pub struct Busy;

impl CommandSender {
    /// Hands in a command. Its answer goes where `reply` says.
    ///
    /// # Errors
    /// [`Busy`] when [`commands_in_flight_max`](crate::SessionLimits::commands_in_flight_max) commands are unanswered, or
    /// answered and not yet read, or what their answers hold nears
    /// [`answers_bytes_max`](crate::SessionLimits::answers_bytes_max); also while a `welcome` waits for a room that the session comes
    /// back to, and once the connection has ended. The command was not taken.
    pub fn submit(&self, command: Command, reply: Reply) -> Result<(), Busy> {
        let reserved = match (&command, &reply) {
            (Command::History { .. } | Command::Changes { .. }, Reply::Mailbox { .. }) => {
                Read::weight_max(&self.shared.limits)
            }
            _ => 0,
        };
        self.take_in(reserved)?;
        let kind = CommandKind::from(&command);
        tracing::trace!(session = %self.cell.id, kind = kind.as_str(), "a command");
        let asked = self.shared.counters.ask(kind);
        submit(&self.shared, command, self.reply_to(reply, reserved, asked));
        Ok(())
    }

    /// Answers a frame that was no command.
    ///
    /// # Errors
    /// As [`CommandSender::submit`].
    pub fn refuse(&self, bad: BadFrame, reply: Reply) -> Result<(), Busy> {
        self.take_in(0)?;
        self.shared.count_reject(bad.reject.code);
        let asked = self.shared.counters.ask(CommandKind::Bad);
        self.reply_to(reply, 0, asked).reject(None, bad.reject);
        Ok(())
    }

    /// Whether another command would be taken. A transport that reads no further while this is false never has to refuse
    /// one; it is woken when that changes.
    pub fn can_submit(&self) -> bool {
        can_submit(&self.shared, &self.cell, &self.connection)
    }

    fn take_in(&self, reserved: usize) -> Result<(), Busy> {
        let Some(mut state) = self.cell.lock_for(&self.connection) else { return Err(Busy) };
        let limits = &self.shared.limits.session;
        // A session that is still coming back to its rooms must not enter one of them twice.
        if matches!(state.welcome, Welcome::Awaited(_)) || has_run_out(&self.connection) || !state.takes_more(limits) {
            return Err(Busy);
        }
        let now = self.shared.clock.now().mono;
        if state.allowance.refusals.look(now, limits.refusal_burst, limits.refusals_per_second).is_err() {
            drop(state);
            self.connection.close(CloseReason::Flooding);
            return Err(Busy);
        }
        state.answers.in_flight += 1;
        state.answers.reserve(reserved);
        Ok(())
    }

    fn reply_to(&self, reply: Reply, reserved: usize, asked: Asked) -> ReplyTo {
        ReplyTo::new(Arc::clone(&self.cell), Arc::clone(&self.connection), reply, reserved, asked)
    }
}

/// See [`CommandSender::can_submit`].
pub(crate) fn can_submit(shared: &Shared, cell: &SessionCell, connection: &Arc<ConnectionState>) -> bool {
    match cell.lock_for(connection) {
        Some(state) => state.takes_more(&shared.limits.session) && !has_run_out(connection),
        None => false,
    }
}

/// Whether who is connected is let in no longer. They may still be told things, for as long as they read; they say nothing any more.
fn has_run_out(connection: &ConnectionState) -> bool {
    connection.closing().is_some_and(|closing| closing.reason == CloseReason::AuthExpired)
}

/// Takes in one command. Without a policy it is in its room's inbox when this returns.
fn submit(shared: &Arc<Shared>, command: Command, mut reply: ReplyTo) {
    let permit = match shared.check_accepting().and_then(|()| shared.pay(&command, &mut reply)) {
        Ok(permit) => permit,
        Err(reject) => {
            shared.count_reject(reject.code);
            return reply.reject(command.room(), reject);
        }
    };
    if shared.policy.is_none() {
        if let Command::Create { params: Some(_), .. } | Command::Join { params: Some(_), .. } = &command {
            let reject = Reject::bad_field("params", "nobody here reads params: come without");
            shared.count_reject(reject.code);
            return reply.reject(command.room(), reject);
        }
        return dispatch(shared, command, None, permit, reply);
    }
    let cell = Arc::clone(&reply.cell);
    let mut state = cell.lock();
    let (connection, reply, reserved, charge, asked) = reply.take();
    let asking = state.asking.get_or_insert_default();
    let superseded = asking.push(Waiting { command, permit, connection, reply, reserved, charge, asked });
    let is_idle = !std::mem::replace(&mut asking.running, true);
    let turn = asking.turn;
    drop(state);
    if let Some(superseded) = superseded {
        answer_superseded(&cell, superseded);
    }
    if is_idle {
        shared.spawn(PolicyTask { shared: Arc::clone(shared), cell, turn }.run());
    }
}

/// Answers a text of a growing message in whose place another one waits: it is as if it had been shown until now.
fn answer_superseded(cell: &Arc<SessionCell>, superseded: Waiting) {
    let Waiting { command, connection, reply, reserved, asked, .. } = superseded;
    let reply = ReplyTo::new(Arc::clone(cell), connection, reply, reserved, asked);
    let Some(room) = command.room() else { return };
    if reply.wants_nothing() {
        return reply.nothing();
    }
    let state = cell.lock();
    let slot = state.rooms.slots.iter().find(|slot| slot.feed.code == *room);
    let head = slot.map(|slot| slot.feed.backlog.head()).unwrap_or_default();
    drop(state);
    reply.ack(room, head, None);
}

/// Asks the policy about one session's commands, one after the other. Where it is dropped with commands left, because the runtime
/// has ended, they are answered, and the next one is asked about anew.
struct PolicyTask {
    shared: Arc<Shared>,
    cell: Arc<SessionCell>,
    turn: u64,
}

impl Drop for PolicyTask {
    fn drop(&mut self) {
        let mut state = self.cell.lock();
        let Some(asking) = state.asking.as_mut().filter(|asking| asking.turn == self.turn && asking.running) else {
            return;
        };
        asking.running = false;
        let waiting = std::mem::take(&mut asking.queue);
        drop(state);
        for Waiting { command, connection, reply, reserved, asked, .. } in waiting {
            let reply = ReplyTo::new(Arc::clone(&self.cell), connection, reply, reserved, asked);
            reply.reject(command.room(), unavailable());
        }
    }
}

impl PolicyTask {
    /// Until the queue is empty.
    async fn run(self) {
        let Self { shared, cell, turn } = &self;
        let policy = shared.policy.clone().expect("a policy is asked only where there is one");
        loop {
            let (command, permit, reply) = {
                let mut state = cell.lock();
                let Some(asking) = state.asking.as_mut().filter(|asking| asking.turn == *turn) else { return };
                let Some(waiting) = asking.queue.pop_front() else {
                    asking.running = false;
                    asking.queue = VecDeque::new();
                    return;
                };
                let Waiting { command, permit, connection, reply, reserved, charge, asked } = waiting;
                let mut reply = ReplyTo::new(Arc::clone(cell), connection, reply, reserved, asked);
                reply.charge = charge;
                (command, permit, reply)
            };
            let command = match command {
                Command::Auth { token } => {
                    auth::renew(shared, &policy, token, reply).await;
                    continue;
                }
                command => command,
            };
            let connection = &reply.connection;
            let address = connection.admitted.as_ref().and_then(|admitted| admitted.address);
            let view = SessionView::new(cell.id, connection.transport).with_address(address);
            let view = view.with_admission(connection.admission());
            let said = match &command {
                Command::Send { text, data, reply_to, .. } => Some(said(text.clone(), data.clone(), *reply_to)),
                Command::Edit { text, data, .. } => Some(said(text.clone(), data.clone(), None)),
                _ => None,
            };
            let room = command.room().cloned();
            match shared.ask_policy(async { policy.check(&view, command).await }).await {
                Ok(command) => dispatch(shared, command, said, permit, reply),
                Err(reject) => {
                    shared.count_reject(reject.code);
                    reply.reject(room.as_ref(), reject);
                }
            }
        }
    }
}

fn said(text: Body, data: Option<Data>, reply_to: Option<Seq>) -> Said {
    Said::from(Content::text(text).with_data(data)).with_reply_to(reply_to)
}

/// Brings a command into its room's inbox, or refuses it. `as_sent` is what the client sent, where a policy has seen it.
fn dispatch(shared: &Arc<Shared>, command: Command, as_sent: Option<Said>, permit: SendPermit, reply: ReplyTo) {
    let (room, is_entry) = match &command {
        Command::Create { room, .. } => (Some(room.as_ref()), true),
        Command::Join { room, .. } => (Some(Some(room)), true),
        Command::Leave { .. } => (None, false),
        command => (command.room().map(Some), false),
    };
    if let Some(room) = room
        && let Err(mut reject) = reply.connection.may_enter(room)
    {
        #[cfg(feature = "fault_injection")]
        if !is_entry && crate::fault_injection::is(crate::fault_injection::Bug::KeepForbidden) {
            return dispatch_to_room(shared, command, as_sent, permit, reply);
        }
        if !is_entry {
            // Also before they have left it.
            reject.code = RejectCode::NotMember;
        }
        shared.count_reject(reject.code);
        return reply.reject(room, reject);
    }
    dispatch_to_room(shared, command, as_sent, permit, reply);
}

/// Brings a command of somebody who was let in for its room into its inbox.
fn dispatch_to_room(
    shared: &Arc<Shared>,
    command: Command,
    as_sent: Option<Said>,
    permit: SendPermit,
    mut reply: ReplyTo,
) {
    let identity = reply.cell.lock().identity.clone();
    let by = Caller {
        session: reply.cell.id,
        generation: reply.connection.generation,
        identity,
        network: reply.connection.network,
        named: reply.connection.named(),
    };
    let (room, input) = match command {
        Command::Create { nick, room, data, params: _ } => {
            if let Err(reject) = shared.found(&mut reply) {
                shared.count_reject(reject.code);
                return reply.reject(room.as_ref(), reject);
            }
            return shared.create(by, nick, data, room, reply);
        }
        Command::Join { room, nick, history, after, secret, data, catch_up, params: _ } => {
            let secret = secret.map(|secret| shared.room_secrets.keep(&room, &secret));
            let input = Input::Join { by, nick, data, history, after, secret };
            return enter(shared, room, input, catch_up, reply);
        }
        Command::Send { room, text, key, data, reply_to } => {
            let said = said(text, data, reply_to);
            let as_sent = as_sent.filter(|sent| *sent != said);
            (room, Input::Send { by, said, as_sent, key, permit })
        }
        Command::Edit { room, target, text, data, key } => {
            let content = Content::text(text).with_data(data);
            let as_sent = as_sent.map(|sent| sent.content).filter(|sent| *sent != content);
            (room, Input::Edit { by, target, content, as_sent, key, permit, evidence: None })
        }
        Command::Me { room, change } => (room, Input::Me { by, change }),
        Command::End { token, extent } => return end::end(shared, token, extent, reply),
        // Where there is a policy it was asked, and this is what it has made of another command.
        Command::Auth { .. } => {
            let reject = match shared.policy {
                None => Reject::bad_field("token", "nobody here reads credentials"),
                Some(_) => Reject::new(RejectCode::Forbidden, "nothing else can be done here"),
            };
            shared.count_reject(reject.code);
            return reply.reject(None, reject);
        }
        Command::Leave { room } => (room, Input::Leave { by }),
        Command::History { room, anchor, limit } => (room, Input::History { by: Actor::Member(by), anchor, limit }),
        Command::Changes { room, after } => (room, Input::Changes { by, after }),
        Command::Members { room, after, limit } => (room, Input::Members { by: Actor::Member(by), after, limit }),
        Command::Typing { room, state } => (room, Input::Typing { by, state }),
        Command::Live { room, target, text } => (room, Input::Live { by, target, text }),
        Command::Signal { room, name, data } => (room, Input::Signal { by, name, data }),
        Command::Read { room, through } => (room, Input::Read { by, through }),
        Command::Redact { room, target } => (room, Input::Redact { by: Actor::Member(by), target, evidence: None }),
        Command::React { room, target, name, on, key } => (room, Input::React { by, target, name, on, key }),
        Command::Kick { room, member } => (room, Input::Kick { by: Actor::Member(by), member }),
        Command::RedactAll { room, member, from } => (room, Input::RedactAll { by: Actor::Member(by), member, from }),
        Command::Ban { room, member, terms } => (room, Input::Ban { by: Actor::Member(by), member, terms }),
        Command::Unban { room, ban } => (room, Input::Unban { by: Actor::Member(by), ban }),
        Command::Bans { room, after, limit } => (room, Input::Bans { by: Actor::Member(by), after, limit }),
        Command::SetTopic { room, topic } => (room, Input::SetTopic { by: Actor::Member(by), topic }),
        Command::Settings { room, change } => {
            let change = change.map_secret(|secret| shared.room_secrets.keep(&room, &secret));
            (room, Input::Settings { by: Actor::Member(by), change })
        }
        Command::SetRole { room, member, role } => (room, Input::SetRole { by: Actor::Member(by), member, role }),
    };
    let may_ask = may_ask(shared, &reply, &room).and_then(|()| match &input {
        Input::History { .. } | Input::Changes { .. } | Input::Members { .. } | Input::Bans { .. } => {
            reply.takes_turn()
        }
        _ => Ok(()),
    });
    if let Err(reject) = may_ask {
        shared.count_reject(reject.code);
        return reply.reject(Some(&room), reject);
    }
    shared.enqueue(&room, InboxItem::Command { input, reply });
}

/// Whether a room may be asked: any that the session is in, and others as long as it has not guessed too much. What a room
/// says to somebody who is not in it tells that it is there.
fn may_ask(shared: &Shared, reply: &ReplyTo, room: &RoomCode) -> Result<(), Reject> {
    let mut state = reply.cell.lock();
    let is_in = state.rooms.slots.iter().any(|slot| slot.feed.code == *room);
    if is_in { Ok(()) } else { shared.may_try(&mut state, &reply.connection) }
}

/// Brings a join into its room's inbox, if the session may be in another room.
fn enter(shared: &Arc<Shared>, room: RoomCode, input: Input, catch_up: Option<u32>, mut reply: ReplyTo) {
    match shared.reserve(&mut reply, Some(&room)) {
        Ok(()) => {
            let request = JoinRequest::Command(reply);
            shared.enqueue(&room, InboxItem::Enter { input, request, catch_up });
        }
        Err(reject) => reply.reject(Some(&room), reject),
    }
}
