//! What can go wrong: every refusal of the server by its code, and what only a client can say.

use std::time::Duration;

use chat_core::wire::ServerFrame;
use chat_core::{CloseReason, Reject, RejectCode, Wall};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused it; or it could not even be asked, because a text is none that may be sent.
    #[error("{}: {}", .0.name, .0.message)]
    Refused(Box<Refusal>),
    /// The connection was lost before the answer: it may have been done.
    #[error("the connection was lost before the answer")]
    Disconnected,
    /// The client was closed, or may not come back.
    #[error("the client is closed: {reason} ({code})")]
    Closed {
        /// A close code of the protocol, or 1000 for a client that was closed by its program.
        code: u16,
        /// The reason that came with it.
        reason: String,
        /// What the server said before.
        refusal: Option<Box<Refusal>>,
    },
    /// Not in the room any more, or not yet.
    #[error("one is not in the room")]
    Left,
    /// It was written for another life of the room, whose people may be others. It was not sent.
    #[error("this was written for an earlier life of the room")]
    EpochChanged,
    /// It was sent, the answer was lost, and it cannot be asked for any more.
    #[error("this may have been said already")]
    OutcomeUnknown,
    /// As many messages wait to be sent as may, or as many bytes of them.
    #[error("too many messages wait to be sent")]
    OutboxFull,
    /// As many commands wait to be sent as may.
    #[error("too many commands wait to be sent")]
    Busy,
    /// There were no credentials to show: what gives them failed, panicked, or took longer than a minute. It is asked again.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// The URL is none of a chat server: it begins with `ws://`, `wss://`, `http://` or `https://`, and has no password in it.
    #[error("this is no URL of a chat server")]
    Url,
    /// The name or the value of a header is none that can be sent.
    #[error("this is no header")]
    Header,
    /// The certificates that servers are trusted by cannot be read.
    #[error("no certificates in {name}: {why}")]
    Roots {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What the server says of a refusal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The code; nothing for one that this version does not know.
    pub code: Option<RejectCode>,
    /// The code as it was said.
    pub name: String,
    /// For people.
    pub message: String,
    /// The field that is wrong.
    pub field: Option<String>,
    /// The bound that was passed.
    pub limit: Option<u64>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// When a ban ends.
    pub until: Option<Wall>,
}

impl Error {
    /// The code of a refusal, of that of the whole client too.
    pub fn code(&self) -> Option<RejectCode> {
        self.refusal().and_then(|refusal| refusal.code)
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Closed { refusal, .. } => refusal.as_deref(),
            _ => None,
        }
    }

    /// Whether the same may be taken a little later.
    pub fn is_passing(&self) -> bool {
        use RejectCode::{AtCapacity, Busy, Draining, NotConnected, RateLimited, Unavailable};
        let passing = [RateLimited, Busy, Unavailable, AtCapacity, Draining, NotConnected];
        let is_closed = matches!(self, Self::Closed { .. });
        matches!(self, Self::Busy) || (!is_closed && self.code().is_some_and(|code| passing.contains(&code)))
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// What an `error` frame says.
    pub(crate) fn of(frame: &ServerFrame) -> Option<Self> {
        let ServerFrame::Error { code, message, field, limit, retry_after_ms, until, .. } = frame else { return None };
        Some(Self::Refused(Box::new(Refusal {
            code: RejectCode::ALL.iter().copied().find(|known| known.as_str() == code),
            name: code.clone(),
            message: message.clone(),
            field: field.clone(),
            limit: *limit,
            retry_after: retry_after_ms.map(Duration::from_millis),
            until: *until,
        })))
    }
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        Self::Refused(Box::new(Refusal {
            code: Some(reject.code),
            name: reject.code.as_str().to_owned(),
            message: reject.message.into_owned(),
            field: reject.field.map(str::to_owned),
            limit: reject.limit,
            retry_after: reject.retry_after,
            until: reject.until,
        }))
    }
}

/// How a connection is lost of which nobody said why.
pub(crate) const ABNORMAL: u16 = 1006;
/// How one is that was wanted.
pub(crate) const NORMAL: u16 = 1000;

/// Close codes from 4500 to 4999 say: do not come back.
pub(crate) fn is_final(code: u16) -> bool {
    (4500..5000).contains(&code)
}

/// Whether a connection may have been lost over what was said: neither the server nor this client had another reason, and nobody on the way said
/// that it goes away (1001) or begins anew (1012).
pub(crate) fn is_unexplained(code: u16) -> bool {
    code == CloseReason::ProtocolViolation.code() || (code > 1001 && code < 4000 && code != 1012)
}
