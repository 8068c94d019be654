//! The real server with a backend that it asks who people are: who comes in, who hears why they do not, and what becomes of it when it is down.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_testkit::sockets::{Exchange, dial};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A backend as somebody writes it who has read the page: one question for each connection.
async fn answer(mut socket: TcpStream, is_broken: bool) {
    let mut asked = String::new();
    while !asked.ends_with('}') {
        let mut bytes = [0; 4_096];
        let read = socket.read(&mut bytes).await.expect("readable");
        assert!(read > 0, "it ends in the middle: {asked}");
        asked.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(asked.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{asked}");
    let (status, said) = match asked {
        _ if is_broken => (500, "out of order"),
        asked if asked.contains(r#""credential":"s-1""#) => {
            (200, r#"{"identity":"ann","nick":"Ann","rooms":["LUNCH"],"ttl":0}"#)
        }
        _ => (403, r#"{"message":"your account is closed"}"#),
    };
    let length = said.len();
    let head = format!("HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all(format!("{head}{said}").as_bytes()).await.expect("sent");
}

async fn start(url: &str) -> (Child, SocketAddr) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0", "--guests", "deny", "--auth-cookie", "session", "--auth-url", url])
        .env("CHAT_AUTH_SECRET", SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).await.expect("a line");
    let address = line.trim().strip_prefix("Chat is at http://").and_then(|rest| rest.strip_suffix('/'));
    (server, address.expect("where it listens").parse().expect("an address"))
}

/// What a request for a stream is answered with.
async fn status(server: SocketAddr, query: &str, login: &str) -> u16 {
    let mut exchange = Exchange::over(dial(server).await, server);
    let cookie = if login.is_empty() { String::new() } else { format!("Cookie: session={login}\r\n") };
    exchange.ask(&format!("GET /sse{query}"), &cookie, "").await;
    exchange.status().await.expect("an answer")
}

/// What a stream begins with: one that is refused for now is told when to come again.
async fn first_event(server: SocketAddr, login: &str) -> String {
    let mut stream = dial(server).await;
    let request = format!("GET /sse HTTP/1.1\r\nHost: {server}\r\nCookie: session={login}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut told = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&told).into_owned();
        if text.contains("data: ") {
            return text;
        }
        assert!(stream.read_buf(&mut told).await.expect("readable") > 0, "it ends: {text}");
    }
}

#[tokio::test]
async fn the_backend_says_who_comes_in_and_nobody_does_while_it_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/chat/auth", listener.local_addr().expect("it listens"));
    let is_broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&is_broken);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            answer(socket, breaks.load(Ordering::Relaxed)).await;
        }
    });
    let (mut server, address) = start(&url).await;
    for (query, login, expected) in [
        ("", "s-1", 200),
        ("?create=LUNCH&nick=x", "s-1", 200),
        ("?create=TEA&nick=x", "s-1", 403),
        ("", "qzx-2", 403),
        ("", "", 401),
    ] {
        assert_eq!(status(address, query, login).await, expected, "{query} {login}");
    }
    for (is_down, word) in [(true, "unavailable"), (false, "welcome"), (true, "unavailable")] {
        is_broken.store(is_down, Ordering::Relaxed);
        let told = first_event(address, "s-1").await;
        assert!(told.contains(word), "{word}: {told}");
    }
    server.start_kill().expect("it is ours");
    let output = server.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Once a minute, however often it begins.
    assert_eq!(said.matches("nobody new comes in").count(), 1, "{said}");
    assert!(!said.contains("qzx") && !said.contains(SECRET), "{said}");
}
