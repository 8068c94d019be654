//! Why a log cannot be opened, and what an error of the database says about a write: that nothing was written, or that nobody knows.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio_postgres::Error;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What was given as the address of a database is none, or cannot be used.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// The name of a schema that is not 1 to 63 of `a-z 0-9 _`, or begins with a digit.
    #[error("{0:?} is no name of a schema: 1 to 63 of a-z, 0-9 and _, and no digit first")]
    Schema(String),
    /// A lease that is too short or too long.
    #[error("a lease of {0:?}: it is 1 to 60 seconds")]
    Lease(Duration),
    /// A server that shares the log signs session tokens with another secret, and those of one would be void at the other. Which server it is.
    #[error(
        "the server {0} signs sessions with another secret, and those of one would be void at the other: give all of them the same"
    )]
    Secret(String),
    /// A server that shares the log writes what this program does not read, or the other way round: one of the two is older than the version before.
    #[error(
        "the server {server} speaks version {theirs} with others, and this program version {ours}, and one does not read the other: go through the versions in between, or end all servers first"
    )]
    Parcels {
        /// Which server.
        server: String,
        /// What it writes.
        theirs: u8,
        /// What this program writes.
        ours: u8,
    },
    /// The database does not answer, or not as it should.
    #[error("the database cannot be used now: {0}")]
    Database(String),
    /// The database takes no connection, and has not for about half a minute: it is not there, starts, ends, or has none free.
    #[error("the database cannot be used now: {0}")]
    Unavailable(String),
    /// The database answers, and is none that a log can be kept in.
    #[error("the database cannot keep a log: {0}")]
    Unfit(String),
    /// The tables are of a later program.
    #[error("the tables are of format version {found}; log-postgres {} reads up to {reads}", env!("CARGO_PKG_VERSION"))]
    Later {
        /// Their version.
        found: u32,
        /// The latest that this program reads.
        reads: u32,
    },
}

impl From<NoAnswer> for OpenError {
    fn from(error: NoAnswer) -> Self {
        match error.is_passing() {
            true => Self::Unavailable(error.to_string()),
            false => Self::Database(error.to_string()),
        }
    }
}

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The database or the way to it says so.
    #[error("{}", words(.0))]
    Error(#[from] Error),
    /// Nothing has come within this time.
    #[error("the database did not answer within {0:?}")]
    Mute(Duration),
}

impl NoAnswer {
    /// The class and number of what the database says, where it says anything.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Error(error) => error.code().map(|code| code.code()),
            Self::Mute(_) => None,
        }
    }

    /// Whether it is of a database that is expected to take connections soon: it starts or ends, has none free, or the way to it is cut.
    fn is_passing(&self) -> bool {
        let Self::Error(error) = self else { return false };
        match (self.code(), io_error(error)) {
            (Some(code), _) => PASSING.contains(&code),
            // A server that takes no writes, as a standby before it is promoted; a socket that may not be used has a number.
            (None, Some(error)) if error.kind() == ErrorKind::PermissionDenied => error.raw_os_error().is_none(),
            (None, Some(error)) => PASSING_KINDS.contains(&error.kind()),
            (None, None) => error.is_closed(),
        }
    }
}

/// `connection_failure`, `admin_shutdown`, `crash_shutdown`, `cannot_connect_now`, and `too_many_connections`.
const PASSING: [&str; 5] = ["08006", "57P01", "57P02", "57P03", "53300"];
/// Of a server that is not there; of a socket in a folder: it is made when the server starts.
const PASSING_KINDS: [ErrorKind; 9] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionAborted,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::NotFound,
    ErrorKind::TimedOut,
    ErrorKind::UnexpectedEof,
];

fn io_error(error: &Error) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// A write that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was written.
    NotWritten(String),
    /// Whether it was written is not known.
    Unknown(String),
}

impl Failure {
    /// What an error says that came where an answer to a write was due. What the server has refused was not written, but where it says that
    /// it ends (57P), lost its connection (08) or met a fault of its own (XX): then it may have been.
    pub(crate) fn of(error: &NoAnswer) -> Self {
        let text = error.to_string();
        match error.code() {
            Some(code) if ["57P", "08", "XX"].iter().any(|class| code.starts_with(class)) => Self::Unknown(text),
            Some(_) => Self::NotWritten(text),
            None => Self::Unknown(text),
        }
    }
}

/// The words of an error: those of the database itself where it has any.
pub(crate) fn words(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            let text = error.to_string();
            if text.ends_with(&cause) { text } else { text + &cause }
        }
    }
}
