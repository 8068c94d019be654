//! An engine with these routes, asked without a socket; every answer is checked against the description.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, request};
use axum::response::Response;
use chat_core::{Command, ConnectRequest, Connection, Engine, EngineBuilder, Hello, Limits, Nick, Policy, RoomCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use transport_sse::SseConfig;

use super::spec::Spec;
use super::stream::{Stream, settle};

pub(crate) struct TestServer {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    spec: Spec,
}

/// The answer to a POST.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) frame: Value,
}

pub(crate) fn get(uri: &str) -> request::Builder {
    Request::get(uri)
}

impl TestServer {
    pub(crate) fn new() -> Self {
        Self::build(Engine::builder(), SseConfig::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::build(Engine::builder().limits(limits), SseConfig::default())
    }

    pub(crate) fn ruled(policy: impl Policy) -> Self {
        Self::build(Engine::builder().policy(Arc::new(policy)), SseConfig::default())
    }

    pub(crate) fn build(engine: EngineBuilder, config: SseConfig) -> Self {
        let engine = engine.build();
        Self { router: transport_sse::routes(engine.clone(), config), engine, spec: Spec::load() }
    }

    /// Whatever is in front of this engine.
    pub(crate) fn around(engine: Engine, router: Router) -> Self {
        Self { engine, router, spec: Spec::load() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        self.spec.check(&method, &path, &response);
        response
    }

    /// Opens a stream.
    pub(crate) async fn open(&self, uri: &str) -> Stream {
        self.open_with(uri, &[]).await
    }

    pub(crate) async fn open_with(&self, uri: &str, headers: &[(&str, &str)]) -> Stream {
        let response = self.ask(uri, headers).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        Stream::new(response.into_body())
    }

    pub(crate) async fn ask(&self, uri: &str, headers: &[(&str, &str)]) -> Response {
        let request = headers.iter().fold(get(uri), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Asks for a stream that is not to be had.
    pub(crate) async fn refused(&self, uri: &str) -> Reply {
        self.reply(self.ask(uri, &[]).await).await
    }

    /// Hands in a command of the session that this `welcome` is of.
    pub(crate) async fn post(&self, welcome: &Value, frame: &Value) -> Reply {
        let text = |field: &str| welcome[field].as_str().expect("a welcome").to_owned();
        self.post_raw(&text("session"), Some(&text("token")), Body::from(frame.to_string())).await
    }

    pub(crate) async fn post_raw(&self, session: &str, token: Option<&str>, body: Body) -> Reply {
        let mut request = Request::post(format!("/sse/{session}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.reply(self.send(request.body(body).expect("a request")).await).await
    }

    pub(crate) async fn reply(&self, response: Response) -> Reply {
        let (head, body) = response.into_parts();
        assert_eq!(head.headers["cache-control"], "no-store");
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let frame: Value = serde_json::from_slice(&bytes).expect("a frame");
        self.spec.check_frame(&frame);
        Reply { status: head.status, headers: head.headers, frame }
    }

    /// Somebody in a room, over no transport at all.
    pub(crate) async fn client(&self, room: &str, nick: &str) -> Connection {
        let client = self.engine.connect(ConnectRequest::default(), Hello::default()).await.expect("let in");
        let (room, nick) = (code(room), Nick::parse(nick).expect("a nick"));
        let exists = self.engine.rooms().contains(&room);
        let command = match exists {
            true => Command::join(room, nick),
            false => Command::create(nick).with_room(room),
        };
        client.call(command).await.expect("let in");
        client
    }

    /// A client says something.
    pub(crate) async fn say(&self, client: &Connection, room: &str, text: &str) {
        let text = chat_core::Body::parse(text, 4_000).expect("a text");
        client.call(Command::send(code(room), text)).await.expect("said");
        settle().await;
    }
}

impl Reply {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status.as_u16(), self.frame["code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.frame)))
    }
}

fn code(room: &str) -> RoomCode {
    RoomCode::parse(room).expect("a code")
}
