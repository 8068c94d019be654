//! What is said to a policy: what guests may, and how tokens are looked at.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Clock, Guests, SystemClock};

/// How tokens are looked at.
#[derive(Clone)]
#[non_exhaustive]
pub struct JwtConfig {
    /// What those may who show none. Whatever anybody may.
    pub guests: Guests,
    /// Whom tokens are for (`aud`): one of these, and then it has to be said. None, and then a token that is for somebody is refused.
    pub audiences: Vec<String>,
    /// Who has made tokens (`iss`): one of these, and then it has to be said. Whoever has the key.
    pub issuers: Vec<String>,
    /// How far the clock of who makes tokens may be off: they are good for so much longer, and sooner. 30 s.
    pub leeway: Duration,
    /// The claim of what people are called. `name`, as in OpenID Connect.
    pub nick_claim: String,
    /// The claim of what they are in rooms. `chat_role`.
    pub role_claim: String,
    /// The claim of the rooms that they may enter. `chat_rooms`.
    pub rooms_claim: String,
    /// What time it is. The system's; where an engine has a clock of its own, that one.
    pub clock: Arc<dyn Clock>,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            guests: Guests::default(),
            audiences: Vec::new(),
            issuers: Vec::new(),
            leeway: Duration::from_secs(30),
            nick_claim: "name".to_owned(),
            role_claim: "chat_role".to_owned(),
            rooms_claim: "chat_rooms".to_owned(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl JwtConfig {
    /// The same, for these guests.
    #[must_use]
    pub fn with_guests(self, guests: Guests) -> Self {
        Self { guests, ..self }
    }

    /// The same, for tokens that are for this, too.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The same, for tokens that this has made, too.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// The same, by this clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

impl fmt::Debug for JwtConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guests, audiences, issuers, leeway, nick_claim, role_claim, rooms_claim, clock: _ } = self;
        let mut config = f.debug_struct("JwtConfig");
        config.field("guests", guests).field("audiences", audiences).field("issuers", issuers).field("leeway", leeway);
        config.field("nick_claim", nick_claim).field("role_claim", role_claim).field("rooms_claim", rooms_claim);
        config.finish_non_exhaustive()
    }
}
