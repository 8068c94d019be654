//! A server over pipes in memory, so that its clock can stand still while bytes are on their way.

use std::net::SocketAddr;

use axum::serve::Listener;
use chat_core::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use transport_socketio::{SocketIoConfig, routes};

use super::{Poll, Refused, Ws};

/// What the server is called; there is no such address.
const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 1], 80);

pub struct Pipes {
    pub engine: Engine,
    dial: mpsc::UnboundedSender<DuplexStream>,
}

impl Pipes {
    pub fn start(engine: Engine, config: SocketIoConfig) -> Self {
        let (dial, dialled) = mpsc::unbounded_channel();
        let router = routes(engine.clone(), config);
        tokio::spawn(async move { axum::serve(Ends(dialled), router).await });
        Self { engine, dial }
    }

    fn pipe(&self) -> DuplexStream {
        let (client, server) = duplex(1 << 20);
        self.dial.send(server).expect("it serves for ever");
        client
    }

    /// A session over a WebSocket, or why there is none.
    pub async fn ws(&self) -> Result<Ws<DuplexStream>, Refused> {
        Ok(Ws::over(self.pipe(), SocketAddr::from(ADDRESS), "", &[]).await?.opened().await)
    }

    /// A WebSocket beside the polls of a session, or why there is none.
    pub async fn beside(&self, sid: &str) -> Result<Ws<DuplexStream>, Refused> {
        Ws::over(self.pipe(), SocketAddr::from(ADDRESS), &format!("&sid={sid}"), &[]).await
    }

    /// A POST of a session whose body is to be so long, and ends earlier; the status of the answer.
    pub async fn begin_post(&self, sid: &str, length: usize, body: &str) -> u16 {
        let mut pipe = self.pipe();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let request = format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
        pipe.write_all(request.as_bytes()).await.expect("sent");
        let mut beginning = [0; 12];
        pipe.read_exact(&mut beginning).await.expect("an answer");
        std::str::from_utf8(&beginning[9..]).expect("a status is text").parse().expect("a number")
    }

    /// A session that long-polls, or why there is none.
    pub async fn poll(&self) -> Result<Poll<DuplexStream>, Refused> {
        Poll::over(self.pipe(), SocketAddr::from(ADDRESS)).await
    }
}

/// The server's ends.
struct Ends(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Ends {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(end) => (end, SocketAddr::from(ADDRESS)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(SocketAddr::from(ADDRESS))
    }
}
