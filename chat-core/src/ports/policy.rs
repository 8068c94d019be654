//! The embedder's own rules: who may connect, and allow, deny or rewrite each command.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Command, Named, Role};
use crate::types::{Identity, Nick, PersonData, Reject, RoomCode, SessionId, Wall};

/// A client that wants to connect, or comes back, as far as the transport knows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConnectRequest {
    /// Which transport it came over: `ws`, `sse`, `socketio`, or an embedder's own.
    pub transport: &'static str,
    /// Where it came from, as far as that is known.
    pub address: Option<IpAddr>,
    /// What it showed to say who it is: the `token` of its [`Hello`](crate::Hello), or what the transport found elsewhere, which must be the same
    /// where there are both. Those of this project look where `chat_serve::Credentials` says: by default in `Authorization: Bearer`, but over
    /// SSE a bearer of the shape of a session's token is taken for one, and is not here; where that is told, in a cookie or a parameter too.
    ///
    /// Where an engine has no policy ([`Engine::reads_credentials`](crate::Engine::reads_credentials)) nobody reads it, and the transports refuse a
    /// client that shows something.
    pub credentials: Option<String>,
    /// Where it showed them: `bearer`, `cookie`, `query`, or `message` for the `token` of a [`Hello`](crate::Hello), of Socket.IO's `auth` or of an
    /// [`auth`](crate::Command::Auth); a place of an embedder's own, or nothing where its transport does not say. Shown in two places it is the first of these.
    pub shown_in: &'static str,
}

impl fmt::Debug for ConnectRequest {
    /// Without the credentials: they are secret, and this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.credentials.is_some();
        let mut request = f.debug_struct("ConnectRequest");
        request.field("transport", &self.transport).field("address", &self.address);
        request.field("shows_credentials", &shown).field("shown_in", &self.shown_in).finish()
    }
}

/// A policy's yes, and who the client is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Admission {
    /// Who this is; sessions of one identity are one person to a room. `None` for a guest, who is only their session.
    pub identity: Option<Identity>,
    /// What the person is shown as in every room, where the policy says so. It takes the place of what they ask for, as soon as they come
    /// in, come back, are admitted anew or ask for a change; a name that is given so may look like another's.
    pub named: Named,
    /// What the person is in the rooms that they are in, enter or come back to, as far as the room's own rules allow it; what the room says where
    /// there is none. See [`Admission::with_role`].
    pub role: Option<Role>,
    /// When what the client has shown runs out, by the engine's clock. [`auth_notice`](crate::SessionLimits::auth_notice) before that it is told
    /// so, and shows another with [`Command::Auth`]; else its connection ends as `auth_expired`. Never where there is none.
    pub expires_at: Option<Wall>,
    /// The rooms that the person may enter, make and come back to, by their codes; any where there is none. Behind an [`Arc`], as every
    /// command's [`SessionView`] shows it.
    pub rooms: Option<Arc<BTreeSet<RoomCode>>>,
}

impl Admission {
    /// Of a guest, who is only their session.
    pub fn guest() -> Self {
        Self::default()
    }

    /// Of this person; of a guest where there is none.
    pub fn of(identity: impl Into<Option<Identity>>) -> Self {
        Self { identity: identity.into(), ..Self::default() }
    }

    /// The same, shown under this name wherever they are.
    ///
    /// A name of the policy's own records may be no [`Nick`]: one of more than 32 characters, say. Shorten it, or leave it out. A policy
    /// that hands on the reject of [`Nick::parse`] turns the person away for good, for something that they never sent.
    #[must_use]
    pub fn with_nick(mut self, nick: Nick) -> Self {
        self.named.nick = Some(nick);
        self
    }

    /// The same, showing this beside their name wherever they are.
    #[must_use]
    pub fn with_data(mut self, data: PersonData) -> Self {
        self.named.data = Some(data);
        self
    }

