//! The change from long-polling to WebSocket, of which socketioxide hears once the client has said `5`, and not before.
//!
//! While Engine.IO changes the transport it answers no poll with anything, and it gives up a session whose change fails. But some
//! middleboxes let the upgrade through and then cut or swallow what follows: a stock client goes on polling there, and needs its session.
//! So the probe is answered here, polls go on meanwhile, and what socketioxide gets is a WebSocket on which `2probe` and `5` wait to be
//! read, and `3probe` is out already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::engineio_session::Probe;

/// The longest message before the change, in bytes. 64: its own have six at most.
const MESSAGE_BYTES_MAX: usize = 64;
/// `2probe` and `5` as a client sends them, masked with zeros.
const SAID: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";
/// `3probe` as a server sends it.
const ANSWERED: &[u8] = b"\x81\x063probe";

/// Answers the probe and waits for the client to go over; `None` where it does something else. It has as long as its caller lets it.
pub(crate) async fn answer<S>(stream: S, probe: &mut Probe) -> Option<Replayed<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(MESSAGE_BYTES_MAX)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let mut ws = WebSocketStream::from_raw_socket(Bytewise(stream), Role::Server, Some(config)).await;
    loop {
        match ws.next().await?.ok()? {
            Message::Text(text) if text.as_str() == "2probe" => {
                ws.send(Message::text("3probe")).await.ok()?;
                probe.answered();
            }
            Message::Text(text) if text.as_str() == "5" && probe.is_answered() => {
                let Bytewise(stream) = ws.into_inner();
                return Some(Replayed { stream, unread: SAID, unwritten: ANSWERED.len() });
            }
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

/// A stream that is read one byte at a time: what follows the `5`, which is socketioxide's, stays in it.
struct Bytewise<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Bytewise<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut one))?;
        out.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bytewise<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A stream on which some bytes are said once more, and the answer to them is heard by nobody.
pub(crate) struct Replayed<S> {
    stream: S,
    unread: &'static [u8],
    /// How many bytes written first go nowhere.
    unwritten: usize,
}

impl<S> Replayed<S> {
    /// The same over a stream around this one's.
    pub(crate) fn map<T>(self, wrap: impl FnOnce(S) -> Option<T>) -> Option<Replayed<T>> {
        Some(Replayed { stream: wrap(self.stream)?, unread: self.unread, unwritten: self.unwritten })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, out);
        }
        let (now, later) = self.unread.split_at(self.unread.len().min(out.remaining()));
        out.put_slice(now);
        self.unread = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unwritten == 0 {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        let taken = self.unwritten.min(bytes.len());
        self.unwritten -= taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
