//! What an embedder may set about streams and their commands.

use std::time::Duration;

use chat_serve::{ClientAddress, Credentials, Origins, PassOn, TrustedProxies};

/// How streams are kept alive, how clients come back, and whose pages may.
#[derive(Clone, Debug)]
pub struct SseConfig {
    /// After how much silence a comment is sent. 15 s: below the half minute after which some proxies give up.
    pub heartbeat_interval: Duration,
    /// How long a client should wait before it reconnects. 2 s; each is told between one and two of it, so that after a
    /// crash not all of them come back in the same moment.
    pub retry: Duration,
    /// How long the body of a POST may take. 10 s.
    pub body_timeout: Duration,
    /// Pages that may connect and hand in commands, and read the answers. Those from the same host; for the others, CORS gives
    /// browsers leave. Programs that are no browsers always may.
    pub origins: Origins,
    /// Proxies that are believed about the host that a request was sent to. None.
    pub proxies: TrustedProxies,
    /// Who the client is, seen from its request. The peer's own address, where the serving loop gives it.
    pub address: ClientAddress,
    /// Where a client says who it is, for the engine's policy. In `Authorization: Bearer`, where that is no token of a session, and in the
    /// parameter `token`, which stands for that of a `hello`. A command is handed in with the token of its session, and with nothing else.
    pub credentials: Credentials,
    /// The other servers, where several are one service: a command whose session has its stream at another is passed on to that one. A
    /// stream's `welcome` then says `at` which server it is, and so does a cookie. None, and then neither is said.
    pub pass_on: PassOn,
}

impl Default for SseConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            body_timeout: Duration::from_secs(10),
            origins: Origins::SameHost,
            proxies: TrustedProxies::default(),
            address: ClientAddress::default(),
            credentials: Credentials::default(),
            pass_on: PassOn::default(),
        }
    }
}
