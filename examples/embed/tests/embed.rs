//! The application as its people see it: a login, a name that stays, a stranger at the door, and the bot.

use std::net::SocketAddr;
use std::process::Stdio;

use chat_client::{Client, Events, Message, Options, RoomEvent, RoomState};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

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

/// A client of whoever this cookie is of.
fn connect(server: SocketAddr, cookie: Option<&str>) -> Client {
    let options = cookie.map_or_else(Options::new, |cookie| Options::new().with_header("cookie", cookie));
    Client::connect(&format!("http://{server}/chat"), options).expect("an address")
}

/// The next message that is told, past what else happens.
async fn next_message(events: &mut Events) -> Message {
    loop {
        if let RoomEvent::Message(message) = events.next().await.expect("in the room") {
            return message;
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
    let room = connect(server, Some(&cookie)).create(Some("LOBBY"), "Boss").await.expect("a room");
    let mut events = room.events();
    assert_eq!(room.state().you.as_ref().map(|you| &*you.nick), Some("Ann"));

    let refused = connect(server, None).join("LOBBY", "Eve").await.expect_err("a stranger");
    assert_eq!(refused.refusal().map(|refusal| &*refusal.message), Some("log in first"));

    // Over SSE the cookie comes with the request as well.
    let bob = log_in(server, "Bob").await;
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    let request =
        format!("GET /chat/sse?room=LOBBY&nick=x HTTP/1.1\r\nHost: {server}\r\nCookie: theme=dark; {bob}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    room.until(|state| state.members.iter().any(|member| member.nick == "Bob")).await.expect("in the room");

    room.send("hello").await.expect("said");
    let said = room.send("see http://example.org").await.expect("said");
    let is_taken_back = |state: &RoomState| state.message(said.seq).is_some_and(|message| message.redacted);
    room.until(is_taken_back).await.expect("in the room");
    let (_own, _address) = (next_message(&mut events).await, next_message(&mut events).await);
    let why = next_message(&mut events).await;
    assert_eq!((&*why.nick, why.host), ("Bot", true), "{why:?}");

    // Another service has news, and nobody is called as it is.
    assert!(ask(server, "POST /news/LOBBY", "", "Version 2 is out").await.starts_with("HTTP/1.1 204"));
    let news = next_message(&mut events).await;
    assert_eq!((&*news.nick, &*news.text), ("News", "Version 2 is out"));
    assert!(ask(server, "POST /news/NOWHERE", "", "x").await.starts_with("HTTP/1.1 422"));
}

#[test]
fn it_is_short() {
    assert!(include_str!("../src/main.rs").lines().count() <= 120);
}
