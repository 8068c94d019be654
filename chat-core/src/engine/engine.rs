//! The engine: all rooms, all sessions, and the way between them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::{BanTerms, Extent, MemberChange, Role, SettingsChange};
use crate::engine::client::command_sender::CommandSender;
use crate::engine::client::connection::Connection;
use crate::engine::session::token::claimed;
use crate::engine::shared::room_tags::RoomTag;
use crate::engine::shared::{Refusal, Shared};
use crate::ports::ConnectRequest;
use crate::types::{BanId, Limits, MemberId, Nick, Reject, RejectCode, RoomCode, Seq, SessionId, Topic};
use crate::wire::Hello;

/// A chat engine: rooms, sessions, and nothing of any transport. Cheap to clone; all clones are the same engine.
///
/// Runs on the tokio runtime it is built in; commands may be handed in, and sessions dropped, on any thread.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What the embedder may do in any room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moderation {
    /// Put a member out.
    Kick(MemberId),
    /// Put a member out, and keep them out for ever.
    Ban(MemberId),
    /// Keep somebody out on these terms, and put them out first if they are there.
    BanOn(MemberId, BanTerms),
    /// Let somebody in again who was banned.
    Unban(BanId),
    /// Take back all that somebody said, from an event on; from the first where there is none.
    RedactAll(MemberId, Option<Seq>),
    /// Take back a message.
    Redact(Seq),
    /// Change the topic.
    SetTopic(Topic),
    /// Change what is set, in what is named.
    Settings(SettingsChange),
    /// Change what a member is shown as, in what is named. The name may look like another's, and no time has to pass in between. What the
    /// policy says of the person ([`Admission::named`](crate::Admission::named)) takes its place again when they come back.
    ChangeMember(MemberId, MemberChange),
    /// Say what somebody may do. The owner before, if there is one, is a moderator from then on.
    SetRole(MemberId, Role),
    /// Keep the room: from now on only [`Moderation::SetRole`] says who is its owner. Nobody follows an owner who is gone, and no member hands
    /// the room on. For as long as the room lives.
    Protect,
    /// End the room for everyone.
    Close,
}

/// Counts of an engine, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Rooms in memory.
    pub rooms: usize,
    /// Rooms of the log that are not in memory, and are visited when something in them runs out.
    pub rooms_away: usize,
    /// Sessions with a connection.
    pub sessions: usize,
    /// Sessions kept without a connection.
    pub sessions_detached: usize,
    /// Sessions, and people, that are remembered as ended for good: of [`ended_max`](crate::EngineLimits::ended_max).
    pub ended: usize,
    /// Bytes that the backlogs of all rooms hold, about.
    pub backlog_bytes: usize,
    /// Bytes that the rooms themselves hold, about: members, keys for retries, marks of messages, and who may not come in.
    pub ledger_bytes: usize,
    /// Gaps told.
    pub gaps: u64,
    /// Gaps told to a reader that had always taken what was due: stays 0.
    pub gaps_unblocked: u64,
    /// Commands and connections refused.
    pub rejects: u64,
    /// Steps of the wall clock forward by more than [`clock_step_max`](crate::RoomLimits::clock_step_max), believed or not.
    pub clock_steps: u64,
    /// Rooms that were asked for and could not be read, because only a later program can ([`ReadError::Later`](crate::ReadError)): at
    /// most once per room and pause, however many ask.
    pub unreadable: u64,
    /// Calls of the policy, the log or the observer that panicked.
    pub embedder_panics: u64,
    /// Calls that said nothing within [`policy_timeout`](crate::EngineLimits::policy_timeout) or
    /// [`log_timeout`](crate::EngineLimits::log_timeout).
    pub embedder_timeouts: u64,
}

impl Engine {
    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Whether there is a policy, which looks at what clients show to say who they are. Where there is none, a transport refuses what one shows.
    pub fn reads_credentials(&self) -> bool {
        self.shared.policy.is_some()
    }

