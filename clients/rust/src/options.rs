//! What a program may say of its client: who it is, and how much is held and waits.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How much a client holds, and how long it waits. Nothing grows past these, whatever the server or the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Messages held of one room; those that [`history`](crate::Room::history) adds are held beside them. 1,000: more than anybody looks back.
    /// Past it the oldest quarter goes.
    pub held_messages_max: usize,
    /// Bytes that they take, about. 8 MiB: 1,000 messages of the longest text twice over. Past it the oldest quarter goes.
    pub held_bytes_max: usize,
    /// More events than that, missed while away, are not told one by one: a gap is, and the messages in it are read in pages. 500.
    pub catch_up: u32,
    /// Of a gap of more events than that only the newest messages are read, and what was held from before it is dropped. 500: two or three pages.
    pub gap_events_max: u64,
    /// What waits to be sent in one room. 256.
    pub outbox_max: usize,
    /// Bytes of it, as frames. 1 MiB: 256 messages of the longest text.
    pub outbox_bytes_max: usize,
    /// Commands that wait beside it for all rooms. 256.
    pub commands_max: usize,
    /// Events that wait for one [`Events`](crate::Events) to be read. 4,096: past it the oldest go, and the stream says how many.
    pub events_max: usize,
    /// Bytes of them, about. 4 MiB.
    pub events_bytes_max: usize,
    /// The longest frame that is read. 1 MiB: four times the largest answer.
    pub frame_bytes_max: usize,
    /// How long a connection may take, and then its `welcome`. 10 s.
    pub connect_wait: Duration,
    /// How long the next answer may take before the connection counts as dead. 15 s.
    pub answer_wait: Duration,
    /// How long a connection may be silent before it is asked whether it lives. 45 s: servers ping every 25 s.
    pub silence: Duration,
    /// How long it then has. 5 s.
    pub probe_wait: Duration,
    /// The longest wait before coming back; the first is up to half a second, each further one up to twice as long, and each is drawn evenly from
    /// nothing up to that (full jitter). 20 s.
    pub backoff_max: Duration,
    /// How long [`credentials`](Options::with_credentials) may take. 60 s: whoever has to be asked may need a while.
    pub credentials_wait: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            held_messages_max: 1_000,
            held_bytes_max: 8 << 20,
            catch_up: 500,
            gap_events_max: 500,
            outbox_max: 256,
            outbox_bytes_max: 1 << 20,
            commands_max: 256,
            events_max: 4_096,
            events_bytes_max: 4 << 20,
            frame_bytes_max: 1 << 20,
            connect_wait: Duration::from_secs(10),
            answer_wait: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            probe_wait: Duration::from_secs(5),
            backoff_max: Duration::from_secs(20),
            credentials_wait: Duration::from_secs(60),
        }
    }
}

/// Why credentials are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// For a new connection.
    Connect,
    /// What was shown runs out within a minute.
    Expiring,
    /// It did: another is wanted.
    Expired,
}

type Asked = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
pub(crate) type Credentials = Arc<dyn Fn(Why) -> Asked + Send + Sync>;

/// What a client begins with.
#[derive(Clone, Default)]
pub struct Options {
    pub(crate) bounds: Bounds,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) session: Option<String>,
    pub(crate) roots_file: Option<PathBuf>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Options {
    /// The default bounds, and nothing to show.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// With this to be shown to the server's policy at each connection.
    #[must_use]
    pub fn with_token(self, token: impl Into<String>) -> Self {
        let token: String = token.into();
        self.with_credentials(move |_| {
            let token = token.clone();
            async move { Ok::<_, String>(token) }
        })
    }

    /// With what this gives to be shown to the server's policy. It is asked at each connection, when what it gave is about to run out, and when it did;
    /// it runs on a task of its own, so that one that hangs or panics costs that connection alone.
    #[must_use]
    pub fn with_credentials<F, E>(self, ask: impl Fn(Why) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        let ask = move |why| -> Asked {
            let asked = ask(why);
            Box::pin(async move { asked.await.map_err(|error| error.to_string()) })
        };
        Self { credentials: Some(Arc::new(ask)), ..self }
    }

    /// Goes on with the session of an earlier client, by the last of its [`session_tokens`](crate::Client::session_tokens): in the rooms that it then joins it
    /// is the same member. A token that is not good any more counts as none.
    #[must_use]
    pub fn with_session(self, token: impl Into<String>) -> Self {
        Self { session: Some(token.into()), ..self }
    }

    /// With this header in the request of each connection: a cookie, say, where the server knows people by one.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Servers are trusted by the certificates in this PEM file; without one by those that `SSL_CERT_FILE` names, or that the system has.
    #[must_use]
    pub fn with_roots_file(self, file: impl Into<PathBuf>) -> Self {
        Self { roots_file: Some(file.into()), ..self }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
