//! The SSE transport as a harness: a server on a real socket, and a small client that reads one stream and posts.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use chat_core::Engine;
use chat_serve::{ServeConfig, serve};
use chat_testkit::contract::transport::{Client, Resume, TransportHarness};
use chat_testkit::sockets::{Exchange, dial, listen};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use transport_sse::{SseConfig, routes};

/// What HTTP is spoken over.
#[async_trait]
pub(crate) trait Carrier: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync;

    /// A new one, and what the server has to know of it.
    fn new() -> (Self, ServeConfig)
    where
        Self: Sized;

    /// What is served over it.
    fn router(engine: Engine) -> Router {
        routes(engine, SseConfig::default())
    }

    async fn dial(&self, address: SocketAddr) -> Self::Stream;
}

/// TCP alone.
pub(crate) struct Plain;

#[async_trait]
impl Carrier for Plain {
    type Stream = TcpStream;

    fn new() -> (Self, ServeConfig) {
        (Self, ServeConfig::default())
    }

    async fn dial(&self, address: SocketAddr) -> TcpStream {
        dial(address).await
    }
}

pub(crate) struct EventSource<C = Plain> {
    address: SocketAddr,
    carrier: Arc<C>,
}

pub(crate) struct EventSourceClient<C: Carrier> {
    address: SocketAddr,
    carrier: Arc<C>,
    stream: Exchange<C::Stream>,
    /// Where commands are posted, one after the other, once there is one.
    posts: Option<Exchange<C::Stream>>,
    /// Where to post, and with which token; from the `welcome`.
    session: Option<(String, String)>,
    /// At which server the stream is, where there are several.
    at: Option<String>,
    kept: VecDeque<Value>,
}

#[async_trait]
impl<C: Carrier> TransportHarness for EventSource<C> {
    type Client = EventSourceClient<C>;

    async fn open(engine: Engine) -> Self {
        let (listener, address) = listen();
        let (carrier, config) = C::new();
        tokio::spawn(serve(listener, C::router(engine), config, std::future::pending()));
        Self { address, carrier: Arc::new(carrier) }
    }

    async fn connect(&self, resume: Option<Resume>) -> EventSourceClient<C> {
        let query = resume.map_or_else(String::new, query);
        let (status, client) = self.open_stream(&query).await;
        assert_eq!(status, Some(200), "what may pass is told inside a stream");
        client
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<EventSourceClient<C>> {
        let query = resume.map_or_else(|| "?".to_owned(), |resume| query(resume) + "&");
        let (status, mut client) = self.open_stream(&format!("{query}token={token}")).await;
        if status != Some(200) {
            // What is final is an answer, and its body the frame.
            let error = client.stream.text().await;
            client.kept.push_back(serde_json::from_str(&error).expect("the answer is a frame"));
        }
        Some(client)
    }

    async fn knock(&self, host: &str, headers: &[(&'static str, &str)]) -> Vec<u16> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut statuses = Vec::new();
        for (what, body) in [
            ("GET /sse?create&nick=Eve", ""),
            ("POST /sse/0000000000000000000000007V", r#"{"type":"create","nick":"Eve"}"#),
        ] {
            let mut exchange = Exchange::over(self.carrier.dial(self.address).await, host);
            exchange.ask(what, &headers, body).await;
            statuses.push(exchange.status().await.expect("an answer"));
        }
        statuses
    }
}

fn query(Resume { token, positions, catch_up }: Resume) -> String {
    let positions: Vec<_> = positions.iter().map(|(room, position)| format!("{room}:{position}")).collect();
    let catch_up = catch_up.map_or_else(String::new, |most| format!("&catch_up={most}"));
    format!("?resume={token}&positions={}{catch_up}", positions.join(","))
}

impl<C: Carrier> EventSource<C> {
    async fn open_stream(&self, query: &str) -> (Option<u16>, EventSourceClient<C>) {
        let mut stream = Exchange::over(self.carrier.dial(self.address).await, self.address);
        stream.ask(&format!("GET /sse{query}"), "Accept: text/event-stream\r\n", "").await;
        let status = stream.status().await;
        let client = EventSourceClient {
            address: self.address,
            carrier: Arc::clone(&self.carrier),
            stream,
            posts: None,
            session: None,
            at: None,
            kept: VecDeque::new(),
        };
        (status, client)
    }
}

impl<C: Carrier> EventSourceClient<C> {
    /// Reads whole events from what has arrived.
    fn take_events(&mut self) {
        while let Some(end) = self.stream.body.windows(2).position(|bytes| bytes == b"\n\n") {
            let event: Vec<u8> = self.stream.body.drain(..end + 2).collect();
            let event = String::from_utf8(event).expect("UTF-8");
            let (mut name, mut data) = (None, None);
            for line in event.lines().filter(|line| !line.is_empty()) {
                match line.split_once(": ").unwrap_or((line, "")) {
                    ("event", value) => name = Some(value),
                    ("data", value) => assert_eq!(data.replace(value), None, "one line of data"),
                    ("id" | "retry" | ":", _) => {}
                    other => panic!("{other:?}"),
                }
            }
            let Some(data) = data else { continue };
            let frame: Value = serde_json::from_str(data).expect("JSON");
            assert_eq!(frame["type"].as_str(), name);
            self.kept.push_back(frame);
        }
    }
}

#[async_trait]
impl<C: Carrier> Client for EventSourceClient<C> {
    async fn command(&mut self, frame: Value) -> Value {
        let (session, token) = self.session.clone().expect("the welcome has been read");
        let mut posts = match self.posts.take() {
            Some(posts) => posts,
            None => Exchange::over(self.carrier.dial(self.address).await, self.address),
        };
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let at = self.at.as_ref().map_or_else(String::new, |at| format!("?at={at}"));
        posts.ask(&format!("POST /sse/{session}{at}"), &authorization, &frame.to_string()).await;
        posts.status().await.expect("the connection lasts");
        let answer = serde_json::from_str(&posts.text().await).expect("the answer is a frame");
        self.posts = Some(posts);
        answer
    }

    async fn next(&mut self) -> Option<Value> {
        while self.kept.is_empty() && self.stream.read().await {
            self.take_events();
        }
        let frame = self.kept.pop_front()?;
        if frame["type"] == "welcome" {
            // A cursor resumes, and shows no token.
            let token = frame["token"].as_str().or(self.session.as_ref().map(|(_, token)| &**token));
            let token = token.expect("a token").to_owned();
            self.at = frame["at"].as_str().map(str::to_owned);
            self.session = Some((frame["session"].as_str().expect("a text").to_owned(), token));
        }
        Some(frame)
    }

    async fn cut(self) {}
}
