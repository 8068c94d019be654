//! From HTTP to WebSocket: who is let through, and what the engine learns of them.

mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use chat_core::{Admission, ConnectRequest, Engine, Policy, Reject};
use serde_json::{Value, json};
use support::{Client, serve_engine, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use transport_ws::{ClientAddress, Credentials, Origins, WsConfig};

/// Asks for an upgrade with these headers.
async fn ask(server: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Response<Option<Vec<u8>>>, Error> {
    let mut request = format!("ws://{server}/ws").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).expect("a header value"));
    }
    let stream = TcpStream::connect(server).await.expect("the server accepts");
    client_async(request, stream).await.map(|(_, response)| response)
}

fn status(answer: Result<Response<Option<Vec<u8>>>, Error>) -> u16 {
    match answer {
        Ok(response) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn pages_of_another_origin_are_forbidden() {
    let server = server().await;
    assert_eq!(status(ask(server, &[]).await), 101);
    assert_eq!(status(ask(server, &[("origin", &format!("http://{server}"))]).await), 101);
    assert_eq!(status(ask(server, &[("origin", "http://evil.example.org")]).await), 403);
    assert_eq!(status(ask(server, &[("origin", "null")]).await), 403);

    let listed = Origins::Listed(vec!["https://chat.example.org".to_owned()]);
    let server = serve_engine(Engine::builder().build(), WsConfig { origins: listed, ..WsConfig::default() }).await;
    assert_eq!(status(ask(server, &[("origin", "https://chat.example.org")]).await), 101);
    assert_eq!(status(ask(server, &[("origin", &format!("http://{server}"))]).await), 101, "one's own, too");
    assert_eq!(status(ask(server, &[("origin", "http://chat.example.org")]).await), 403);
}

#[tokio::test]
async fn the_subprotocol_is_accepted_where_it_is_offered() {
    let server = server().await;
    let chosen = |response: Response<Option<Vec<u8>>>| response.headers().get("sec-websocket-protocol").cloned();
    for offer in ["chat.v1", "other, chat.v1", "chat.v1 ,other"] {
        let response = ask(server, &[("sec-websocket-protocol", offer)]).await.expect("upgraded");
        assert_eq!(chosen(response).expect("chosen"), "chat.v1", "{offer}");
    }
    assert_eq!(chosen(ask(server, &[]).await.expect("upgraded")), None);
    // Its own client does not go on without a protocol that it has asked for.
    assert!(ask(server, &[("sec-websocket-protocol", "chat.v2")]).await.is_err());
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_is_told_what_is_needed() {
    let server = server().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (method, headers, expected) in [
        ("GET", String::new(), 426),
        ("GET", format!("Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n{key}"), 426),
        ("GET", "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n".to_owned(), 426),
        ("POST", String::new(), 405),
        ("GET", format!("Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n{key}"), 101),
    ] {
        let mut stream = TcpStream::connect(server).await.expect("the server accepts");
        let request = format!("{method} /ws HTTP/1.1\r\nHost: {server}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0);
        }
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {expected} ")), "{request}{answer}");
        if expected == 426 {
            assert!(answer.contains("upgrade: websocket") && answer.contains("sec-websocket-version: 13"), "{answer}");
        }
    }
}

/// Lets everybody in, and remembers them.
#[derive(Default)]
struct Book(Mutex<Vec<ConnectRequest>>);

#[async_trait::async_trait]
impl Policy for Book {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.0.lock().expect("not poisoned").push(request.clone());
        Ok(Admission::default())
    }
}

/// As a page of the server's own asks: it sets no header, and its browser sends the cookies.
async fn ask_as_page(server: SocketAddr, query: &str, cookies: &str, hello: &str) -> Value {
    let mut request = format!("ws://{server}/ws{query}").into_client_request().expect("a request");
    request.headers_mut().insert("origin", HeaderValue::from_str(&format!("http://{server}")).expect("a value"));
    if !cookies.is_empty() {
        request.headers_mut().insert("cookie", HeaderValue::from_str(cookies).expect("a value"));
    }
    let stream = TcpStream::connect(server).await.expect("the server accepts");
    let (socket, _) = client_async(request, stream).await.expect("upgraded");
    let mut client = Client { socket };
    client.send(Message::text(hello.to_owned())).await;
    let first = client.hear().await;
    if first["type"] == "error" {
        assert_eq!(client.hear().await["code"], 4500, "{first}");
    }
    first
}

#[tokio::test]
async fn a_page_says_who_it_is_by_cookie_by_query_or_in_its_hello() {
    const HELLO: &str = r#"{"type":"hello"}"#;
    const HELLO_ANN: &str = r#"{"type":"hello","token":"ann"}"#;
    let book = Arc::new(Book::default());
    let engine = Engine::builder().policy(book.clone()).build();
    let credentials = Credentials::default().cookie("pass").query("ticket");
    let server = serve_engine(engine.clone(), WsConfig { credentials, ..WsConfig::default() }).await;
    for (query, cookies, hello) in [
        ("", "a=1; pass=ann", HELLO),
        ("?ticket=ann", "", HELLO),
        ("", "", HELLO_ANN),
        ("?ticket=ann", "pass=ann", HELLO_ANN),
    ] {
        let welcome = ask_as_page(server, query, cookies, hello).await;
        assert_eq!(welcome["type"], "welcome", "{query} {cookies} {hello}: {welcome}");
        let last = book.0.lock().expect("not poisoned").pop().expect("it was asked");
        assert_eq!(last.credentials.as_deref(), Some("ann"), "{query} {cookies} {hello}");
    }
    let cookies_alone = WsConfig { credentials: Credentials::off().cookie("pass"), ..WsConfig::default() };
    let of_cookies = serve_engine(engine, cookies_alone).await;
    for (server, query, cookies, hello) in [
        (server, "?ticket=bob", "pass=ann", HELLO),
        (server, "", "pass=bob", HELLO_ANN),
        (server, "?token=ann", "", HELLO),
        (of_cookies, "", "", HELLO_ANN),
        (of_cookies, "?access_token=ann", "", HELLO),
    ] {
        let error = ask_as_page(server, query, cookies, hello).await;
        assert_eq!((&error["code"], &error["field"]), (&json!("bad_field"), &json!("token")), "{query} {cookies}");
        assert!(!error.to_string().contains("ann"), "{error}");
    }
    assert!(book.0.lock().expect("not poisoned").is_empty(), "the policy was asked about none of these");
}

#[tokio::test]
async fn a_strangers_page_cannot_speak_for_whoever_looks_at_it() {
    let credentials = Credentials::default().cookie("pass");
    let engine = Engine::builder().policy(Arc::new(Book::default())).build();
    let server = serve_engine(engine, WsConfig { credentials, ..WsConfig::default() }).await;
    let cookie = ("cookie", "pass=ann");
    assert_eq!(status(ask(server, &[cookie, ("origin", "http://evil.example.org")]).await), 403);
    assert_eq!(status(ask(server, &[cookie, ("origin", &format!("http://{server}"))]).await), 101);
}

#[tokio::test]
#[should_panic(expected = "the pages that may connect are listed")]
async fn cookies_are_not_credentials_of_any_page() {
    let credentials = Credentials::default().cookie("pass");
    let _: axum::Router = transport_ws::routes(
        Engine::builder().build(),
        WsConfig { credentials, origins: Origins::Any, ..WsConfig::default() },
    );
}

#[tokio::test]
async fn the_policy_learns_who_asks() {
    let book = Arc::new(Book::default());
    let behind_proxy = ClientAddress::new(|request| request.headers.get("x-real-ip")?.to_str().ok()?.parse().ok());
    for address in [ClientAddress::default(), behind_proxy] {
        let engine = Engine::builder().policy(book.clone()).build();
        let server = serve_engine(engine, WsConfig { address, ..WsConfig::default() }).await;
        let mut request = format!("ws://{server}/ws").into_client_request().expect("a request");
        request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer s3cret"));
        request.headers_mut().insert("x-real-ip", HeaderValue::from_static("2001:db8::7"));
        let stream = TcpStream::connect(server).await.expect("the server accepts");
        let (socket, _) = client_async(request, stream).await.expect("upgraded");
        let mut client = Client { socket };
        client.send(Message::text(r#"{"type":"hello"}"#)).await;
        assert_eq!(client.hear().await["type"], "welcome");
    }
    let asked = |address: &str| ConnectRequest {
        transport: "ws",
        address: Some(address.parse::<IpAddr>().expect("an address")),
        credentials: Some("s3cret".to_owned()),
        shown_in: "bearer",
    };
    assert_eq!(*book.0.lock().expect("not poisoned"), [asked("127.0.0.1"), asked("2001:db8::7")]);
}
