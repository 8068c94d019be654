//! Pages of the same host, of listed origins and of strangers; straight, and through a proxy that renames the host.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;

use super::*;

const OWN: &str = "http://chat.example.org:8080";

fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request")
}

/// A request to the host of these tests.
fn to_us(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = request("/ws", headers);
    request.headers_mut().insert("host", HeaderValue::from_static("chat.example.org:8080"));
    request
}

fn allows(origins: &Origins, request: &Request<()>) -> bool {
    origins.allow(request, &TrustedProxies::default())
}

fn same(request: &Request<()>) -> bool {
    allows(&Origins::SameHost, request)
}

#[test]
fn only_pages_of_the_same_host_and_port_come_in() {
    assert!(same(&to_us(&[("origin", OWN)])));
    assert!(same(&to_us(&[("origin", "https://CHAT.example.org:8080")])));
    for foreign in [
        "http://chat.example.org",
        "http://evil.example.org:8080",
        "http://chat.example.org:8080.evil.org",
        "chat.example.org:8080",
        "null",
        "",
    ] {
        assert!(!same(&to_us(&[("origin", foreign)])), "{foreign}");
    }
    assert!(!same(&request("/ws", &[("origin", OWN)])), "a request to nobody knows");
}

#[test]
fn over_the_second_version_of_http_the_host_is_in_the_uri() {
    let uri = "http://chat.example.org:8080/socket.io/";
    assert!(same(&request(uri, &[("origin", OWN)])));
    assert!(!same(&request(uri, &[("origin", "http://evil.example.org:8080")])));
    let both = [("origin", "http://evil.example.org"), ("host", "evil.example.org")];
    assert!(!same(&request(uri, &both)), "the URI is what the request was sent to");
}

#[test]
fn a_program_that_is_no_browser_says_nothing_and_comes_in() {
    assert!(same(&to_us(&[])));
    assert!(allows(&Origins::Listed(Vec::new()), &request("/ws", &[])));
}

#[test]
fn a_request_without_an_origin_that_another_page_had_sent_does_not_come_in() {
    for (site, comes_in) in [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)] {
        assert_eq!(same(&to_us(&[("sec-fetch-site", site)])), comes_in, "{site}");
    }
    assert!(!same(&to_us(&[("origin", OWN), ("sec-fetch-site", "cross-site")])), "the browser knows better");
    assert!(allows(&Origins::Any, &to_us(&[("sec-fetch-site", "cross-site")])));
}

#[test]
fn listed_pages_come_in_whatever_the_host_and_so_do_ones_own() {
    let listed = Origins::Listed(vec!["https://example.org".to_owned(), "null".to_owned()]);
    for origin in ["https://example.org", "HTTPS://Example.org", "null", OWN] {
        assert!(allows(&listed, &to_us(&[("origin", origin)])), "{origin}");
    }
    assert!(allows(&listed, &to_us(&[("origin", "https://example.org"), ("sec-fetch-site", "cross-site")])));
    for origin in ["http://example.org", "https://example.org:8443", "https://example.org.evil.net"] {
        assert!(!allows(&listed, &to_us(&[("origin", origin)])), "{origin}");
    }
    assert!(allows(&Origins::Any, &to_us(&[("origin", "http://anyone.example.net")])));
}

#[test]
fn two_origins_are_none() {
    assert!(!same(&to_us(&[("origin", OWN), ("origin", OWN)])));
}

/// What a browser has sent to `chat.example.org`, as a proxy that renames the host hands it on.
fn handed_on(peer: [u8; 4], headers: &[(&str, &str)]) -> Request<()> {
    let mut request = request("/ws", headers);
    request.headers_mut().insert("host", HeaderValue::from_static("127.0.0.1:5000"));
    request.headers_mut().insert("origin", HeaderValue::from_static("https://chat.example.org"));
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 1234))));
    request
}

#[test]
fn a_trusted_proxy_says_which_host_a_request_was_sent_to() {
    let proxies = TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let own = |peer, headers: &[(&str, &str)]| Origins::SameHost.allow(&handed_on(peer, headers), &proxies);
    let named = ("x-forwarded-host", "chat.example.org");
    assert!(own([10, 0, 0, 1], &[named]));
    assert!(own([10, 0, 0, 1], &[("forwarded", r#"for=192.0.2.7;Host="chat.example.org";proto=https"#)]));
    assert!(own([10, 0, 0, 1], &[("forwarded", "host=evil.test, for=10.0.0.2; host=chat.example.org")]));
    assert!(own([10, 0, 0, 1], &[("x-forwarded-host", "evil.test"), ("x-forwarded-host", "x, chat.example.org")]));
    assert!(
        !own([10, 0, 0, 1], &[("x-forwarded-host", "chat.example.org, evil.test")]),
        "the last is the proxy's word"
    );
    assert!(!own([10, 0, 0, 1], &[]), "a proxy that says nothing");
    assert!(!own([192, 0, 2, 1], &[named]), "anybody may say that");
}
