//! The application as its people see it: a login, a name that stays, a stranger at the door, and the bot.

use std::net::SocketAddr;
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

async fn start() -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
    let mut child =
        command.arg("127.0.0.1:0").stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program is there");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = said.next_line().await.expect("readable").expect("it says where it is");
    let at = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    (child, at.parse().expect("an address"))
}

/// Asks for something, and reads the answer to its end.
async fn ask(server: SocketAddr, request: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// Logs in, and gives back the cookie.
async fn log_in(server: SocketAddr, name: &str) -> String {
    let answer = ask(server, "POST /login", "", name).await;
    let cookie = answer.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next());
    cookie.unwrap_or_else(|| panic!("no cookie: {answer}")).to_owned()
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(server: SocketAddr, cookie: Option<&str>) -> Socket {
    let mut request = format!("ws://{server}/chat/ws").into_client_request().expect("a request");
    if let Some(cookie) = cookie {
        request.headers_mut().insert("cookie", cookie.parse().expect("a header value"));
    }
    let stream = TcpStream::connect(server).await.expect("accepted");
    client_async(request, stream).await.expect("upgraded").0
}

async fn say(socket: &mut Socket, frame: Value) {
    socket.send(Message::text(frame.to_string())).await.expect("sent");
}

/// The next frame of this type.
async fn hear(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.expect("it is open").expect("a frame") {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn people_are_who_they_have_logged_in_as_and_the_bot_and_the_news_speak() {
    let (_child, server) = start().await;
    assert!(ask(server, "GET /", "", "").await.contains("/chat/ws"));
    assert!(ask(server, "GET /me", "", "").await.starts_with("HTTP/1.1 401"));
    assert!(ask(server, "POST /login", "", " ").await.contains("nick is empty"));

    let cookie = log_in(server, "Ann").await;
    assert!(ask(server, "GET /me", &format!("Cookie: {cookie}\r\n"), "").await.ends_with("Ann"));
    let mut ann = connect(server, Some(&cookie)).await;
    say(&mut ann, json!({"type": "create", "room": "LOBBY", "nick": "Boss"})).await;
    let joined = hear(&mut ann, "joined").await;
    assert_eq!(joined["you"]["nick"], "Ann", "{joined}");

    let mut stranger = connect(server, None).await;
    say(&mut stranger, json!({"type": "join", "room": "LOBBY", "nick": "Eve"})).await;
    assert_eq!(hear(&mut stranger, "error").await["message"], "log in first");

    // Over SSE the cookie comes with the request as well.
    let bob = log_in(server, "Bob").await;
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let request =
        format!("GET /chat/sse?room=LOBBY&nick=x HTTP/1.1\r\nHost: {server}\r\nCookie: theme=dark; {bob}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    assert_eq!(hear(&mut ann, "member_joined").await["nick"], "Bob");

    say(&mut ann, json!({"type": "send", "room": "LOBBY", "text": "hello"})).await;
    hear(&mut ann, "message").await;
    say(&mut ann, json!({"type": "send", "room": "LOBBY", "text": "see http://example.org"})).await;
    let said = hear(&mut ann, "message").await;
    assert_eq!(hear(&mut ann, "redacted").await["target"], said["seq"]);
    let why = hear(&mut ann, "message").await;
    assert_eq!((&why["nick"], &why["host"]), (&json!("Bot"), &json!(true)), "{why}");

    // Another service has news, and nobody is called as it is.
    assert!(ask(server, "POST /news/LOBBY", "", "Version 2 is out").await.starts_with("HTTP/1.1 204"));
    let news = hear(&mut ann, "message").await;
    assert_eq!((&news["nick"], &news["text"]), (&json!("News"), &json!("Version 2 is out")));
    assert!(ask(server, "POST /news/NOWHERE", "", "x").await.starts_with("HTTP/1.1 422"));
}

#[test]
fn it_is_short() {
    assert!(include_str!("../src/main.rs").lines().count() <= 120);
}
