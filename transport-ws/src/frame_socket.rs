//! One connection's socket with what reads and writes it, and how it ends.

use chat_core::CloseReason;

use super::reader::Reader;
use super::writer::Writer;

/// A socket with what reads and writes it. In the order in which a wake-up comes by.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct FrameSocket<S> {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) socket: S,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The peer is gone, or takes nothing any more: nobody is left to tell.
    Lost,
    /// The peer closes; the answer is ready to be written.
    Answer,
    /// We close, and wait for the peer's answer.
    Close(CloseReason),
    /// We close, and can understand no answer.
    Abandon(CloseReason),
}