    /// The same, with this role in the rooms that they are in, enter or come back to. The host gives it there, right after they have come in and as
    /// [`Moderation::SetRole`](crate::Moderation::SetRole) does, so that everybody is told:
    ///
    /// - `Moderator` makes them one, while the room has a place for another ([`moderators_max`](crate::RoomLimits::moderators_max)).
    /// - `Member` takes the role of a moderator from them.
    /// - `Owner` gives them the owner's place only where nobody has it and it is held for nobody, as in a room that is the host's
    ///   ([`Moderation::Protect`](crate::Moderation::Protect)); elsewhere they become a moderator.
    /// - Who is the room's owner stays it, whatever is said here.
    ///
    /// It stays with their place in the room, as any role does: what takes it away again is another role, on another admission.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role: Some(role), ..self }
    }

    /// The same, until this time.
    #[must_use]
    pub fn with_expiry(self, expires_at: impl Into<Option<Wall>>) -> Self {
        Self { expires_at: expires_at.into(), ..self }
    }

    /// The same, in these rooms and no others; under a code that the server draws nobody makes one then. Where a later admission of the same
    /// session names fewer, the person leaves those that they are in.
    #[must_use]
    pub fn with_rooms(self, rooms: impl IntoIterator<Item = RoomCode>) -> Self {
        Self { rooms: Some(Arc::new(rooms.into_iter().collect())), ..self }
    }

    /// Whether this room may be entered, made or come back to.
    pub fn may_enter(&self, room: &RoomCode) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room))
    }

    /// Whether it has run out.
    pub fn has_expired(&self, now: Wall) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// What a policy sees of the session that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionView {
    /// The session that asks; the same over all its connections.
    pub session: SessionId,
    /// The person, as the policy's own `admit` said; `None` for a guest.
    pub identity: Option<Identity>,
    /// The transport of its connection right now: `ws`, `sse`, `socketio`, or an embedder's own.
    pub transport: &'static str,
    /// Where that connection came from, as far as that is known.
    pub address: Option<IpAddr>,
    /// What the policy's own `admit` said last: for this connection, or at a later [`Command::Auth`] on it. Where a session is to be ended that
    /// is on no connection, all that is known of it is who the person is.
    pub admission: Arc<Admission>,
}

impl SessionView {
    /// Of a guest; for whoever tries a policy of their own.
    pub fn new(session: SessionId, transport: &'static str) -> Self {
        Self { session, identity: None, transport, address: None, admission: Arc::default() }
    }

    /// Of this person, of whom nothing else was said.
    pub fn with_identity(self, identity: Identity) -> Self {
        self.with_admission(Admission::of(identity))
    }

    /// Of whoever was admitted so.
    pub fn with_admission(self, admission: impl Into<Arc<Admission>>) -> Self {
        let admission = admission.into();
        Self { identity: admission.identity.clone(), admission, ..self }
    }

    /// From there.
    pub fn with_address(self, address: impl Into<Option<IpAddr>>) -> Self {
        Self { address: address.into(), ..self }
    }
}

/// The embedder's rules. May be slow (it may ask a database): each session's commands are checked one at a time, in
/// order, and nobody else waits.
///
/// What it says is advice as of its call: the room checks membership and everything of its own when it decides. A call that panics,
/// or takes longer than [`policy_timeout`](crate::EngineLimits::policy_timeout), is answered `unavailable`.
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Lets a client in, or not. Asked again whenever a session resumes, and when a client shows another credential ([`Command::Auth`]): then
    /// the identity has to be the same, and a reject leaves things as they are until what was shown before runs out.
    ///
    /// # Errors
    /// A reject is told to the client, and its connection ends as `refused`; with a code that may pass (`rate_limited`, `busy`,
    /// `at_capacity`, `draining`, `unavailable`) it is told to come back, after the reject's `retry_after` if it has one. With `auth_expired`, and by an
    /// admission that has run out already, its connection ends as that: it is to come back with another credential.
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let _ = request;
        Ok(Admission::guest())
    }

    /// Lets a command through as it is or rewritten, or not. The client has paid for it by then, as it was sent: rates and bytes are
    /// not looked at again, so that a policy which makes another kind of command of it lets that pass without a price.
    ///
    /// What people write comes in more commands than one; a policy that looks at words looks at all of these:
    ///
    /// | command | its words |
    /// |---|---|
    /// | [`Send`](Command::Send), [`Edit`](Command::Edit) | `text`, and `data` |
    /// | [`Live`](Command::Live) | `text`, of a message while it grows |
    /// | [`SetTopic`](Command::SetTopic) | `topic` |
    /// | [`Create`](Command::Create), [`Join`](Command::Join), [`Me`](Command::Me) | `nick`, and `data`: what is shown beside it |
    /// | [`React`](Command::React) | `name` |
    /// | [`Signal`](Command::Signal) | `name`, and `data` |
    ///
    /// A `Send` or `Edit` with `data` may have an empty `text` ([`Body::empty`](crate::Body::empty)), which
    /// [`Body::parse`](crate::Body::parse) refuses: a policy that rewrites texts leaves an empty one as it is, or nobody can send data
    /// alone. `check_a_policy`, an example of `chat-testkit`, is a policy that does all this, with its tests.
    ///
    /// # Errors
    /// A reject is told to the client.
    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        let _ = session;
        Ok(command)
    }

    /// Something that this person was admitted for is taken back ([`Engine::revoke`](crate::Engine::revoke)), or their sessions are ended: whatever the
    /// policy remembers of them is not to let them in again. Told at every server; to be done at once, and not to wait for anything.
    fn forget(&self, identity: &Identity) {
        let _ = identity;
    }
}
