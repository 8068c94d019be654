//! What a log answers that could not do what it was asked.

/// An append that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The log does not end where the append says; nothing was written. Somebody else has written.
    #[error("the log of the room has moved on")]
    Conflict,
    /// Nothing was written, nor will be by whoever asks: another server has taken the room over.
    #[error("another server has taken the room over")]
    Deposed,
    /// Nothing was written.
    #[error("nothing was written: {0}")]
    NotWritten(String),
    /// Whether it was written is not known; a read tells.
    #[error("the outcome of the write is not known: {0}")]
    Unknown(String),
}

/// A read that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The log cannot be reached now; try again.
    #[error("the log cannot be read now: {0}")]
    Unavailable(String),
    /// The stored bytes cannot be right; trying again does not help.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// A record, or a snapshot whose records are gone, that only a later program can read. Once one is used, it does. Nothing is
    /// passed over, and nothing is written to the room meanwhile.
    #[error(
        "the log is of a later program: {what} of version {version}, to be read from version {readable_from} on, \
         and chat-core {} reads version {reads}",
        env!("CARGO_PKG_VERSION")
    )]
    Later {
        /// What it is, with its name where it has one: "a snapshot", "record 7 of room LUNCH".
        what: String,
        /// Which version wrote it.
        version: u32,
        /// The first version that can read it.
        readable_from: u32,
        /// The latest version that this program can read.
        reads: u32,
    },
}
