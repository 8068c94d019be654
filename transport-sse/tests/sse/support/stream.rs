//! Clients of a stream: one that reads chunk by chunk, and one that behaves like an `EventSource`.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{sleep, timeout};

use super::parser::{Event, Parser};
use super::test_server::{TestServer, get};

/// Heartbeats after which a test that waits has waited long enough.
const SILENCE_MAX: usize = 100;

/// An open stream.
pub(crate) struct Stream {
    body: Body,
    pub(crate) parser: Parser,
    events: VecDeque<Event>,
}

/// Lets the engine do what it has been asked to do.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

impl Stream {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, parser: Parser::default(), events: VecDeque::new() }
    }

    /// The next chunk as it is handed out; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        let frame = self.body.frame().await?.expect("a stream has no errors");
        let bytes = frame.into_data().expect("a stream has no trailers");
        self.parser.read(&bytes, |event| self.events.push_back(event));
        assert!(self.parser.is_between_events(), "a chunk is whole events");
        assert!(self.parser.comments < SILENCE_MAX, "nothing comes any more");
        Some(bytes)
    }

    /// The next event; `None` at the end.
    pub(crate) async fn try_next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            self.chunk().await?;
        }
        self.events.pop_front()
    }

    pub(crate) async fn next(&mut self) -> Event {
        self.try_next().await.expect("the stream goes on")
    }

    /// The next event, which is of this kind.
    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await;
        assert_eq!(event.name, name, "{}", event.data);
        event
    }

    /// The next event of this kind, whatever comes before.
    pub(crate) async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name {
                return event;
            }
        }
    }

    /// Everything that is due now.
    pub(crate) async fn due(&mut self) -> Vec<Event> {
        settle().await;
        while let Ok(Some(_)) = timeout(Duration::ZERO, self.chunk()).await {}
        std::mem::take(&mut self.events).into()
    }

    /// Texts of the messages that are due now.
    pub(crate) async fn texts(&mut self) -> Vec<String> {
        let due = self.due().await;
        let messages = due.iter().filter(|event| event.name == "message");
        messages.map(|event| event.data["text"].as_str().expect("a text").to_owned()).collect()
    }
}

/// Reconnects for ever after a stream that has ended, with the last id it has seen; stops for good at any answer but
/// 200.
pub(crate) struct EventSource<'a> {
    server: &'a TestServer,
    uri: String,
    last_id: String,
    retry: Duration,
    stream: Option<Stream>,
    pub(crate) requests: usize,
}

impl<'a> EventSource<'a> {
    pub(crate) fn new(server: &'a TestServer, uri: &str) -> Self {
        let retry = Duration::from_secs(3);
        Self { server, uri: uri.to_owned(), last_id: String::new(), retry, stream: None, requests: 0 }
    }

    /// It has seen an event before, of whatever server.
    pub(crate) fn with_last_id(mut self, last_id: &str) -> Self {
        last_id.clone_into(&mut self.last_id);
        self
    }

    /// The next event, over as many streams as it takes; the status that put an end to it.
    pub(crate) async fn next(&mut self) -> Result<Event, StatusCode> {
        loop {
            let Some(stream) = &mut self.stream else {
                self.stream = Some(self.connect().await?);
                continue;
            };
            match stream.try_next().await {
                Some(event) => {
                    self.last_id.clone_from(&event.last_id);
                    self.retry = stream.parser.retry.unwrap_or(self.retry);
                    return Ok(event);
                }
                None => {
                    self.stream = None;
                    sleep(self.retry).await;
                }
            }
        }
    }

    pub(crate) async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("it goes on");
            if event.name == name {
                return event;
            }
        }
    }

    /// The connection breaks.
    pub(crate) async fn lose(&mut self) {
        self.stream = None;
        settle().await;
    }

    async fn connect(&mut self) -> Result<Stream, StatusCode> {
        self.requests += 1;
        let mut request = get(&self.uri);
        if !self.last_id.is_empty() {
            request = request.header("last-event-id", &self.last_id);
        }
        let response = self.server.send(request.body(Body::empty()).expect("a request")).await;
        match response.status() {
            StatusCode::OK => {
                let mut stream = Stream::new(response.into_body());
                stream.parser.last_id.clone_from(&self.last_id);
                Ok(stream)
            }
            status => Err(status),
        }
    }
}
