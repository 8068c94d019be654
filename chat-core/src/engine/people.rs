//! What the host does with people, wherever they are: it looks who is there, and ends their sessions.

use crate::engine::client::host_end::SessionEntry;
use crate::engine::engine::Engine;
use crate::ports::{EndedWho, Revocation};
use crate::types::{Identity, Reject};

impl Engine {
    /// The sessions of a person that this server knows, connected or kept without a connection, in the order in which they began. Where there are
    /// several servers each knows its own.
    pub fn sessions_of(&self, identity: &Identity) -> Vec<SessionEntry> {
        self.shared.sessions_of(identity)
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
    /// assert!(engine.sessions_of(&ann).is_empty());
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
