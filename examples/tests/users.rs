//! The real server with an application's users: who comes in by cookie, query, bearer and first message, and another key at SIGHUP.
#![cfg(unix)]

#[path = "support/signal.rs"]
mod signal;
#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat_testkit::sockets::{Exchange, dial};
use futures_util::{SinkExt, StreamExt};
use ring::hmac;
use serde_json::{Value, json};
use signal::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PATIENCE: Duration = Duration::from_secs(60);

const KEY: &str = "a secret of this test, and long enough";

/// A token of Ann's, good for so many seconds.
fn token(key: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({"sub": "ann", "name": "Ann of the office", "exp": now + seconds, "chat_rooms": ["LUNCH"]});
    let message = format!("{}.{}", base64url(r#"{"alg":"HS256"}"#), base64url(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message.as_bytes());
    format!("{message}.{}", base64url(tag))
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |bytes: &[u8]| {
        let bits = bytes.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        (0..=bytes.len()).map(move |at| char::from(SIGNS[(bits >> (18 - 6 * at)) as usize & 63])).collect::<String>()
    };
    bytes.as_ref().chunks(3).map(group).collect()
}

/// What a request for a stream is answered with.
async fn status(server: SocketAddr, query: &str, headers: &str) -> u16 {
    let mut exchange = Exchange::over(dial(server).await, server);
    exchange.ask(&format!("GET /sse{query}"), headers, "").await;
    exchange.status().await.expect("an answer")
}

/// The first two frames of a WebSocket, as a page of the server's own opens it.
async fn frames(server: SocketAddr, cookie: &str, commands: &[Value]) -> [Value; 2] {
    let mut request = format!("ws://{server}/ws").into_client_request().expect("a request");
    request.headers_mut().insert("origin", format!("http://{server}").parse().expect("a value"));
    request.headers_mut().insert("cookie", cookie.parse().expect("a value"));
    let (mut socket, _) = client_async(request, dial(server).await).await.expect("upgraded");
    for command in commands {
        socket.send(Message::text(command.to_string())).await.expect("sent");
    }
    let mut frames = Vec::new();
    while frames.len() < 2 {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time");
        if let Message::Text(text) = next.expect("two frames").expect("sound") {
            frames.push(serde_json::from_str(&text).expect("JSON"));
        }
    }
    frames.try_into().expect("two frames")
}

#[tokio::test]
async fn users_come_in_by_their_tokens_and_guests_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, KEY).expect("written");
    let path = file.to_str().expect("a path");
    let flags = ["--jwt-key", path, "--guests", "deny", "--auth-cookie", "pass", "--auth-query", "ticket"];
    let (mut server, address) = support::start(&flags).await;
    let address: SocketAddr = address.parse().expect("an address");
    let (good, forged) = (token(KEY, 600), token("another secret, which is long enough", 600));
    let cookie = |token: &str| format!("Cookie: a=1; pass={token}\r\n");
    for (query, headers, expected) in [
        (String::new(), String::new(), 401),
        (String::new(), cookie(&good), 200),
        (format!("?ticket={good}"), String::new(), 200),
        (format!("?token={good}"), String::new(), 200),
        (String::new(), format!("Authorization: Bearer {good}\r\n"), 200),
        (format!("?ticket={good}"), cookie(&forged), 400),
        (format!("?access_token={good}"), String::new(), 400),
        (String::new(), cookie(&forged), 401),
        (format!("?create=TEA&nick=Ann&token={good}"), String::new(), 403),
        (format!("?create=LUNCH&nick=Ann&token={good}"), String::new(), 200),
        (String::new(), format!("Origin: https://evil.example.org\r\n{}", cookie(&good)), 403),
    ] {
        assert_eq!(status(address, &query, &headers).await, expected, "{query} {headers}");
    }
    assert_eq!(status(address, "", &cookie(&token(KEY, 1))).await, 200, "and half a minute more");
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Somebody"});
    let told = frames(address, &format!("pass={good}"), &[json!({"type": "hello"}), join]).await;
    assert_eq!((&told[0]["type"], &told[1]["you"]["nick"]), (&json!("welcome"), &json!("Ann of the office")));
    let told = frames(address, "", &[json!({"type": "hello", "token": forged})]).await;
    assert_eq!((&told[0]["code"], &told[1]["code"]), (&json!("bad_token"), &json!(4502)));

    // Keys change while it runs.
    fs::write(&file, "another secret, which is long enough").expect("written");
    signal::send(&server, Signal::HUP);
    let mut said = BufReader::new(server.stderr.take().expect("piped")).lines();
    let heard = async {
        while !said.next_line().await.expect("readable").expect("it goes on").contains("key of tokens was read again") {
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("in time");
    assert_eq!(status(address, "", &cookie(&good)).await, 401);
    assert_eq!(status(address, "", &cookie(&forged)).await, 200);
}
