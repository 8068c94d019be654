//! Where clients come from is told to the policy by every transport alike, proxies or none.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use chat_core::{Admission, ConnectRequest, Engine, Policy, Reject};
use chat_serve::{ClientAddress, ServeConfig, TrustedProxies, serve};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// What the client says of itself, and the proxy behind it of the client.
const FORWARDED: &str = "192.0.2.66, 2001:db8::7";

/// Lets everybody in, and remembers them.
#[derive(Default)]
struct Book(Mutex<Vec<(&'static str, Option<IpAddr>)>>);

#[async_trait]
impl Policy for Book {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.0.lock().expect("no panic").push((request.transport, request.address));
        Ok(Admission::default())
    }
}

async fn start(book: &Arc<Book>, address: ClientAddress) -> SocketAddr {
    let engine = || Engine::builder().policy(Arc::clone(book) as Arc<dyn Policy>).build();
    let router = Router::new()
        .merge(transport_ws::routes(engine(), WsConfig { address: address.clone(), ..WsConfig::default() }))
        .merge(transport_sse::routes(engine(), SseConfig { address: address.clone(), ..SseConfig::default() }))
        .merge(transport_socketio::routes(engine(), SocketIoConfig { address, ..SocketIoConfig::default() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, router, ServeConfig::default(), std::future::pending()));
    at
}

/// Says `first` over a WebSocket, and reads on to a text that begins like this.
async fn by_websocket(server: SocketAddr, path: &str, first: &'static str, beginning: &str) {
    let mut request = format!("ws://{server}{path}").into_client_request().expect("a request");
    request.headers_mut().insert("x-forwarded-for", FORWARDED.parse().expect("a header value"));
    let stream = TcpStream::connect(server).await.expect("accepted");
    let (mut socket, _) = client_async(request, stream).await.expect("upgraded");
    socket.send(Message::text(first)).await.expect("sent");
    loop {
        match socket.next().await.expect("it is open").expect("a frame") {
            Message::Text(text) if text.starts_with(beginning) => return,
            _ => {}
        }
    }
}

/// Sends a request of HTTP/1.1, and reads on until it is answered with this.
async fn by_http(server: SocketAddr, request: &str, body: &str, answer: &str) -> String {
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let length = body.len();
    let head =
        format!("{request} HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {FORWARDED}\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(answer) {
            return text.into_owned();
        }
        assert!(stream.read_buf(&mut bytes).await.expect("an answer") > 0, "no {answer}");
    }
}

async fn come_by_every_door(server: SocketAddr) {
    by_websocket(server, "/ws", r#"{"type":"hello"}"#, r#"{"type":"welcome""#).await;
    by_http(server, "GET /sse", "", "event: welcome").await;
    by_websocket(server, "/socket.io/?EIO=4&transport=websocket", "40", "40{").await;
    let opened = by_http(server, "GET /socket.io/?EIO=4&transport=polling", "", "maxPayload").await;
    let sid = opened.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a sid");
    let polling = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    by_http(server, &format!("POST {polling}"), "40", "ok").await;
    by_http(server, &format!("GET {polling}"), "", "40{").await;
}

#[tokio::test]
async fn every_transport_tells_the_policy_where_a_client_comes_from() {
    let proxies = TrustedProxies::new(["127.0.0.0/8".parse().expect("a network")]);
    for (address, told) in [(ClientAddress::default(), "127.0.0.1"), (proxies.into(), "2001:db8::7")] {
        let book = Arc::new(Book::default());
        come_by_every_door(start(&book, address).await).await;
        let told = Some(told.parse().expect("an address"));
        let book = book.0.lock().expect("no panic");
        assert_eq!(*book, [("ws", told), ("sse", told), ("socketio", told), ("socketio", told)]);
    }
}
