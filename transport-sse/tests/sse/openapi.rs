//! The description of the routes against the routes: nothing in it is made up, and nothing is missing.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use chat_core::{Engine, Limits, Reject, RejectCode, RoomLimits};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use transport_sse::SseConfig;

use super::support::{Says, Spec, TestServer, template};

/// What has been seen of the routes: operation and status with media type, and parameters used.
#[derive(Default)]
struct Seen {
    answers: BTreeSet<String>,
    parameters: BTreeSet<String>,
}

impl Seen {
    async fn ask(
        &mut self,
        server: &TestServer,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Value {
        self.ask_with(server, method, uri, headers, Body::from(body.to_string())).await
    }

    async fn ask_with(
        &mut self,
        server: &TestServer,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Value {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = server.send(request.body(body).expect("a request")).await;
        let path = uri.split('?').next().unwrap_or_default();
        let operation = format!("{} {}", method.to_lowercase(), template(path));
        let media = response.headers()["content-type"].to_str().expect("text").to_owned();
        self.answers.insert(format!("{operation}: {} {media}", response.status().as_str()));
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        let named = query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty());
        self.parameters.extend(named.map(|name| format!("{operation}: query {name}")));
        self.parameters.extend(headers.iter().map(|(name, _)| format!("{operation}: header {}", name.to_lowercase())));
        if path != template(path) {
            self.parameters.insert(format!("{operation}: path session"));
        }
        if media == "text/event-stream" {
            return Value::Null;
        }
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

/// The same, as the description has it.
fn described(spec: &Spec) -> Seen {
    let mut seen = Seen::default();
    for (path, item) in spec.0["paths"].as_object().expect("paths") {
        for (verb, operation) in item.as_object().expect("operations") {
            let name = format!("{verb} {path}");
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                for media in answer["content"].as_object().expect("each has a body").keys() {
                    seen.answers.insert(format!("{name}: {status} {media}"));
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let text = |field: &str| parameter[field].as_str().expect("a text").to_lowercase();
                seen.parameters.insert(format!("{name}: {} {}", text("in"), text("name")));
            }
            let takes_token =
                operation["security"].as_array().expect("security").iter().any(|s| s["session"].is_array());
            if takes_token {
                seen.parameters.insert(format!("{name}: header authorization"));
            }
        }
    }
    seen
}

#[tokio::test]
async fn the_description_is_what_the_routes_do() {
    let (mut seen, none, spec) = (Seen::default(), Value::Null, Spec::load());
    let rejects = [RejectCode::Forbidden, RejectCode::BadToken].map(|code| Reject::new(code, "as a test wants it"));
    let limits = Limits { room: RoomLimits { members_max: 1, ..RoomLimits::default() }, ..Limits::default() };
    let policy = Says { to_topics: true, ..Says::to_clients(rejects) };
    // Bodies that are there are there at once.
    let config = SseConfig { body_timeout: Duration::ZERO, ..SseConfig::default() };
    let server = TestServer::build(Engine::builder().limits(limits).policy(std::sync::Arc::new(policy)), config);
    for uri in [
        "/sse",
        "/sse?token=ann",
        "/sse?room=LUNCH",
        "/sse?room=LUNCH&nick=Ann&history=5&secret=none&catch_up=0&data=%7B%7D",
    ] {
        seen.ask(&server, "GET", uri, &[], &none).await;
    }
    let mut ann = server.open("/sse?create=LUNCH&nick=Ann").await;
    let welcome = ann.expect("welcome").await;
    let joined = ann.expect("joined").await;
    for uri in ["/sse?create=LUNCH&nick=Bob", "/sse?room=LUNCH&nick=Bob"] {
        seen.ask(&server, "GET", uri, &[], &none).await;
    }
    let text = |field: &str| welcome.data[field].as_str().expect("a text").to_owned();
    let (post, bearer) = (format!("/sse/{}", text("session")), format!("Bearer {}", text("token")));
    let authorised = [("authorization", bearer.as_str())];
    for body in [
        json!({"type": "send", "room": "LUNCH", "text": "hi"}),
        json!({"type": "hello"}),
        json!({"type": "leave", "room": "TEA"}),
        json!({"type": "create", "room": "LUNCH", "nick": "Ann"}),
        json!({"type": "topic", "room": "LUNCH", "topic": "forbidden"}),
        json!({"type": "topic", "room": "LUNCH", "topic": "rate_limited"}),
        json!({"type": "topic", "room": "LUNCH", "topic": "unavailable"}),
        json!({"type": "send", "room": "LUNCH", "text": "x".repeat(70_000)}),
    ] {
        let frame = seen.ask(&server, "POST", &post, &authorised, &body).await;
        spec.check_frame(&frame);
    }
    seen.ask(&server, "POST", &format!("{post}?at=A"), &[("chat-at", "A")], &none).await;
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
    let slow = seen.ask_with(&server, "POST", &post, &authorised, never).await;
    assert_eq!(slow["code"], "bad_frame");
    let (cursor, token) = (joined.last_id, text("token"));
    seen.ask(&server, "GET", "/sse", &[("last-event-id", &cursor)], &none).await;
    seen.ask(&server, "GET", "/sse", &authorised, &none).await;
    seen.ask(&server, "GET", &format!("/sse?cursor={cursor}"), &[], &none).await;
    seen.ask(&server, "GET", &format!("/sse?resume={token}&positions="), &[], &none).await;
    let served = seen.ask(&server, "GET", "/sse/openapi.json", &[], &none).await;
    assert_eq!(served, spec.0);
    let described = described(&spec);
    assert_eq!(seen.answers, described.answers);
    assert_eq!(seen.parameters, described.parameters);
}

#[test]
fn the_description_lists_every_code() {
    let spec = Spec::load();
    let listed = &spec.0["components"]["schemas"]["Error"]["properties"]["code"]["enum"];
    let codes: Vec<_> = RejectCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(*listed, json!(codes));
}

/// The blocks of the protocol page that show a client frame.
fn client_frames() -> Vec<Value> {
    let page = include_str!("../../../docs/protocol.md");
    let blocks = page.split("```json client\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    blocks.map(|frame| serde_json::from_str(frame).expect("an example is JSON")).collect()
}

#[test]
fn the_description_knows_every_command_of_the_protocol_page() {
    let spec = Spec::load();
    let frames = client_frames();
    assert!(frames.len() > 10);
    for frame in frames.iter().filter(|frame| frame["type"] != "hello") {
        let fits = spec.fits(&spec.0["components"]["schemas"]["Command"], frame);
        assert_eq!(fits, Ok(()), "{frame}");
    }
}

#[tokio::test]
async fn the_description_may_be_read_by_anyone() {
    let response = TestServer::new().ask("/sse/openapi.json", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn whoever_has_the_description_is_not_sent_it_again() {
    let server = TestServer::new();
    let response = server.ask("/sse/openapi.json", &[]).await;
    let tag = response.headers()["etag"].to_str().expect("text").to_owned();
    let again = server.ask("/sse/openapi.json", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status(), &again.headers()["etag"]), (StatusCode::NOT_MODIFIED, &response.headers()["etag"]));
    let other = server.ask("/sse/openapi.json", &[("if-none-match", "\"another\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
}
