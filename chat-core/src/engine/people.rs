//! What the host does with people, wherever they are: it looks who is there, brings them into rooms, and ends their sessions.

use std::fmt;
use std::pin::Pin;

use crate::engine::client::add::Added;
use crate::engine::client::sessions_of::{PersonSessions, SessionEntry};
use crate::engine::engine::Engine;
use crate::ports::{EndedWho, Revocation};
use crate::types::{Identity, Nick, Reject, RoomCode};

/// A person on their way into a room, added when it is awaited; made by [`Engine::add`].
#[derive(Clone)]
#[must_use = "nobody is added until it is awaited"]
pub struct Add<'a> {
    engine: &'a Engine,
    identity: &'a Identity,
    room: &'a RoomCode,
    nick: Option<Nick>,
}

impl Add<'_> {
    /// The same; and where the policy does not say what they are called, they are called this.
    pub fn with_nick(self, nick: impl Into<Option<Nick>>) -> Self {
        Self { nick: nick.into(), ..self }
    }
}

impl<'a> IntoFuture for Add<'a> {
    type Output = Result<Added, Reject>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { engine, identity, room, nick } = self;
        Box::pin(engine.shared.add(identity.clone(), room.clone(), nick))
    }
}

impl fmt::Debug for Add<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Add").field("room", self.room).finish_non_exhaustive()
    }
}

impl Engine {
    /// The sessions of a person, connected or kept without a connection, at all servers. Those that live and do not answer within
    /// [`resume_wait`](crate::SessionLimits::resume_wait) are named in [`PersonSessions::silent`]; a server of an earlier version is one of them.
    ///
    /// ```
    /// # use chat_core::{Engine, Identity};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let engine = Engine::builder().build();
    /// let ann = Identity::new("user:17").expect("an identity");
    /// let known = engine.sessions_of(&ann).await;
    /// let is_online = known.sessions.iter().any(|session| session.is_connected);
    /// assert!(!is_online && known.silent.is_empty());
    /// # }
    /// ```
    pub async fn sessions_of(&self, identity: &Identity) -> PersonSessions {
        self.shared.sessions_of(identity).await
    }

    /// The sessions of a person that this server knows, connected or kept without a connection, in the order in which they began. Asks nobody, and
    /// names all of them.
    pub fn sessions_here(&self, identity: &Identity) -> Vec<SessionEntry> {
        self.shared.sessions_here(identity)
    }

    /// Adds a person to a room: every session of theirs that is connected comes in, at whichever server, and is told so with a `joined` that it has not
    /// asked for. Where none is connected they are invited: for [`invite_time`](crate::RoomLimits::invite_time) they may come in by themselves, once,
    /// although the room is locked or asks for a secret. Whoever has no identity, and so is nobody in particular, cannot be added. The policy is not
    /// asked, but what it has said beforehand counts: [`Admission::rooms`](crate::Admission::rooms) and what somebody is called
    /// ([`Admission::named`](crate::Admission::named)); where it does not say that, [`Add::with_nick`] does, and else
    /// what they are called in the room, or were when they left. What has begun is carried out, also where
    /// the future is dropped. Awaited, it gives an [`Added`].
    ///
    /// ```
    /// # use chat_core::{Engine, Identity, Nick, RoomCode, RoomOptions};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chat_core::Reject> {
    /// # let engine = Engine::builder().build();
    /// # let lunch = RoomCode::parse("LUNCH")?;
    /// # engine.room(&lunch).create(RoomOptions::new()).await?;
    /// let ann = Identity::new("user:17").expect("an identity");
    /// let added = engine.add(&ann, &lunch).with_nick(Nick::parse("Ann")?).await?;
    /// assert!(added.attached > 0 || added.invited_until.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing was done after `room_not_found`; `banned` of a person who is kept out; `at_capacity` where as many are invited as may be
    /// ([`invites_max`](crate::RoomLimits::invites_max)), or rooms hold as much as they may; `draining`. After `unavailable` or `busy` they may have been
    /// invited. Why a session did not come in is no error, and stands in [`Added::refused`].
    pub fn add<'a>(&'a self, identity: &'a Identity, room: &'a RoomCode) -> Add<'a> {
        Add { engine: self, identity, room, nick: None }
    }

    /// Ends a session for good, or all of a person's that there are by now, as the client's own `end` does: it leaves its rooms, its connection ends as
    /// `ended` (4503) over whatever transport, and none of its tokens is good any more, over restarts too where there is a log, and at every server.
    /// The policy is not asked, and nobody pays for it. Whoever may still connect begins a new session: that is for the policy to refuse. What has
    /// begun is carried out, also where the future is dropped. That there is no such session is no error: it may come back at another server.
    ///
    /// ```
    /// # use chat_core::{Engine, Identity};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chat_core::Reject> {
    /// # let engine = Engine::builder().build();
    /// let ann = Identity::new("user:17").expect("an identity");
    /// engine.end(ann.clone()).await?;
    /// assert!(engine.sessions_of(&ann).await.sessions.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `at_capacity` past [`ended_max`](crate::EngineLimits::ended_max), `unavailable` when the log cannot remember it, `draining` when the server
    /// is going down. Nothing was done.
    pub async fn end(&self, who: impl Into<EndedWho>) -> Result<(), Reject> {
        self.shared.end_by_host(who.into()).await
    }

    /// Takes back, before it runs out, something of what a person was admitted for: at all their connections at once, and at every server. In each of
    /// their rooms it comes after everything that came before this call: what they said is there, and what they say now is refused. Who is away and
    /// would come back to rooms that they may not enter any more leaves those, too. What the policy says afterwards is new: change it first.
    ///
    /// ```
    /// # use chat_core::{Engine, Identity, Revocation};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chat_core::Reject> {
    /// # let engine = Engine::builder().build();
    /// let ann = Identity::new("user:17").expect("an identity");
    /// engine.revoke(ann, Revocation::RoomsBut(["LOBBY".parse()?].into())).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `unavailable` when another server that can be reached has not said that it did the same: it has been done here, and may be done again. A server that
    /// cannot be reached is not told: there an admission is good until it runs out, or a client comes back. `draining` when this server is going down:
    /// nothing was done.
    pub async fn revoke(&self, identity: Identity, what: Revocation) -> Result<(), Reject> {
        self.shared.revoke(identity, what).await
    }
}
