//! The front page keeps its word: its Rust compiles, and what it says to try chats in one room.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use chat_serve::{ServeConfig, serve};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const README: &str = include_str!("../../README.md");

/// The Rust of the page, as it stands there.
mod snippets {
    use super::*;

    #[allow(dead_code, reason = "that it compiles is all there is to it")]
    pub(super) async fn embed() -> Result<(), Box<dyn Error>> {
        use roomlog::{Command, ConnectRequest, Engine, Hello, RoomCode, ServerFrame};

        let engine = Engine::builder().build();
        let mut ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
        let room: RoomCode = "LUNCH".parse()?;
        ann.call(Command::create("Ann".parse()?).with_room(room)).await?;
        loop {
            if let ServerFrame::Message(message) = ann.next().await {
                println!("{}: {}", message.nick, message.text);
            }
        }
    }

    #[allow(dead_code, reason = "that it compiles is all there is to it")]
    pub(super) async fn serve(app: axum::Router) -> Result<(), Box<dyn Error>> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
        roomlog::serve::serve(listener, app, roomlog::serve::ServeConfig::default(), std::future::pending()).await;
        Ok(())
    }

    #[allow(clippy::let_and_return, reason = "so it stands on the page")]
    pub(super) fn mount<S: Clone + Send + Sync + 'static>(engine: &roomlog::Engine, state: S) -> axum::Router {
        let chat = roomlog::ws::routes(engine.clone(), roomlog::ws::WsConfig::default());
        let app = axum::Router::new().nest("/chat", chat).with_state(state);
        app
    }
}

/// Lines without what indents them.
fn lines(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rust_of_the_page_is_compiled_here() {
    let compiled = lines(include_str!("readme.rs"));
    let blocks: Vec<_> = README.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        assert!(compiled.contains(lines(block).trim()), "not compiled:\n{block}");
    }
}

/// What stands on the page between the first of these, which is unique, and the next of those.
fn quoted(before: &str, after: &str) -> &'static str {
    let mut found = README.split(before).skip(1);
    let text = found.next().and_then(|rest| rest.split(after).next());
    text.unwrap_or_else(|| panic!("{before} is not on the page"))
}

/// The server, where the page says it is but for the port.
async fn start() -> SocketAddr {
    let engine = chat_core::Engine::builder().build();
    let router = Router::new()
        .merge(snippets::mount(&engine, "any state"))
        .merge(transport_ws::routes(engine.clone(), transport_ws::WsConfig::default()))
        .merge(transport_sse::routes(engine.clone(), transport_sse::SseConfig::default()))
        .merge(transport_socketio::routes(engine, transport_socketio::SocketIoConfig::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, router, ServeConfig::default(), std::future::pending()));
    address
}

/// What curl does with a URL of the page.
async fn curl(server: SocketAddr, method: &str, url: &str, headers: &str, body: &str) -> TcpStream {
    let path = url.strip_prefix("http://127.0.0.1:5000").expect("the page's server");
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\n{headers}Content-Length: {length}\r\n");
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).await.expect("sent");
    stream
}

/// Reads on until this has come; returns all there is by then.
async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(what) {
            return text.into_owned();
        }
        assert!(stream.read_buf(&mut bytes).await.expect("read") > 0, "it ends without {what}");
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn websocket(server: SocketAddr, path: &str) -> Socket {
    connect_async(format!("ws://{server}{path}")).await.expect("upgraded").0
}

/// The next text with this in it.
async fn hear(socket: &mut Socket, what: &str) -> String {
    loop {
        match socket.next().await.expect("it is open").expect("a frame") {
            Message::Text(text) if text.contains(what) => return text.to_string(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_the_page_says_to_try_chats_in_one_room() {
    let server = start().await;
    // One curl makes the room; the other joins it.
    let mut host = curl(server, "GET", quoted("```sh\ncurl -N '", "'"), "", "").await;
    until(&mut host, "event: joined").await;
    let join = quoted("| `curl -N '", "'");
    let mut reader = curl(server, "GET", join, "", "").await;
    let joined = until(&mut reader, "event: joined").await;

    // WebSocket, as typed into wscat.
    let path = quoted("wscat -c ws://127.0.0.1:5000", "`");
    let mut ws = websocket(server, path).await;
    ws.send(Message::text(quoted("wscat -c ws://127.0.0.1:5000/ws`, then `", "`"))).await.expect("sent");
    hear(&mut ws, r#""type":"joined","id":1"#).await;

    // Where the page nests it, it is the same chat.
    let mut nested = websocket(server, "/chat/ws").await;
    nested.send(Message::text(r#"{"type":"join","id":1,"room":"LUNCH","nick":"Nested"}"#)).await.expect("sent");
    hear(&mut nested, r#""type":"joined","id":1"#).await;

    // Socket.IO, as a stock client puts it into packets.
    let (name, fields) = quoted("`socket.emit(", ", cb)`").split_once(", ").expect("a name and fields");
    let fields = fields.replace("{room:", r#"{"room":"#).replace(", nick:", r#","nick":"#);
    let mut sio = websocket(server, "/socket.io/?EIO=4&transport=websocket").await;
    hear(&mut sio, "sid").await;
    sio.send(Message::text("40")).await.expect("sent");
    hear(&mut sio, "welcome").await;
    sio.send(Message::text(format!("421[{name},{fields}]"))).await.expect("sent");
    assert!(hear(&mut sio, "joined").await.starts_with(r#"431[{"type":"joined""#));

    // Who is in the WebSocket speaks, as typed.
    ws.send(Message::text(quoted("In the WebSocket, `", "`"))).await.expect("sent");
    hear(&mut ws, r#""type":"ack","id":2"#).await;
    let typed = r#""text":"hello""#;
    until(&mut host, typed).await;
    until(&mut reader, typed).await;
    hear(&mut sio, typed).await;

    // curl speaks, with what the stream began with.
    let command = quoted("```sh\ncurl -H '", "\n```");
    let [authorization, body, url] = {
        let (authorization, rest) = command.split_once("' -d '").expect("a header and a body");
        let (body, url) = rest.split_once("' ").expect("a body and a URL");
        [authorization, body, url]
    };
    let welcome = joined.lines().find_map(|line| line.strip_prefix("data: ")).expect("the first event");
    let welcome: Value = serde_json::from_str(welcome).expect("a frame");
    let text = |field: &str| welcome[field].as_str().expect("a text");
    let (authorization, url) = (authorization.replace("TOKEN", text("token")), url.replace("SESSION", text("session")));
    let mut post = curl(server, "POST", &url, &format!("{authorization}\r\n"), body).await;
    assert!(until(&mut post, r#""type":"ack""#).await.starts_with("HTTP/1.1 200"));

    // And everybody hears it.
    let said: Value = serde_json::from_str(body).expect("a frame");
    let said = format!(r#""text":{}"#, said["text"]);
    until(&mut host, &said).await;
    until(&mut reader, &said).await;
    hear(&mut ws, &said).await;
    assert!(hear(&mut sio, &said).await.starts_with(r#"42["message","#));
}
