//! The end of a connection: the last bytes out, and the peer's answer to the close frame awaited for a while.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use chat_core::Connection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::frame_socket::{Exit, FrameSocket};
use super::frames;
use super::reader::Incoming;

/// Parts from the peer; takes at most `close_timeout`.
///
/// The session is kept until the close frame is out: an engine that drains waits for its sessions, and what is then still
/// unsent is never sent.
pub(crate) async fn finish<S>(
    mut ws: FrameSocket<S>,
    exit: Exit,
    connection: Option<Connection>,
    close_timeout: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A peer that is gone, or that takes its time, is told nothing further.
    let _ = timeout(close_timeout, say(&mut ws, exit, connection)).await;
}

async fn say<S>(ws: &mut FrameSocket<S>, exit: Exit, connection: Option<Connection>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Exit::Close(reason) | Exit::Abandon(reason) = exit {
        frames::put_close(&mut ws.writer.control, reason);
    }
    poll_fn(|cx| ws.writer.poll_control(cx, &mut ws.socket)).await?;
    drop(connection);
    match exit {
        Exit::Lost | Exit::Answer => {}
        Exit::Close(_) => listen(ws).await,
        Exit::Abandon(_) => {
            // Closing a socket with bytes unread resets it, and the reset can overtake the close frame.
            ws.socket.shutdown().await?;
            let mut ignored = [0; 1024];
            while ws.socket.read(&mut ignored).await? > 0 {}
        }
    }
    ws.socket.shutdown().await
}

/// Reads on to the peer's close frame. What else it says comes too late.
async fn listen<S>(ws: &mut FrameSocket<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut unsaid = Vec::new();
    loop {
        match poll_fn(|cx| ws.reader.poll_next(cx, &mut ws.socket, &mut unsaid)).await {
            Incoming::Closed | Incoming::Lost | Incoming::Broken => return,
            Incoming::Text(_) | Incoming::NoText(_) | Incoming::Alive => unsaid.clear(),
        }
    }
}
