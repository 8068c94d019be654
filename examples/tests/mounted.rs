//! Every transport inside an application of somebody else's: with a state of its own, under a prefix, and in front of axum's own loop.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chat_core::{Admission, ConnectRequest, Engine, Policy, Reject};
use chat_serve::{ServeConfig, serve};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// What the application keeps for its own handlers.
#[derive(Clone)]
struct AppState {
    greeting: &'static str,
}

/// Lets everybody in, and remembers where from.
#[derive(Default)]
struct Book(Mutex<Vec<Option<IpAddr>>>);

#[async_trait]
impl Policy for Book {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.0.lock().expect("no panic").push(request.address);
        Ok(Admission::guest())
    }
}

/// The chat as a part of any application, whatever that has for its state.
fn chat<S: Clone + Send + Sync + 'static>(engine: &Engine) -> Router<S> {
    Router::new()
        .merge(transport_ws::routes(engine.clone(), WsConfig::default()))
        .merge(transport_sse::routes(engine.clone(), SseConfig::default()))
        .merge(transport_socketio::routes(engine.clone(), SocketIoConfig::default()))
}

fn application(engine: &Engine, prefix: &str) -> Router {
    let state = AppState { greeting: "welcome to the shop" };
    let app: Router<AppState> = Router::new().route("/", get(async |State(app): State<AppState>| app.greeting));
    let app = if prefix.is_empty() { app.merge(chat(engine)) } else { app.nest(prefix, chat(engine)) };
    app.with_state(state)
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("bound");
    (listener, at)
}

/// Sends a request of HTTP/1.1, and reads on until this has come.
async fn ask(server: SocketAddr, request: &str, headers: &str, body: &str, answer: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {server}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(answer) {
            let text = text.into_owned();
            return (stream, text);
        }
        assert!(stream.read_buf(&mut bytes).await.expect("read") > 0, "{request} ends without {answer}");
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn hear(socket: &mut Socket, what: &str) -> String {
    loop {
        match socket.next().await.expect("it is open").expect("a frame") {
            Message::Text(text) if text.contains(what) => return text.to_string(),
            _ => {}
        }
    }
}

/// What stands between the quotes of this field.
fn field<'a>(json: &'a str, name: &str) -> &'a str {
    let rest = json.split(&format!(r#""{name}":""#)).nth(1).unwrap_or_else(|| panic!("no {name} in {json}"));
    rest.split('"').next().expect("it ends")
}

/// People of every transport meet in one room, and each of them is heard by the others.
async fn meet(server: SocketAddr, prefix: &str) {
    ask(server, "GET /", "", "", "welcome to the shop").await;

    let (mut ws, _) = connect_async(format!("ws://{server}{prefix}/ws")).await.expect("upgraded");
    ws.send(Message::text(r#"{"type":"create","id":1,"room":"LUNCH","nick":"Ws"}"#)).await.expect("sent");
    hear(&mut ws, r#""type":"joined","id":1"#).await;

    let stream = format!("GET {prefix}/sse?room=LUNCH&nick=Sse");
    let (_stream, begun) = ask(server, &stream, "", "", "event: joined").await;
    let post = format!("POST {prefix}/sse/{}", field(&begun, "session"));
    let token = format!("Authorization: Bearer {}\r\n", field(&begun, "token"));
    ask(server, &post, &token, r#"{"type":"send","room":"LUNCH","text":"by sse"}"#, r#""type":"ack""#).await;
    hear(&mut ws, r#""text":"by sse""#).await;
    ask(server, &format!("GET {prefix}/sse/openapi.json"), "", "", "openapi").await;

    let socketio = format!("ws://{server}{prefix}/socket.io/?EIO=4&transport=websocket");
    let (mut sio, _) = connect_async(socketio).await.expect("upgraded");
    hear(&mut sio, "sid").await;
    sio.send(Message::text("40")).await.expect("sent");
    hear(&mut sio, "welcome").await;
    sio.send(Message::text(r#"421["join",{"room":"LUNCH","nick":"Sio"}]"#)).await.expect("sent");
    hear(&mut sio, "joined").await;
    sio.send(Message::text(r#"422["send",{"room":"LUNCH","text":"by socket.io"}]"#)).await.expect("sent");
    hear(&mut ws, r#""text":"by socket.io""#).await;

    let polling = format!("{prefix}/socket.io/?EIO=4&transport=polling");
    let (_, opened) = ask(server, &format!("GET {polling}"), "", "", "maxPayload").await;
    let polling = format!("{polling}&sid={}", field(&opened, "sid"));
    ask(server, &format!("POST {polling}"), "", "40", "ok").await;
    ask(server, &format!("GET {polling}"), "", "", "welcome").await;
}

#[tokio::test]
async fn the_chat_is_a_part_of_an_application_that_has_a_state() {
    for prefix in ["", "/chat"] {
        let (listener, at) = listen().await;
        let app = application(&Engine::builder().build(), prefix);
        tokio::spawn(serve(listener, app, ServeConfig::default(), std::future::pending()));
        meet(at, prefix).await;
    }
}

#[tokio::test]
async fn axum_serves_it_as_well_and_tells_addresses_where_it_is_asked_to() {
    for (tells, told) in [(false, None), (true, Some(IpAddr::from([127, 0, 0, 1])))] {
        let book = Arc::new(Book::default());
        let engine = Engine::builder().policy(Arc::clone(&book) as _).build();
        let (listener, at) = listen().await;
        let app = application(&engine, "/chat");
        tokio::spawn(async move {
            let served = match tells {
                true => axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await,
                false => axum::serve(listener, app).await,
            };
            served.expect("it never ends");
        });
        meet(at, "/chat").await;
        assert_eq!(*book.0.lock().expect("no panic"), [told; 4]);
    }
}
