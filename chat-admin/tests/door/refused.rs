//! What is refused: those who show no token, pages of elsewhere, and bodies that are too long, too slow or say too much.

use std::convert::Infallible;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use chat_admin::AdminConfig;
use http_body::Frame;
use serde_json::{Value, json};

use super::support::{Door, TOKEN};

const KICK: &str = "/rooms/LUNCH/kick";

fn bearer() -> (&'static str, String) {
    ("authorization", format!("Bearer {TOKEN}"))
}

fn request(method: &str, uri: &str, headers: &[(&str, String)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    request.body(body.into()).expect("a request")
}

#[tokio::test]
async fn nothing_but_health_and_the_page_is_for_who_shows_no_token() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let query = format!("/rooms?token={TOKEN}");
    let bearers = [bearer(), bearer()];
    let cookie = [("cookie", format!("token={TOKEN}; CHAT_ADMIN_TOKEN={TOKEN}"))];
    let basic = [("authorization", format!("Basic {TOKEN}"))];
    for (method, uri, headers) in [
        ("GET", "/rooms", &[][..]),
        ("GET", "/metrics", &[]),
        ("GET", "/status", &[]),
        ("POST", KICK, &[]),
        ("DELETE", "/rooms/LUNCH", &[]),
        ("POST", "/drain", &[]),
        ("GET", &query, &[]),
        ("GET", "/rooms", &cookie),
        ("GET", "/rooms", &basic),
        ("GET", "/rooms", &bearers),
        ("DELETE", "/rooms/LUNCH", &bearers),
    ] {
        let (status, answer) = door.send(request(method, uri, headers, Body::empty())).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::UNAUTHORIZED, &json!("bad_token")),
            "{method} {uri} {headers:?}"
        );
    }
    for open in ["/healthz", "/readyz", "/", "/admin.js", "/people.js", "/admin.css", "/openapi.json"] {
        assert_eq!(door.send(request("GET", open, &[], Body::empty())).await.0, StatusCode::OK, "{open}");
    }
    // The token in the query is not read, and not passed over either.
    assert_eq!(door.send(request("GET", &query, &[bearer()], Body::empty())).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(door.done("GET", "/rooms/LUNCH", Value::Null).await["info"]["members"], json!(1), "nothing was done");
}

#[tokio::test]
async fn a_page_of_elsewhere_may_not_act_even_where_no_token_is_asked_for() {
    let door = Door::with(AdminConfig::without_token());
    let _ann = door.create("LUNCH", "Ann").await;
    let host = ("host", "127.0.0.1:9100".to_owned());
    let json_body = ("content-type", "application/json".to_owned());
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:5000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let headers = [host.clone(), json_body.clone(), (name, value.to_owned())];
        for (method, uri, body) in
            [("POST", KICK, r#"{"member":1}"#), ("DELETE", "/rooms/LUNCH", ""), ("GET", "/metrics", "")]
        {
            let (status, answer) = door.send(request(method, uri, &headers, body)).await;
            assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{name}: {value}");
        }
    }
    // What a form can send is no body.
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let headers = [host.clone(), ("content-type", media.to_owned())];
        let (status, _) = door.send(request("POST", KICK, &headers, r#"{"member":1}"#)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media}");
        // Nor is it where there is nothing to say.
        let (status, _) = door.send(request("POST", "/drain", &headers, "a=b")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media}");
    }
    let own =
        [host, json_body, ("origin", "http://127.0.0.1:9100".to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
    assert_eq!(door.send(request("POST", KICK, &own, r#"{"member":1}"#)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_only_names_that_nobody_can_point_here_are_answered_to() {
    let (open, guarded) = (Door::with(AdminConfig::without_token()), Door::new());
    for (host, status) in [
        ("evil.test", 403),
        ("127.0.0.1.evil.test:9100", 403),
        ("127.0.0.1:9100", 200),
        ("localhost", 200),
        ("[::1]:9100", 200),
    ] {
        let host = ("host", host.to_owned());
        for path in ["/rooms", "/metrics", "/", "/healthz"] {
            let (found, _) = open.send(request("GET", path, slice::from_ref(&host), Body::empty())).await;
            assert_eq!(found.as_u16(), status, "{path} at {host:?}");
        }
        let (found, _) = guarded.send(request("GET", "/rooms", &[host.clone(), bearer()], Body::empty())).await;
        assert_eq!(found, StatusCode::OK, "whoever has the token is no stranger's page: {host:?}");
    }
}

/// A body that never ends; of which nothing comes, or more and more.
struct Endless {
    comes: bool,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.comes {
            true => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096]))))),
            false => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_bounded_in_bytes_and_in_time() {
    let door = Door::new();
    let headers = [bearer(), ("content-type", "application/json".to_owned())];
    let ask = async |body: Body| door.send(request("POST", KICK, &headers, body)).await;
    let (status, answer) = ask(" ".repeat((64 << 10) + 1).into()).await;
    assert_eq!(
        (status, &answer["code"], &answer["limit"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_long"), &json!(64 << 10))
    );
    assert_eq!(ask(Body::new(Endless { comes: true })).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(ask(Body::new(Endless { comes: false })).await.0, StatusCode::REQUEST_TIMEOUT);
    for (wrong, code) in [
        ("", "bad_frame"),
        ("{", "bad_frame"),
        ("[]", "bad_field"),
        (r#"{"member":-1}"#, "bad_field"),
        (r#"{"member":1,"member":1}"#, "bad_field"),
        (r#"{"member":1,"who":2}"#, "bad_field"),
    ] {
        let (status, answer) = ask(wrong.into()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{wrong}");
    }
}

#[tokio::test]
async fn a_code_that_is_none_is_refused_whatever_it_holds() {
    let door = Door::new();
    let long = "A".repeat(33);
    for (code, status) in [
        ("ab", 400),
        (&long, 400),
        ("a%20b", 400),
        ("a%2Fb", 400),
        ("..%2F..%2Fdrain", 400),
        ("%00%00%00", 400),
        ("r%C3%A4ume", 400),
        ("%FF%FE%FD", 400),
        ("%F0%9F%99%82%F0%9F%99%82", 400),
        ("<script>", 400),
        ("{room}", 400),
        ("NO-ROOM", 404),
    ] {
        let Ok(request) =
            Request::get(format!("/rooms/{code}")).header(header::AUTHORIZATION, bearer().1).body(Body::empty())
        else {
            continue;
        };
        let (found, answer) = door.send(request).await;
        assert_eq!(found.as_u16(), status, "{code}: {answer}");
        assert!(answer["code"].is_string(), "{code}");
    }
}
