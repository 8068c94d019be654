//! An engine with a door, people in it, and a request at a time.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use chat_admin::{AdminConfig, AdminToken, routes};
use chat_core::{
    Admission, Body as Text, Command, ConnectRequest, Connection, Engine, Hello, Identity, Nick, Policy, Reject,
    RoomCode,
};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// Whoever shows something is the person of that name; all others are guests.
struct People;

#[async_trait]
impl Policy for People {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

pub(crate) struct Door {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
}

impl Door {
    /// With a token.
    pub(crate) fn new() -> Self {
        Self::with(AdminConfig::new(AdminToken::parse(TOKEN).expect("it is long enough")))
    }

    pub(crate) fn with(config: AdminConfig) -> Self {
        Self::over(Engine::builder().policy(Arc::new(People)).host_names(["Operator"]).expect("a name").build(), config)
    }

    pub(crate) fn over(engine: Engine, config: AdminConfig) -> Self {
        let router = routes(engine.clone(), config);
        Self { engine, router }
    }

    /// What is answered to whoever shows the token.
    pub(crate) async fn ask(&self, method: &str, uri: &str, body: Value) -> (StatusCode, Value) {
        let request =
            Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header(header::CONTENT_TYPE, "application/json").body(body.to_string().into()),
        };
        self.send(request.expect("a request")).await
    }

    /// What is done, and shown.
    pub(crate) async fn done(&self, method: &str, uri: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, uri, body).await;
        assert!(status.is_success(), "{method} {uri}: {status} {answer}");
        answer
    }

    /// The status and the code of a refusal.
    pub(crate) async fn refused(&self, method: &str, uri: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(method, uri, body).await;
        (status.as_u16(), answer["code"].as_str().unwrap_or("none").to_owned())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = to_bytes(response.into_body(), 4 << 20).await.expect("all of it");
        (status, serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into()))
    }

    /// Somebody who is let in; by this identity, where there is one.
    pub(crate) async fn connect(&self, identity: Option<&str>) -> Connection {
        let request = ConnectRequest { credentials: identity.map(str::to_owned), ..ConnectRequest::default() };
        self.engine.connect(request, Hello::default()).await.expect("they are let in")
    }

    /// Somebody who makes a room.
    pub(crate) async fn create(&self, room: &str, nick: &str) -> Connection {
        let person = self.connect(None).await;
        let create = Command::create(nick_of(nick)).with_room(code(room));
        person.call(create).await.expect("the code is free");
        person
    }

    /// Somebody who comes into a room, and says something.
    pub(crate) async fn join(&self, room: &str, nick: &str, identity: Option<&str>, text: &str) -> Connection {
        let person = self.connect(identity).await;
        person.call(Command::join(code(room), nick_of(nick))).await.expect("they are let in");
        let text: Text = text.parse().expect("a text");
        person.call(Command::send(code(room), text)).await.expect("it is said");
        person
    }
}

pub(crate) fn code(room: &str) -> RoomCode {
    room.parse().expect("a code")
}

fn nick_of(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}
