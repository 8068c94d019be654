//! The end of a connection: told so that the stock client does what the reason says, and made sure of.
//!
//! A stock client whose connection breaks comes back by itself; one that is disconnected from the namespace does not. So a
//! reason to reconnect ends the connection, and any other the namespace.

use std::sync::Arc;
use std::time::Duration;

use chat_core::CloseReason;
use socketioxide::socket::Socket;
use tokio::time::sleep;

use super::engineio_session::{End, EngineIoSession};
use super::link::Loss;

/// Why a pump has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The client is gone.
    Lost(Loss),
    /// The connection has taken nothing for too long.
    Stalled,
    /// The client has given no sign of life for too long.
    Silent,
    /// The session's last frame has been emitted.
    Closing(CloseReason),
}

/// Ends the connection of a client. Its session is detached already: nothing waits for this.
pub(crate) async fn finish(
    socket: Arc<Socket>,
    engineio: Arc<EngineIoSession>,
    chat_session_number: u64,
    exit: Exit,
    close_timeout: Duration,
) {
    match exit {
        Exit::Lost(Loss::Ended) => return,
        // The writer of a stalled connection waits for a peer that may never read on; nothing but this ends it.
        Exit::Stalled | Exit::Silent => return engineio.end(End::All),
        Exit::Closing(reason) if reason.reconnect() => engineio.end(End::Reading),
        Exit::Closing(_) => {
            // Does nothing where the queue is full.
            if Arc::clone(&socket).disconnect().is_err() {
                return engineio.end(End::All);
            }
        }
        Exit::Lost(Loss::Left) => {}
    }
    drop(socket);
    // Nobody is waited for by name: what is still there after a while is ended, and after another while cut off.
    let engineio = {
        let kept = Arc::downgrade(&engineio);
        drop(engineio);
        kept
    };
    for end in [End::Reading, End::All] {
        sleep(close_timeout).await;
        match engineio.upgrade() {
            Some(engineio) if engineio.chat_sessions() == chat_session_number => engineio.end(end),
            _ => return,
        }
    }
}
