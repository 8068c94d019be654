//! Real sockets with small buffers, and HTTP/1.1 by hand: what the tests of transports have in common.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Bytes that a socket holds at most on each side (the kernel may double them), so that a reader's slowness shows soon.
const SOCKET_BYTES: u32 = 16 << 10;
/// Connections that wait to be accepted: more than any test opens at once.
const WAITING_MAX: u32 = 1_024;

/// Listens on a free port of this machine. Accepted sockets inherit the small send buffer.
///
/// # Panics
/// Outside of a runtime with I/O, and where there is no port.
pub fn listen() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(SOCKET_BYTES).expect("set");
    // What is accepted has it too (Linux), as with every server of ours: what is written leaves before the connection can end.
    socket.set_nodelay(true).expect("set");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let listener = socket.listen(WAITING_MAX).expect("listening");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Connects with a small receive buffer; what is written leaves at once.
///
/// # Panics
/// When nobody accepts.
pub async fn dial(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(SOCKET_BYTES).expect("set");
    let stream = socket.connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("set");
    stream
}

/// A connection of HTTP/1.1 by hand: a request out, its answer in as it comes, and then the next.
#[derive(Debug)]
pub struct Exchange<S = TcpStream> {
    stream: S,
    host: String,
    /// What has come and was not looked at.
    raw: Vec<u8>,
    rest: Rest,
    /// The head of the answer that was read last, in small letters.
    pub head: String,
    /// What has come of the answer's body and was not taken out by the test.
    pub body: Vec<u8>,
}

/// How the body goes on.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Bytes(usize),
    Chunks,
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    /// Over this stream, to what calls itself `host`.
    pub fn over(stream: S, host: impl Display) -> Self {
        Self {
            stream,
            host: host.to_string(),
            raw: Vec::new(),
            rest: Rest::Ended,
            head: String::new(),
            body: Vec::new(),
        }
    }

    /// Sends a request; `what` is its method and target, and each of `headers` ends its line. Where the server goes away
    /// before it has read all of it, [`Exchange::status`] says so.
    pub async fn ask(&mut self, what: &str, headers: &str, body: &str) {
        let (host, length) = (&self.host, body.len());
        let request = format!("{what} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        // A server that refuses a long body may do so before it has read all of it.
        let _ = self.stream.write_all(request.as_bytes()).await;
    }

    /// Reads the head of the answer: its status; `None` where the connection ends before it.
    ///
    /// # Panics
    /// When the connection is reset, or the answer does not say where it ends.
    pub async fn status(&mut self) -> Option<u16> {
        let end = loop {
            if let Some(end) = find(&self.raw, b"\r\n\r\n") {
                break end;
            }
            if !self.receive().await {
                return None;
            }
        };
        self.head = String::from_utf8(self.raw.drain(..end + 4).collect()).expect("a head is text").to_lowercase();
        let head = &self.head;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        self.rest = match length {
            Some(length) => Rest::Bytes(length.parse().expect("a number")),
            None if head.contains("transfer-encoding: chunked") => Rest::Chunks,
            None => panic!("an answer without a length: {head}"),
        };
        let status = head.split(' ').nth(1).expect("a status");
        Some(status.parse().expect("a number"))
    }

    /// Reads on in the body, which grows by some of it; false when it has ended.
    ///
    /// # Panics
    /// When the connection ends in the middle of it.
    pub async fn read(&mut self) -> bool {
        loop {
            match self.rest {
                Rest::Ended | Rest::Bytes(0) => return false,
                Rest::Bytes(left) if !self.raw.is_empty() => {
                    let taken = left.min(self.raw.len());
                    self.body.extend(self.raw.drain(..taken));
                    self.rest = Rest::Bytes(left - taken);
                    return true;
                }
                Rest::Chunks => match find(&self.raw, b"\r\n") {
                    Some(end) if self.take_chunk(end) => return true,
                    _ => {}
                },
                Rest::Bytes(_) => {}
            }
            assert!(self.receive().await, "the connection ends in the middle of an answer");
        }
    }

    /// Reads all of the body, and takes it.
    ///
    /// # Panics
    /// When the connection ends in the middle of it, or it is no text.
    pub async fn text(&mut self) -> String {
        while self.read().await {}
        String::from_utf8(std::mem::take(&mut self.body)).expect("text")
    }

    /// Takes the chunk whose size ends at `end`, if all of it is there.
    fn take_chunk(&mut self, end: usize) -> bool {
        let size = std::str::from_utf8(&self.raw[..end]).expect("a size is text");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let whole = end + 2 + size + 2;
        if self.raw.len() < whole {
            return false;
        }
        self.body.extend_from_slice(&self.raw[end + 2..whole - 2]);
        self.raw.drain(..whole);
        if size == 0 {
            self.rest = Rest::Ended;
        }
        true
    }

    async fn receive(&mut self) -> bool {
        self.stream.read_buf(&mut self.raw).await.expect("the connection goes on") > 0
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
