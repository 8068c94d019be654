//! The embedder's own rules: who may connect, and allow, deny or rewrite each command.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::domain::{Command, Named};
use crate::types::{Identity, Nick, PersonData, Reject, SessionId};

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
}

impl fmt::Debug for ConnectRequest {
    /// Without the credentials: they are secret, and this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.credentials.is_some();
        let mut request = f.debug_struct("ConnectRequest");
        request.field("transport", &self.transport).field("address", &self.address);
        request.field("shows_credentials", &shown).finish()
    }
}

/// A policy's yes, and who the client is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Admission {
    /// Who this is; sessions of one identity are one person to a room. `None` for a guest, who is only their session.
    pub identity: Option<Identity>,
    /// What the person is shown as in every room, where the policy says so. It takes the place of what they ask for, as soon as they come
    /// in, come back or ask for a change; a name that is given so may look like another's.
    pub named: Named,
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
}

impl SessionView {
    /// Of a guest; for whoever tries a policy of their own.
    pub fn new(session: SessionId, transport: &'static str) -> Self {
        Self { session, identity: None, transport }
    }

    /// Of this person.
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }
}

/// The embedder's rules. May be slow (it may ask a database): each session's commands are checked one at a time, in
/// order, and nobody else waits.
///
/// What it says is advice as of its call: the room checks membership and everything of its own when it decides. A call that panics,
/// or takes longer than [`policy_timeout`](crate::EngineLimits::policy_timeout), is answered `unavailable`.
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Lets a client in, or not. Asked again whenever a session resumes.
    ///
    /// # Errors
    /// A reject is told to the client, and its connection ends as `refused`; with a code that may pass (`rate_limited`, `busy`,
    /// `at_capacity`, `draining`, `unavailable`) it is told to come back, after the reject's `retry_after` if it has one.
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
}
