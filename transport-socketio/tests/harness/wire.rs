//! Ways to exchange packets of Engine.IO: over a WebSocket, and by long-polling.

use std::collections::VecDeque;
use std::net::SocketAddr;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::SOCKET_BYTES;

#[async_trait]
pub(crate) trait Wire: Send + 'static {
    async fn send(&mut self, packet: String);

    /// The next packet; `None` when the session has ended.
    async fn receive(&mut self) -> Option<String>;
}

async fn dial(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(SOCKET_BYTES).expect("set");
    let stream = socket.connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("set");
    stream
}

pub(crate) struct Ws(WebSocketStream<TcpStream>);

impl Ws {
    /// Opens a session, or returns why not.
    pub(crate) async fn dial(address: SocketAddr) -> Result<Self, String> {
        let target = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        match tokio_tungstenite::client_async(target, dial(address).await).await {
            Ok((socket, _)) => {
                let mut ws = Self(socket);
                assert!(ws.receive().await.expect("opened").starts_with(r#"0{"sid":""#));
                Ok(ws)
            }
            Err(Error::Http(answer)) => {
                assert_eq!(answer.status(), 503);
                Err(String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[async_trait]
impl Wire for Ws {
    async fn send(&mut self, packet: String) {
        self.0.send(Message::text(packet)).await.expect("the connection is open");
    }

    async fn receive(&mut self) -> Option<String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

pub(crate) struct Poll {
    stream: TcpStream,
    sid: String,
    packets: VecDeque<String>,
}

impl Poll {
    /// Opens a session, or returns why not.
    pub(crate) async fn dial(address: SocketAddr) -> Result<Self, String> {
        let mut poll = Self { stream: dial(address).await, sid: String::new(), packets: VecDeque::new() };
        let (status, body) = poll.request("GET", "").await;
        if status == 503 {
            return Err(body);
        }
        let open: Value = serde_json::from_str(body.strip_prefix('0').expect("an open packet")).expect("JSON");
        poll.sid = format!("&sid={}", open["sid"].as_str().expect("a sid"));
        Ok(poll)
    }

    async fn request(&mut self, method: &str, body: &str) -> (u16, String) {
        let target = format!("/socket.io/?EIO=4&transport=polling{}", self.sid);
        let length = body.len();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut answer = Vec::new();
        let start = loop {
            if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(self.stream.read_buf(&mut answer).await.expect("an answer"), 0);
        };
        let head = String::from_utf8(answer[..start].to_vec()).expect("a head is text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let length: usize = length.parse().expect("a number");
        while answer.len() < start + length {
            assert_ne!(self.stream.read_buf(&mut answer).await.expect("a body"), 0);
        }
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, String::from_utf8(answer.split_off(start)).expect("text"))
    }
}

#[async_trait]
impl Wire for Poll {
    async fn send(&mut self, packet: String) {
        let (status, body) = self.request("POST", &packet).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn receive(&mut self) -> Option<String> {
        while self.packets.is_empty() {
            let (status, body) = self.request("GET", "").await;
            if status != 200 {
                return None;
            }
            // A poll may bring many packets.
            self.packets.extend(body.split('\u{1e}').filter(|packet| !packet.is_empty()).map(str::to_owned));
        }
        self.packets.pop_front()
    }
}
