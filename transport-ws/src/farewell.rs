//! The end of a connection: the last bytes out, and the peer's answer to the close frame awaited for a while.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use chat_core::Connection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::frames;
use super::line::{Line, Parting};
use super::reader::Incoming;

/// Parts from the peer; takes at most `close_timeout`.
///
/// The session is kept until the close frame is out: an engine that drains waits for its sessions, and what is then still
/// unsent is never sent.
pub(crate) async fn part<S>(mut line: Line<S>, parting: Parting, session: Option<Connection>, close_timeout: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A peer that is gone, or that takes its time, is told nothing further.
    let _ = timeout(close_timeout, say(&mut line, parting, session)).await;
}

async fn say<S>(line: &mut Line<S>, parting: Parting, session: Option<Connection>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Parting::Close(reason) | Parting::Abandon(reason) = parting {
        frames::put_close(&mut line.writer.control, reason);
    }
    poll_fn(|cx| line.writer.poll_control(cx, &mut line.socket)).await?;
    drop(session);
    match parting {
        Parting::Lost | Parting::Answer => {}
        Parting::Close(_) => listen(line).await,
        Parting::Abandon(_) => {
            // Closing a socket with bytes unread resets it, and the reset can overtake the close frame.
            line.socket.shutdown().await?;
            let mut ignored = [0; 1024];
            while line.socket.read(&mut ignored).await? > 0 {}
        }
    }
    line.socket.shutdown().await
}

/// Reads on to the peer's close frame. What else it says comes too late.
async fn listen<S>(line: &mut Line<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut unsaid = Vec::new();
    loop {
        match poll_fn(|cx| line.reader.poll_next(cx, &mut line.socket, &mut unsaid)).await {
            Incoming::Closed | Incoming::Lost | Incoming::Broken => return,
            Incoming::Text(_) | Incoming::NoText(_) | Incoming::Alive => unsaid.clear(),
        }
    }
}
