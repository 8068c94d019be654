//! What browsers do through a proxy, and what strangers' pages try.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

const UPGRADE: &str = "/socket.io/?EIO=4&transport=websocket";
const POLL: &str = "GET /socket.io/?EIO=4&transport=polling";

/// Where nobody listens, for a proxy that cannot choose a port and say which. Below the ports that are drawn for connections: whoever tries
/// whether the proxy is there yet could be given the very port, and would connect to themselves and keep it from the proxy.
pub(crate) fn free_address() -> SocketAddr {
    let first = 10_000 + std::process::id() % 10_000;
    let mut ports = (first..first + 10_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port as u16)));
    ports.find(|at| TcpListener::bind(at).is_ok()).expect("a free port")
}

/// Own pages come in by every transport through a proxy that listens here for `chat.example.org`, and others' by none.
pub(crate) async fn browsers_come_in_and_strangers_pages_do_not(at: SocketAddr) {
    for host in ["chat.example.org".to_owned(), format!("chat.example.org:{}", at.port())] {
        let own = format!("http://{host}");
        let welcome = websocket(at, &host, &own, "/ws", r#"{"type":"hello"}"#).await.expect("upgraded");
        assert!(welcome.starts_with(r#"{"type":"welcome""#), "{welcome}");
        assert!(websocket(at, &host, &own, UPGRADE, "40").await.expect("upgraded").starts_with("0{"));
        http(at, &host, &own, POLL, "maxPayload").await;
        // The first events come while the stream goes on.
        let stream = http(at, &host, &own, "GET /sse?create&nick=Ann", "event: joined").await;
        assert!(stream.starts_with("HTTP/1.1 200"), "{stream}");
        http(at, &host, &own, "GET /", "200 OK").await;
        for foreign in ["https://evil.test", "http://chat.example.org:1", "null"] {
            assert_eq!(websocket(at, &host, foreign, "/ws", "{}").await, Err(403), "{foreign}");
            assert_eq!(websocket(at, &host, foreign, UPGRADE, "40").await, Err(403), "{foreign}");
            for what in [POLL, "GET /sse?create&nick=Eve", "POST /sse/0000000000000000000000007V"] {
                http(at, &host, foreign, what, "403 Forbidden").await;
            }
        }
    }
}

/// Upgrades through the proxy as a browser does; the status where that is refused.
async fn websocket(at: SocketAddr, host: &str, origin: &str, path: &str, said: &str) -> Result<String, u16> {
    let mut request = format!("ws://{at}{path}").into_client_request().expect("a request");
    request.headers_mut().insert("host", host.parse().expect("a value"));
    request.headers_mut().insert("origin", origin.parse().expect("a value"));
    let (mut socket, _) = match client_async(request, TcpStream::connect(at).await.expect("accepted")).await {
        Ok(upgraded) => upgraded,
        Err(Error::Http(answer)) => return Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    socket.send(Message::text(said)).await.expect("sent");
    match timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("a frame") {
        Message::Text(text) => Ok(text.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Asks through the proxy, and reads on to this.
pub(crate) async fn http(at: SocketAddr, host: &str, origin: &str, what: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(at).await.expect("accepted");
    let request = format!("{what} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer);
        if text.contains(until) {
            return text.into_owned();
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("in time").expect("read");
        assert_ne!(read, 0, "no {until} in {}", String::from_utf8_lossy(&answer));
    }
}
