//! The policy: whom the backend lets in, what is remembered of that, and what clients are told while it is down.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::{
    AccessToken, Admission, Command, ConnectRequest, Identity, Mono, Policy, Reject, RejectCode, SessionView,
};
use chat_http::{Endpoint, EndpointError};
use rand::RngExt;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::admission::Said;
use crate::ask::{Backend, Fault};
use crate::cache::{Cache, Key};
use crate::config::HttpConfig;

/// How long clients wait before they come again while the backend is down, in milliseconds: apart, so that it is not run over when it is back.
const COME_AGAIN: std::ops::RangeInclusive<u64> = 1_000..=5_000;

/// How often the log has a line that the backend is down. A minute: more says nothing new.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Asks a backend over HTTP. See the [crate](crate).
pub struct HttpPolicy {
    backend: Backend,
    config: HttpConfig,
    cache: Mutex<Cache>,
    is_down: AtomicBool,
    /// Whether the log has been told so, and when last.
    has_said: AtomicBool,
    said_at: Mutex<Option<Mono>>,
}

impl HttpPolicy {
    /// Asks this URL, which begins with `https://` or `http://`.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn new(url: &str, config: HttpConfig) -> Result<Self, EndpointError> {
        let endpoint = Endpoint::new(url, config.roots.as_deref())?;
        let backend = Backend::new(endpoint, &config);
        let (is_down, has_said) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { backend, config, cache: Mutex::default(), is_down, has_said, said_at: Mutex::default() })
    }

    /// Forgets what the backend has said of a person, on all their devices: it is asked when they come next. [`Engine::end`](chat_core::Engine::end) and
    /// [`Engine::revoke`](chat_core::Engine::revoke) do so by themselves, at every server.
    pub fn forget(&self, identity: &Identity) {
        self.cache().forget(identity);
    }

    /// Forgets what the backend has said of everybody.
    pub fn forget_all(&self) {
        self.cache().clear();
    }

    /// Whether the last answer that was waited for has not come, or said nothing that is understood.
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    async fn ask(&self, request: &ConnectRequest, credential: &str) -> Result<Admission, Reject> {
        if credential.len() > AccessToken::BYTES_MAX {
            return Err(Reject::new(RejectCode::BadToken, "the token is longer than any of ours"));
        }
        let address = request.address.map(|address| address.to_string());
        let place = Some(request.shown_in).filter(|place| !place.is_empty());
        let question =
            json!({"transport": request.transport, "address": address, "credential": credential, "shown_in": place});
        let question = Bytes::from(question.to_string());
        let key: Key = Sha256::digest(&question).into();
        let now = self.config.clock.now();
        let epoch = {
            let mut cache = self.cache();
            if let Some(admission) = cache.find(&key, now.mono, now.wall) {
                return Ok(admission);
            }
            cache.epoch
        };
        let asked = self.backend.ask(request.address, question).await;
        let understood = asked.and_then(|answer| Said::read(answer).map_err(Fault::Malformed));
        let said = understood.map_err(|fault| self.failed(&fault))?;
        self.answered();
        let (admission, ttl) = match said {
            Said::Yes(admission, ttl) => (admission, ttl),
            Said::No(reject) => return Err(reject),
        };
        if admission.identity.is_none() {
            self.config.guests.admit()?;
        }
        let now = self.config.clock.now();
        let ttl = ttl.unwrap_or(self.config.ttl);
        let mut cache = self.cache();
        // What was asked before somebody was forgotten may be about them.
        if !ttl.is_zero() && cache.epoch == epoch {
            cache.remember(key, admission.clone(), now.mono.after(ttl), now.wall, self.config.remembered_max);
        }
        Ok(admission)
    }

    /// What clients are told while the backend is down: to come again after a moment.
    fn failed(&self, fault: &Fault) -> Reject {
        // What one client has shown, or too many of them at once, says nothing of the backend.
        let is_down = match fault {
            Fault::Crowded | Fault::Busy => false,
            Fault::Status { status, .. } => !matches!(status.as_u16(), 400 | 413 | 422 | 429 | 431),
            _ => true,
        };
        if is_down && !self.is_down.swap(true, Ordering::Relaxed) && self.may_say() {
            tracing::warn!(error = %fault, "the backend cannot be asked who people are, and nobody new comes in");
        }
        let wait = match fault {
            Fault::Status { retry_after: Some(wait), .. } => *wait,
            _ => Duration::ZERO,
        };
        let drawn = Duration::from_millis(rand::rng().random_range(COME_AGAIN));
        let words = "nobody can say who you are right now: come again in a moment";
        Reject::new(RejectCode::Unavailable, words).retry_after(wait + drawn)
    }

    fn answered(&self) {
        if self.is_down.swap(false, Ordering::Relaxed) && self.has_said.swap(false, Ordering::Relaxed) {
            tracing::info!("the backend says again who people are");
        }
    }

    /// Whether the log has a line about the backend: one a minute, however often it comes and goes.
    fn may_say(&self) -> bool {
        let now = self.config.clock.now().mono;
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = said_at.is_none_or(|at| now >= at.after(SAY_EVERY));
        if may {
            *said_at = Some(now);
            self.has_said.store(true, Ordering::Relaxed);
        }
        may
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HttpPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPolicy").field("config", &self.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for HttpPolicy {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match &request.credentials {
            Some(credential) => self.ask(request, credential).await,
            None => self.config.guests.admit(),
        }
    }

    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        self.config.guests.check(session, command)
    }

    fn forget(&self, identity: &Identity) {
        self.cache().forget(identity);
    }
}
