//! By which transport people come.

use std::fmt;

/// By which transport somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// WebSocket.
    Ws,
    /// A stream of Server-Sent Events, and POSTs.
    Sse,
    /// Socket.IO over a WebSocket.
    SocketIo,
    /// Socket.IO by long-polling.
    Polling,
}

impl TransportKind {
    /// Every one.
    pub const ALL: [TransportKind; 4] = [Self::Ws, Self::Sse, Self::SocketIo, Self::Polling];
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::SocketIo => "sio",
            Self::Polling => "poll",
        })
    }
}