    /// Lets a client in, with a new session or the one it resumes. The `welcome` is the connection's first frame. This may take as
    /// long as the policy ([`policy_timeout`](crate::EngineLimits::policy_timeout)) and then, for who resumes, the rooms they come back
    /// to ([`resume_wait`](crate::SessionLimits::resume_wait)).
    ///
    /// # Errors
    /// A [`Refusal`], with the reason that the connection ends with and, where that helps, when to come back: when the policy does not
    /// admit the client, or could not be asked in time; when the engine is draining, or has as many sessions as it may; when the address
    /// has as many connections as it may, has begun too many sessions, or it (or the identity) owes too much for what it was shown to
    /// be shown its rooms again; when a newer connection has taken over the session meanwhile (`replaced`).
    pub async fn connect(&self, request: ConnectRequest, hello: Hello) -> Result<Connection, Refusal> {
        let transport = request.transport;
        let connected = self.shared.connect(request, hello).await;
        if let Err(refusal) = &connected {
            let code = refusal.reject.code;
            self.shared.counters.turn_away(code);
            tracing::debug!(transport, code = code.as_str(), "a client is not let in");
        }
        connected
    }

    /// The command side of a session that has a connection, for transports whose commands come another way than the one its
    /// frames go: a POST beside a stream.
    ///
    /// # Errors
    /// `bad_token` when the token is not this session's, is too old, or was superseded; `not_connected` when the session has no
    /// connection right now.
    pub fn sender(&self, session: SessionId, token: &str) -> Result<CommandSender, Reject> {
        let shared = &self.shared;
        let cell = shared.lock_sessions().by_id.get(&session).cloned();
        let is_its_own = match &cell {
            Some(cell) => shared.use_token(cell, token),
            // It is not known whose it was: nothing is done for anybody.
            None => claimed(token) == Some(session) && !shared.is_ended(session, None),
        };
        if !is_its_own {
            return Err(Reject::new(RejectCode::BadToken, "the token is not of this session"));
        }
        let sender = cell.and_then(|cell| {
            let connection = cell.lock().connection.clone()?;
            Some(CommandSender { shared: Arc::clone(shared), cell, connection })
        });
        sender.ok_or_else(|| Reject::new(RejectCode::NotConnected, "the session has no connection right now"))
    }

    /// Whether [`Engine::end_by_token`] would end the session by this token: a true one, which may be superseded.
    ///
    /// # Errors
    /// `bad_token` when it is not the session's, or is too old; also where the session is of an identity and not in memory, because whose it
    /// is only its own connection can say then.
    pub fn may_end(&self, session: SessionId, token: &str) -> Result<(), Reject> {
        self.shared.may_end(session, token).map(drop)
    }

    /// Ends a session for good, or all of its person's, by its token alone: connected or not, superseded or not. It leaves its rooms, its
    /// connection ends as `ended`, and none of its tokens is good any more. For transports whose commands come another way than its
    /// frames; on a connection [`Command::End`](crate::Command::End) does the same. The policy is asked about that command, as of the
    /// session that is to end; `request` says where it came from, and its credentials are not looked at. What has begun is carried out,
    /// also where the future is dropped.
    ///
    /// # Errors
    /// As [`Engine::may_end`]; what the policy says; `rate_limited` past
    /// [`address_end_burst`](crate::EngineLimits::address_end_burst); `at_capacity` past [`ended_max`](crate::EngineLimits::ended_max);
    /// `unavailable` when the log cannot remember it, `draining` when the server is going down.
    pub async fn end_by_token(
        &self,
        request: &ConnectRequest,
        session: SessionId,
        token: &str,
        extent: Extent,
    ) -> Result<(), Reject> {
        self.shared.end_by_token(request, session, token, extent).await
    }

    /// Takes nothing new, and ends every connection with `closing` 4001: each is told its own delay, spread over `spread`, so that
    /// not everybody comes back at once. They are told together, once all have taken what is due or
    /// [`flush_timeout`](crate::SessionLimits::flush_timeout) is over, so that nobody comes back to a server that still waits for others;
    /// who takes nothing then is cut off. Returns when all connections are gone, or after twice that time.
    ///
    /// Where other servers have all of this one's rooms and can be reached, everybody who is connected is served as before until a moment of their
    /// own within `spread`, and told then to come back at once; that time is counted from the last of these moments.
    pub async fn drain(&self, spread: Duration) {
        crate::engine::drain::drain(&self.shared, spread).await;
    }

