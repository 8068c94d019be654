//! Pages of other origins: none, unless they are listed.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use chat_core::Engine;
use transport_sse::{Origins, SseConfig};

use super::support::TestServer;

const OWN: &str = "https://chat.example.org";

fn open_to_own() -> TestServer {
    let config = SseConfig { origins: Origins::Listed(vec![OWN.to_owned()]), ..SseConfig::default() };
    TestServer::build(Engine::builder(), config)
}

async fn preflight(server: &TestServer, path: &str, origin: &str) -> (StatusCode, HeaderMap) {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,last-event-id")
        .body(Body::empty())
        .expect("a request");
    let head = server.send(request).await.into_parts().0;
    (head.status, head.headers)
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.contains_key("access-control-allow-origin")
}

#[tokio::test]
async fn no_other_page_may_read_anything_by_default() {
    let server = TestServer::new();
    let (status, headers) = preflight(&server, "/sse/0000000000000000000000007V", OWN).await;
    assert_eq!((status, is_allowed(&headers)), (StatusCode::METHOD_NOT_ALLOWED, false));
    assert!(!is_allowed(server.ask("/sse", &[("origin", OWN)]).await.headers()));
}

#[tokio::test]
async fn a_listed_page_may_stream_and_post() {
    let server = open_to_own();
    let (status, headers) = preflight(&server, "/sse/0000000000000000000000007V", OWN).await;
    assert_eq!((status, &headers["access-control-allow-origin"]), (StatusCode::OK, &OWN.parse().expect("a value")));
    let allowed = headers["access-control-allow-headers"].to_str().expect("text");
    assert!(["authorization", "content-type", "last-event-id"].iter().all(|name| allowed.contains(name)), "{allowed}");
    assert!(headers["access-control-allow-methods"].to_str().expect("text").contains("POST"));
    let stream = server.ask("/sse", &[("origin", OWN)]).await;
    assert_eq!(
        (stream.status(), &stream.headers()["access-control-allow-origin"]),
        (StatusCode::OK, &OWN.parse().expect("a value"))
    );
    let refusal = server.ask("/sse?room=TEA&nick=Bob", &[("origin", OWN)]).await;
    assert!(refusal.status() == StatusCode::NOT_FOUND && is_allowed(refusal.headers()), "errors can be read too");
}

#[tokio::test]
async fn only_the_very_same_origin_is_listed() {
    let server = open_to_own();
    for origin in
        ["http://chat.example.org", "https://chat.example.org.evil.net", "https://chat.example.org:8443", "null"]
    {
        assert!(!is_allowed(&preflight(&server, "/sse", origin).await.1), "{origin}");
        assert!(!is_allowed(server.ask("/sse", &[("origin", origin)]).await.headers()), "{origin}");
    }
}

#[tokio::test]
#[should_panic(expected = "what an Origin header can hold")]
async fn everybody_cannot_be_listed() {
    let config = SseConfig { origins: Origins::Listed(vec!["*".to_owned()]), ..SseConfig::default() };
    TestServer::build(Engine::builder(), config);
}

#[tokio::test]
async fn a_list_of_nobody_is_as_closed_as_none() {
    let config = SseConfig { origins: Origins::Listed(Vec::new()), ..SseConfig::default() };
    let server = TestServer::build(Engine::builder(), config);
    assert!(!is_allowed(&preflight(&server, "/sse", OWN).await.1));
    assert!(!is_allowed(server.ask("/sse", &[("origin", OWN)]).await.headers()));
}

#[tokio::test]
async fn a_server_for_everybody_says_so_and_asks_for_no_cookies() {
    let server = TestServer::build(Engine::builder(), SseConfig { origins: Origins::Any, ..SseConfig::default() });
    for origin in [OWN, "https://anyone.example.net"] {
        let (status, headers) = preflight(&server, "/sse/0000000000000000000000007V", origin).await;
        assert_eq!((status, &headers["access-control-allow-origin"]), (StatusCode::OK, &"*".parse().expect("a value")));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}
