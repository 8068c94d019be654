//! What is found in requests, and what is an error.

use axum::http::Request;

use super::*;

fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn found(credentials: &Credentials, uri: &str, headers: &[(&str, &str)]) -> Result<Option<String>, BadCredentials> {
    Ok(Shown::parts(credentials.find(&request(uri, headers))?).0)
}

fn some(text: &str) -> Result<Option<String>, BadCredentials> {
    Ok(Some(text.to_owned()))
}

#[test]
fn credentials_are_found_where_they_are_looked_for() {
    let all = Credentials::default().cookie("pass").query("ticket");
    assert_eq!(found(&all, "/ws", &[]), Ok(None));
    assert_eq!(found(&all, "/ws", &[("authorization", "Bearer ann")]), some("ann"));
    assert_eq!(found(&all, "/ws?ticket=a%20b&x=1", &[]), some("a b"));
    for line in ["pass=ann", "a=1; pass=ann;b=2", "a=1;pass=\"ann\"", "passed=x; pass=ann"] {
        assert_eq!(found(&all, "/ws", &[("cookie", line)]), some("ann"), "{line}");
    }
    // Beside one of bytes that are no text to HTTP, which any page of a neighbour may set.
    for line in ["name=J\u{fc}rgen; pass=ann".as_bytes(), b"name=\xff; pass=ann"] {
        let mut parts = request("/ws", &[]);
        parts.headers.insert(header::COOKIE, axum::http::HeaderValue::from_bytes(line).expect("browsers send it"));
        assert_eq!(all.find(&parts).map(|shown| Shown::parts(shown).0), some("ann"), "{line:?}");
    }
    // HTTP/2 may send each cookie in a line of its own.
    assert_eq!(found(&all, "/ws", &[("cookie", "a=1"), ("cookie", "pass=ann")]), some("ann"));
    for line in ["a=1", "pass=", "pass", "PASS=ann", "pass=\"\""] {
        assert_eq!(found(&all, "/ws", &[("cookie", line)]), Ok(None), "{line}");
    }
    let named_twice = Credentials::off().query("ticket").query("code");
    assert_eq!(found(&named_twice, "/ws?code=7", &[]), some("7"));
}

#[test]
fn two_that_are_the_same_are_one_and_two_that_are_not_are_an_error() {
    let all = Credentials::default().cookie("pass").query("ticket");
    let headers = |bearer, cookie| [("authorization", bearer), ("cookie", cookie)];
    assert_eq!(found(&all, "/ws?ticket=ann", &headers("Bearer ann", "pass=ann")), some("ann"));
    assert_eq!(found(&all, "/ws?ticket=bob", &headers("Bearer ann", "pass=ann")), Err(BadCredentials::Differ));
    assert_eq!(found(&all, "/ws", &headers("Bearer ann", "pass=bob")), Err(BadCredentials::Differ));
    // Cookies of one name, for two paths.
    assert_eq!(found(&all, "/ws", &[("cookie", "pass=ann; pass=bob")]), Err(BadCredentials::Differ));
    assert_eq!(found(&all, "/ws?ticket=ann&ticket=bob", &[]), Err(BadCredentials::Differ));
}

#[test]
fn what_nothing_reads_is_an_error_unless_the_browser_sends_it_by_itself() {
    let bearer = [("authorization", "Bearer ann")];
    assert_eq!(found(&Credentials::off(), "/ws", &bearer), Err(BadCredentials::Unread));
    assert_eq!(found(&Credentials::off().cookie("pass"), "/ws", &bearer), Err(BadCredentials::Unread));
    assert_eq!(found(&Credentials::off().bearer(), "/ws", &bearer), some("ann"));
    assert_eq!(found(&Credentials::default(), "/ws", &[("cookie", "pass=ann")]), Ok(None));
    for uri in ["/ws?token=ann", "/ws?a=1&access_token=ann"] {
        assert_eq!(found(&Credentials::default(), uri, &[]), Err(BadCredentials::Unread), "{uri}");
        // Something around the routes has made a bearer of it.
        assert_eq!(found(&Credentials::default(), uri, &bearer), some("ann"), "{uri}");
    }
    assert_eq!(found(&Credentials::default().query("token"), "/ws?token=ann", &[]), some("ann"));
    assert_eq!(found(&Credentials::default().query("token"), "/ws?token=", &[]), Err(BadCredentials::Empty));
    assert_eq!(found(&Credentials::default(), "/ws?ticket=ann", &[("authorization", "Basic YW5u")]), Ok(None));
}

#[test]
fn a_bearer_of_the_transports_own_is_no_credential() {
    let of = |credentials: &Credentials, uri: &str| {
        let request = request(uri, &[("authorization", "Bearer own")]);
        credentials.find_beside(&request, |token| token == "own").map(|shown| Shown::parts(shown).0)
    };
    assert_eq!(of(&Credentials::off(), "/sse"), Ok(None));
    assert_eq!(of(&Credentials::default().query("ticket"), "/sse?ticket=ann"), some("ann"));
}

#[test]
fn where_a_credential_was_is_said_and_the_first_place_of_several() {
    let all = Credentials::default().cookie("pass").query("ticket");
    for (uri, headers, place) in [
        ("/ws?ticket=ann", &[][..], "query"),
        ("/ws?ticket=ann", &[("cookie", "pass=ann")], "cookie"),
        ("/ws?ticket=ann", &[("cookie", "pass=ann"), ("authorization", "Bearer ann")], "bearer"),
    ] {
        let shown = all.find(&request(uri, headers)).expect("it can be used").expect("there is one");
        assert_eq!((shown.credential.as_str(), shown.place), ("ann", place));
        assert!(!format!("{shown:?}").contains("ann"), "{shown:?}");
    }
    assert_eq!(Shown::parts(None), (None, ""));
}

#[test]
fn no_error_repeats_a_credential() {
    for bad in [BadCredentials::Differ, BadCredentials::Unread, BadCredentials::Empty] {
        assert!(!format!("{bad} {bad:?}").contains("ann"));
    }
}

#[test]
fn pages_of_listed_origins_send_their_cookies_where_those_are_read() {
    let listed = Origins::Listed(vec!["https://www.example.org".to_owned()]);
    let sends = |credentials: &Credentials| format!("{:?}", credentials.cors(&listed).expect("a layer"));
    let without = sends(&Credentials::default());
    assert_ne!(sends(&Credentials::default().cookie("pass")), without);
    assert_eq!(sends(&Credentials::default().query("ticket")), without);
    assert!(Credentials::default().cookie("pass").cors(&Origins::SameHost).is_none());
    assert!(Credentials::default().cors(&Origins::Any).is_some());
}

#[test]
#[should_panic(expected = "the pages that may connect are listed")]
fn a_cookie_is_never_good_for_any_page() {
    Credentials::default().cookie("pass").check(&Origins::Any);
}