    /// Tells everybody who is connected now to come back at once (`draining`), each at a moment of their own within `spread`: of a server that goes on
    /// and that others cannot reach, so that its clients find another one through whatever is in front of them. Whoever comes here is let in as before.
    /// Where this is dropped, those whose moment has not come stay.
    pub async fn send_away(&self, spread: Duration) {
        crate::engine::drain::send_away(&self.shared, spread).await;
    }

    /// Waits until a drain gives up connections that take nothing, for transports that have no task of each connection's own: those whose
    /// [`Connection::is_cut`](crate::Connection::is_cut) are to be ended then. A drain may do so more than once.
    pub fn cutting(&self) -> impl Future<Output = ()> + Send + '_ {
        self.shared.cutting.notified()
    }

    /// Whether [`Engine::drain`] has begun.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Acts in a room with all rights, and without asking the policy. Returns the number of the event; where none is told (nothing had
    /// to be done, or the room was closed), that of the last one told.
    ///
    /// # Errors
    /// `too_long` of a setting past its bound. The room's reject: `room_not_found`, `member_not_found`, `message_not_found`, `ban_not_found`,
    /// `bans_full`, `roles_full`, `unavailable`, `busy`; `bad_field` where a room would be left without an owner.
    pub async fn moderate(&self, room: &RoomCode, moderation: Moderation) -> Result<Seq, Reject> {
        let room = self.room(room);
        match moderation {
            Moderation::Kick(member) => room.kick(member).await,
            Moderation::Ban(member) => room.ban(member, BanTerms::default()).await,
            Moderation::BanOn(member, terms) => room.ban(member, terms).await,
            Moderation::Unban(ban) => room.unban(ban).await,
            Moderation::RedactAll(member, from) => room.redact_all(member, from).await,
            Moderation::Redact(seq) => room.redact(seq).await,
            Moderation::SetTopic(topic) => room.topic(topic).await,
            Moderation::Settings(change) => room.settings(change).await,
            Moderation::ChangeMember(member, change) => room.change_member(member, change).await,
            Moderation::SetRole(member, role) => room.role(member, role).await,
            Moderation::Protect => room.protect().await,
            Moderation::Close => room.close().await,
        }
    }

    /// The codes of all rooms in memory, in no order.
    pub fn rooms(&self) -> Vec<RoomCode> {
        self.shared.registry.codes()
    }

    /// The codes of the rooms that may be shown to people who are not in them ([`Settings::listed`](crate::Settings::listed)), in their
    /// order. After a start a room of the log is among them once it has been read.
    pub fn rooms_listed(&self) -> Vec<RoomCode> {
        let mut codes = self.shared.registry.codes_listed();
        codes.extend(self.shared.away.codes_listed());
        codes.sort_unstable();
        // One that is being put away is found in both places.
        codes.dedup();
        codes
    }

    /// What a room is called in what the engine traces: sixteen hexadecimal digits, which let nobody in and tell nobody its code. The same after
    /// a restart, and at every server, where those have the same [`lasting_secret`](crate::EngineBuilder::lasting_secret).
    pub fn room_tag(&self, room: &RoomCode) -> RoomTag {
        self.shared.room_tags.tag(room)
    }

    /// The names that the host speaks under ([`EngineBuilder::host_names`](crate::EngineBuilder::host_names)).
    pub fn host_names(&self) -> impl Iterator<Item = &Nick> {
        self.shared.host_names.iter()
    }

    /// Counts, as of now.
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let sessions = shared.connected.load(Ordering::Acquire);
        let all = shared.lock_sessions().by_id.len();
        Stats {
            rooms: shared.registry.len(),
            rooms_away: shared.away.len(),
            sessions,
            sessions_detached: all.saturating_sub(sessions),
            ended: shared.ended_sessions.len(),
            backlog_bytes: shared.budget.backlogs_held(),
            ledger_bytes: shared.budget.ledgers_held(),
            gaps: shared.gaps.load(Ordering::Relaxed),
            gaps_unblocked: shared.gaps_unblocked.load(Ordering::Relaxed),
            rejects: shared.counters.rejects(),
            clock_steps: shared.clock.steps(),
            unreadable: shared.unreadable.load(Ordering::Relaxed),
            embedder_panics: shared.failures.panics(),
            embedder_timeouts: shared.failures.timeouts(),
        }
    }
}
