//! One HTTP/1.1 connection by hand: a request out, its answer in, as it comes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub(crate) struct Exchange {
    socket: TcpStream,
    raw: Vec<u8>,
    rest: Rest,
    /// What has come of the answer's body and was not taken out.
    pub(crate) body: Vec<u8>,
}

/// How the body goes on.
#[derive(Clone, Copy)]
enum Rest {
    Bytes(usize),
    Chunks,
    Ended,
}

impl Exchange {
    pub(crate) async fn open(address: SocketAddr, receive_bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(receive_bytes).expect("set");
        let socket = socket.connect(address).await.expect("the server accepts");
        socket.set_nodelay(true).expect("set");
        Self { socket, raw: Vec::new(), rest: Rest::Ended, body: Vec::new() }
    }

    /// Sends a request; `what` is its method and target, each of `headers` ends its line.
    pub(crate) async fn ask(&mut self, what: &str, headers: &str, body: &str) {
        let length = body.len();
        let request = format!("{what} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.socket.write_all(request.as_bytes()).await.expect("the server reads");
    }

    /// Reads the head of the answer.
    pub(crate) async fn status(&mut self) -> u16 {
        let end = loop {
            if let Some(end) = find(&self.raw, b"\r\n\r\n") {
                break end;
            }
            assert!(self.receive().await, "the connection ends before the answer");
        };
        let head = String::from_utf8(self.raw.drain(..end + 4).collect()).expect("a head is text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        self.rest = match length {
            Some(length) => Rest::Bytes(length.parse().expect("a number")),
            None if head.contains("transfer-encoding: chunked") => Rest::Chunks,
            None => panic!("an answer without a length: {head}"),
        };
        let status = head.split(' ').nth(1).expect("a status");
        status.parse().expect("a number")
    }

    /// Reads on in the body; false when it has ended.
    pub(crate) async fn read(&mut self) -> bool {
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
        self.socket.read_buf(&mut self.raw).await.expect("the connection goes on") > 0
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
