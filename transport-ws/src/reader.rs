//! The reading half: tungstenite over an adapter that passes its reads through and catches its writes.
//!
//! Between frames there is no tungstenite and no buffer: the first bytes of the next frame make a new one. So a connection
//! that says nothing holds nothing, however large a frame it once sent.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// Bytes of one read. 4 KiB: a few dozen commands, and more than most frames.
const READ_BYTES: usize = 4 << 10;
/// A frame of this many times the limit ends the connection; a shorter one is only refused.
const OVERSIZE: usize = 4;

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A message that is no text, with what is wrong with it; the connection is sound.
    NoText(&'static str),
    /// A ping (its pong is among the control bytes) or a pong.
    Alive,
    /// The peer closes; its answer is among the control bytes. Nothing more comes.
    Closed,
    /// The peer is gone. Nothing more comes.
    Lost,
    /// The peer does not speak WebSocket, or sent far too long a frame. Nothing more can be understood.
    Broken,
}

/// Reads one peer's messages.
#[derive(Debug)]
pub(crate) struct Reader {
    tungstenite: Option<Box<WebSocketContext>>,
    border: Border,
    message_bytes_max: usize,
}

impl Reader {
    /// A reader of messages of up to `frame_bytes_max`; those of up to four times as much are still given whole.
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        let message_bytes_max = frame_bytes_max.saturating_mul(OVERSIZE);
        Self { tungstenite: None, border: Border::default(), message_bytes_max }
    }

    /// The next message. What must be answered without anybody's asking is appended to `control`: whole frames.
    pub(crate) fn poll_next<S>(&mut self, cx: &mut Context<'_>, socket: &mut S, control: &mut Vec<u8>) -> Poll<Incoming>
    where
        S: AsyncRead + Unpin,
    {
        let tungstenite = match &mut self.tungstenite {
            Some(tungstenite) => tungstenite,
            None => {
                let mut space = [MaybeUninit::uninit(); READ_BYTES];
                let mut bytes = ReadBuf::uninit(&mut space);
                match Pin::new(&mut *socket).poll_read(cx, &mut bytes) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(Incoming::Lost),
                    Poll::Ready(Ok(())) if bytes.filled().is_empty() => return Poll::Ready(Incoming::Lost),
                    Poll::Ready(Ok(())) => {}
                }
                self.border.pass(bytes.filled());
                // Behind whole messages nothing is read into it: no room for more, which would be the largest thing that a command
                // allocates.
                let room = if self.border.is_clean() { 0 } else { READ_BYTES };
                let config = config(self.message_bytes_max).read_buffer_size(room);
                let read = bytes.filled().to_vec();
                self.tungstenite.insert(Box::new(WebSocketContext::from_partially_read(
                    read,
                    Role::Server,
                    Some(config),
                )))
            }
        };
        let mut adapter = Adapter { cx, socket, control, border: &mut self.border };
        let incoming = match tungstenite.read(&mut adapter) {
            Ok(Message::Text(text)) => Incoming::Text(text),
            Ok(Message::Binary(_)) => Incoming::NoText("the frame is binary, not text"),
            Ok(Message::Ping(_)) => {
                // Its pong is written with the next read or flush; now is best.
                let _ = tungstenite.flush(&mut adapter);
                Incoming::Alive
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Incoming::Alive,
            Ok(Message::Close(_)) => {
                let _ = tungstenite.flush(&mut adapter);
                Incoming::Closed
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.rest();
                return Poll::Pending;
            }
            Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => Incoming::Lost,
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Incoming::Lost,
            // A text in one frame is behind us as a whole. Of one in several frames, the rest would be taken for a message.
            Err(Error::Utf8(_)) if self.border.is_plain => Incoming::NoText("the frame is not UTF-8"),
            Err(_) => Incoming::Broken,
        };
        self.border.messages = self.border.messages.saturating_sub(1);
        if self.border.messages == 0 {
            self.rest();
        }
        Poll::Ready(incoming)
    }

    /// Keeps nothing, if nothing is begun.
    fn rest(&mut self) {
        if self.border.is_clean() {
            self.tungstenite = None;
            self.border = Border { is_heard: self.border.is_heard, ..Border::default() };
        }
    }

    /// Whether the peer has sent anything, if only a part of a frame, since this was last asked.
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.border.is_heard)
    }
}

fn config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .write_buffer_size(0)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// A socket as tungstenite sees it during one poll.
struct Adapter<'a, 'b, S> {
    cx: &'a mut Context<'b>,
    socket: &'a mut S,
    control: &'a mut Vec<u8>,
    border: &'a mut Border,
}

impl<S: AsyncRead + Unpin> Read for Adapter<'_, '_, S> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut bytes = ReadBuf::new(space);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut bytes) {
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) => {
                self.border.pass(bytes.filled());
                Ok(bytes.filled().len())
            }
        }
    }
}

impl<S> Write for Adapter<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.control.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where in the peer's frames the bytes read so far end. Follows headers only; tungstenite judges them.
#[derive(Debug)]
struct Border {
    /// The header being read, up to where the length ends.
    header: [u8; 10],
    header_bytes: u8,
    /// Of mask and payload of the frame being read, what is still to come.
    rest: u64,
    /// Whole messages that have not been given yet, pings and pongs too; perhaps with one of which the rest is still to come.
    messages: u32,
    /// A message in several frames has begun and not ended.
    is_open: bool,
    /// Nothing but whole messages, pings and pongs came since the last clean border.
    is_plain: bool,
    is_heard: bool,
}

impl Default for Border {
    fn default() -> Self {
        Self { header: [0; 10], header_bytes: 0, rest: 0, messages: 0, is_open: false, is_plain: true, is_heard: false }
    }
}

impl Border {
    fn pass(&mut self, mut bytes: &[u8]) {
        self.is_heard |= !bytes.is_empty();
        while !bytes.is_empty() {
            let passed = match self.rest {
                0 => self.pass_header(bytes[0]),
                rest => {
                    let passed = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
                    self.rest -= passed as u64;
                    passed
                }
            };
            bytes = &bytes[passed..];
        }
    }

    fn pass_header(&mut self, byte: u8) -> usize {
        const CLOSE: u8 = 0x08;
        self.header[usize::from(self.header_bytes)] = byte;
        self.header_bytes += 1;
        let [first, second, length @ ..] = self.header;
        let (header_bytes, payload) = match second & 0x7F {
            126 => (4, u64::from(u16::from_be_bytes([length[0], length[1]]))),
            127 => (10, u64::from_be_bytes(length)),
            short => (2, u64::from(short)),
        };
        if self.header_bytes == header_bytes && self.header_bytes > 1 {
            let mask = if second & 0x80 == 0 { 0 } else { 4 };
            let is_final = first & 0x80 != 0;
            match first & 0x0F {
                CLOSE => self.is_plain = false,
                data if data < CLOSE => {
                    self.is_plain &= is_final && data != 0;
                    self.is_open = !is_final;
                }
                _ => {}
            }
            self.messages = self.messages.saturating_add(is_final.into());
            self.rest = payload.saturating_add(mask);
            self.header_bytes = 0;
            self.header = [0; 10];
        }
        1
    }

    /// Whether all that was read is whole messages.
    fn is_clean(&self) -> bool {
        self.rest == 0 && self.header_bytes == 0 && !self.is_open
    }
}

#[cfg(test)]
mod tests;
