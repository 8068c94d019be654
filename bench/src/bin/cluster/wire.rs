//! A WebSocket of the load's own: frames read where they lie, commands masked into one buffer.

use std::io;
use std::net::SocketAddr;

use bench::frames;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Read at once, at most.
const READ_BYTES: usize = 64 * 1024;

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    inbox: Vec<u8>,
    /// What of the inbox has been taken.
    taken: usize,
    outbox: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream, inbox: Vec::new(), taken: 0, outbox: Vec::new() };
        frames::put_upgrade(&mut wire.outbox, "/ws", None);
        wire.flush().await?;
        loop {
            if let Some(length) = frames::upgraded(&wire.inbox)? {
                wire.taken = length;
                return Ok(wire);
            }
            wire.fill().await?;
        }
    }

    /// Adds a frame to those that [`flush`](Self::flush) writes.
    pub(crate) fn put(&mut self, json: &str) {
        frames::put(&mut self.outbox, frames::TEXT, &[json.as_bytes()]);
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let written = self.stream.write(&self.outbox).await?;
            self.outbox.drain(..written);
        }
        Ok(())
    }

    /// The next text that has come whole. Nothing is lost where the caller stops waiting.
    pub(crate) async fn next(&mut self) -> io::Result<&[u8]> {
        loop {
            let Some((length, first, payload)) = frames::hop(&self.inbox[self.taken..]) else {
                self.fill().await?;
                continue;
            };
            let end = self.taken + length;
            let from = end - payload.len();
            match first {
                frames::TEXT => {
                    self.taken = end;
                    return Ok(&self.inbox[from..end]);
                }
                frames::PING => {
                    frames::put(&mut self.outbox, frames::PONG, &[payload]);
                    self.taken = end;
                    self.flush().await?;
                }
                frames::CLOSE => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => self.taken = end,
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.taken > 0 {
            self.inbox.drain(..self.taken);
            self.taken = 0;
        }
        self.inbox.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
