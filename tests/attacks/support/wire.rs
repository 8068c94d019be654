//! A connection that counts what it costs its owner, and what it is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{between, in_time};

/// Bytes and connections of an attack.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) connections: AtomicU64,
}

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsConnector>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    target: Target,
    host: u8,
    tally: Arc<Tally>,
    /// Read and not yet looked at.
    ahead: Vec<u8>,
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What was heard on the way to an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// How often the words came that were to be counted.
    pub(crate) times: u64,
    /// Whether the server ended the connection.
    pub(crate) ended: bool,
}

impl Heard {
    /// Counts in these bytes, and drops them but for what is too short to have been counted; whether the last words were there.
    fn take(&mut self, bytes: &mut Vec<u8>, count: &str, last: &str) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.times += text.matches(count).count() as u64;
        let is_over = text.contains(last);
        let kept = if is_over { 0 } else { bytes.len().min(count.len().max(last.len()) - 1) };
        let tail = String::from_utf8_lossy(&bytes[bytes.len() - kept..]).matches(count).count() as u64;
        self.times -= tail;
        bytes.drain(..bytes.len() - kept);
        is_over
    }
}

impl Wire {
    /// Connects from this host of the machine; with so large a buffer for what comes, or as the kernel likes.
    pub(crate) async fn dial(target: &Target, host: u8, buffer: Option<u32>, tally: &Arc<Tally>) -> Self {
        let stream = connect(target.address, host, buffer, tally).await;
        let stream: Box<dyn Stream> = match &target.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Box::new(in_time(tls.connect(name, stream)).await.expect("a handshake"))
            }
        };
        Self { stream, target: target.clone(), host, tally: Arc::clone(tally), ahead: Vec::new() }
    }

    /// Another connection from the same host.
    pub(crate) async fn another(&self) -> Self {
        Self::dial(&self.target, self.host, None, &self.tally).await
    }

    /// Sends all of it, or as much as the server takes before it ends the connection: then false.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = in_time(self.stream.write_all(bytes.as_ref())).await.is_ok();
        self.tally.sent.fetch_add(bytes.as_ref().len() as u64, Ordering::Relaxed);
        sent
    }

    /// Sends what is taken at once, and nothing more; how much that was.
    pub(crate) fn offer(&mut self, bytes: &[u8]) -> usize {
        let mut offered = 0;
        while offered < bytes.len() {
            match self.stream.write(&bytes[offered..]).now_or_never() {
                Some(Ok(taken)) if taken > 0 => offered += taken,
                _ => break,
            }
        }
        self.tally.sent.fetch_add(offered as u64, Ordering::Relaxed);
        offered
    }

    /// Reads some more; false at the end.
    async fn read(&mut self) -> bool {
        let read = in_time(self.stream.read_buf(&mut self.ahead)).await.unwrap_or(0);
        self.tally.answered.fetch_add(read as u64, Ordering::Relaxed);
        read > 0
    }

    /// Reads on to one of these, and says which it was and what came until then, with it; nothing where the connection ends before.
    pub(crate) async fn hear(&mut self, any: &[&str]) -> Option<(usize, String)> {
        loop {
            if let Some(found) = find(&mut self.ahead, any) {
                return Some(found);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// Sends all of it, and reads to the end of the connection, or on to the last words; what was counted on the way. It reads while it sends:
    /// a peer that does not read its answers is not listened to.
    pub(crate) async fn storm(&mut self, bytes: &[u8], count: &str, last: &str) -> Heard {
        let mut heard = Heard { times: 0, ended: false };
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let send = async {
            for part in bytes.chunks(16 << 10) {
                if writer.write_all(part).await.is_err() {
                    break;
                }
                self.tally.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
        };
        let read = async {
            while !heard.take(&mut self.ahead, count, last) && !heard.ended {
                let read = reader.read_buf(&mut self.ahead).await.unwrap_or(0);
                self.tally.answered.fetch_add(read as u64, Ordering::Relaxed);
                heard.ended = read == 0;
            }
        };
        // What is not taken any more need not be sent.
        let both = async {
            let mut read = std::pin::pin!(read);
            tokio::select! {
                () = &mut read => {}
                () = send => read.await,
            }
        };
        in_time(both).await;
        heard
    }

    /// Reads an answer of HTTP/1.1 that says how long it is; nothing where the connection ends before.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let (_, head) = self.hear(&["\r\n\r\n"]).await?;
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = between(&head, "content-length: ", "\r").map_or(0, |length| length.parse().expect("bytes"));
        while self.ahead.len() < length {
            if !self.read().await {
                return None;
            }
        }
        let body = String::from_utf8_lossy(&self.ahead[..length]).into_owned();
        self.ahead.drain(..length);
        Some(Answer { status, body })
    }

    /// Reads to the end of the connection; what came.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.ahead)).into_owned()
    }
}

/// Which of these words is the first in there, and what stands before it, with it; both are taken out.
pub(crate) fn find(bytes: &mut Vec<u8>, any: &[&str]) -> Option<(usize, String)> {
    let found = any.iter().enumerate().filter_map(|(which, words)| {
        let at = bytes.windows(words.len()).position(|window| window == words.as_bytes())?;
        Some((at + words.len(), which))
    });
    let (end, which) = found.min()?;
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    bytes.drain(..end);
    Some((which, text))
}

/// A connection of TCP, counted.
pub(crate) async fn connect(server: SocketAddr, host: u8, buffer: Option<u32>, tally: &Tally) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).expect("a buffer of that size");
    }
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("a free port");
    tally.connections.fetch_add(1, Ordering::Relaxed);
    // What is written leaves at once: so a byte alone is a packet alone.
    socket.set_nodelay(true).expect("set");
    in_time(socket.connect(server)).await.expect("it listens")
}
