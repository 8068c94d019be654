//! What is said to a policy: how the backend is asked, what guests may, and how much is remembered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Clock, Guests, SystemClock};
use hyper::header::HeaderValue;

/// How a backend is asked.
#[derive(Clone)]
pub struct HttpConfig {
    /// What those may who show no credential. Whatever anybody may.
    pub guests: Guests,
    /// What the backend knows this server by, sent as `Authorization: Bearer`. None, and then anybody could ask the backend who a credential is of.
    pub secret: Option<Secret>,
    /// How long somebody waits for the backend, with waiting for their turn. 5 s: below the engine's own
    /// [`policy_timeout`](chat_core::EngineLimits::policy_timeout), so that the client is told when to come again.
    pub timeout: Duration,
    /// Requests under way at once, and connections that are kept. 64: a backend that takes 50 ms is asked 1,280 times a second.
    pub requests_max: usize,
    /// Of these, those about clients from one address (of version 6: one /64), with all who wait for their turn. 16: more at once is nobody's home, and
    /// whoever floods the backend from one place keeps nobody else out. Where all clients come from one proxy that the server does not trust, they
    /// share it.
    pub requests_per_address_max: usize,
    /// Admissions that are remembered. 10,000: about 5 MB where none names rooms.
    pub remembered_max: usize,
    /// How long an admission is remembered, where the backend does not say. 30 s: devices that come back after a lost network ask once, and
    /// whoever is locked out is in for no longer.
    pub ttl: Duration,
    /// The most bytes of an answer. 64 KiB: 1,024 rooms, and more.
    pub answer_bytes_max: usize,
    /// The certificates that servers are trusted by, as PEM. Without one, what `SSL_CERT_FILE` names, or where systems keep theirs. Not looked at for
    /// `http`.
    pub roots: Option<PathBuf>,
    /// What time it is. The system's; where an engine has a clock of its own, that one.
    pub clock: Arc<dyn Clock>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            guests: Guests::default(),
            secret: None,
            timeout: Duration::from_secs(5),
            requests_max: 64,
            requests_per_address_max: 16,
            remembered_max: 10_000,
            ttl: Duration::from_secs(30),
            answer_bytes_max: 64 << 10,
            roots: None,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("HttpConfig");
        config.field("guests", &self.guests).field("timeout", &self.timeout).field("requests_max", &self.requests_max);
        config.field("remembered_max", &self.remembered_max).field("ttl", &self.ttl);
        config.field("answer_bytes_max", &self.answer_bytes_max).field("roots", &self.roots).finish_non_exhaustive()
    }
}

/// What a backend knows this server by. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(HeaderValue);

/// What was given as a secret is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret is 16 to 1024 visible ASCII characters (`openssl rand -hex 32` draws some)")]
pub struct BadSecret;

impl Secret {
    /// Reads 16 to 1,024 visible ASCII characters: fewer could be guessed.
    ///
    /// # Errors
    /// [`BadSecret`], which does not say what was given.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        if !(16..=1_024).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadSecret);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| BadSecret)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
