//! What an embedder may set about the operator's door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_serve::ClientAddress;

use super::token::AdminToken;

/// What the routes are told. Begin with [`AdminConfig::new`], or where nobody else reaches the listener with [`AdminConfig::without_token`].
#[derive(Clone)]
#[non_exhaustive]
pub struct AdminConfig {
    /// What whoever asks has to show, as `Authorization: Bearer`; nothing has to be shown for `None`.
    pub token: Option<AdminToken>,
    /// How the address of whoever acts is found, for the audit. The peer's own.
    pub address: ClientAddress,
    /// Bytes of a request's body. 64 KiB: the longest message with the longest data, every letter of it escaped.
    pub body_bytes_max: usize,
    /// How long a body may take to come. 10 s.
    pub body_timeout: Duration,
    /// How long a room, the log or another server may take to answer. 10 s; past it the answer is `unavailable`, and what was asked may have been
    /// done.
    pub answer_timeout: Duration,
    /// What is done when `POST /drain` asks for it. It has to return at once. Nothing: the route is `unavailable`.
    pub drain: Option<Arc<Drain>>,
    /// Why clients should not be sent here, beside a drain: what `/readyz` says. Nothing.
    pub why_not_ready: Option<Arc<WhyNot>>,
}

type Drain = dyn Fn() + Send + Sync;
type WhyNot = dyn Fn() -> Option<&'static str> + Send + Sync;

impl AdminConfig {
    /// For whoever shows this token.
    pub fn new(token: AdminToken) -> Self {
        Self { token: Some(token), ..Self::without_token() }
    }

    /// For whoever reaches it: on a loopback address that is every program and every user of this machine. Only requests to a literal address or
    /// to `localhost` are answered then, for a stranger's page may have a name of its own point here.
    pub fn without_token() -> Self {
        Self {
            token: None,
            address: ClientAddress::default(),
            body_bytes_max: 64 << 10,
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            drain: None,
            why_not_ready: None,
        }
    }

    /// With this done for `POST /drain`: have [`Engine::drain`](chat_core::Engine::drain) begun elsewhere, or the whole program end.
    #[must_use]
    pub fn on_drain(self, drain: impl Fn() + Send + Sync + 'static) -> Self {
        Self { drain: Some(Arc::new(drain)), ..self }
    }

    /// With this said by `/readyz` where it says anything.
    #[must_use]
    pub fn why_not_ready(self, why_not: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self { why_not_ready: Some(Arc::new(why_not)), ..self }
    }
}

impl fmt::Debug for AdminConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminConfig")
            .field("token", &self.token)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("body_timeout", &self.body_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .finish_non_exhaustive()
    }
}
