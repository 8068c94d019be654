//! The head of a session's first request, as it is kept with the session: in memory of its own, and only what is of use.

use axum::http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use axum::http::request::Parts;
use bytes::Bytes;

/// Frees a head of the buffer it was read into. Whatever is kept of that, the path or one header, keeps all of it: 8 KiB and more.
///
/// Headers that are about the connection itself are left out: they have done their work.
pub(crate) fn detach(mut head: Parts) -> Parts {
    // What is a URI is one in a copy too.
    if let Ok(uri) = head.uri.to_string().parse() {
        head.uri = uri;
    }
    head.headers = copy(&head.headers);
    head
}

fn copy(headers: &HeaderMap) -> HeaderMap {
    let kept = || headers.iter().filter(|(name, _)| !is_of_handshake(name));
    let text: Vec<u8> = kept().flat_map(|(_, value)| value.as_bytes()).copied().collect();
    let mut text = Bytes::from(text);
    let mut copies = HeaderMap::with_capacity(kept().count());
    for (name, value) in kept() {
        let copy = HeaderValue::from_maybe_shared(text.split_to(value.len()));
        copies.append(name, copy.expect("a header value is one in a copy too"));
    }
    copies
}

fn is_of_handshake(name: &HeaderName) -> bool {
    [CONNECTION, UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn what_a_handler_may_ask_for_is_kept_in_memory_of_its_own() {
        let read = Bytes::from_static(b"/socket.io/?EIO=4 chat.example 192.0.2.1 192.0.2.2");
        let part = |range: std::ops::Range<usize>| HeaderValue::from_maybe_shared(read.slice(range)).expect("visible");
        let mut request = Request::get(axum::http::Uri::from_maybe_shared(read.slice(..17)).expect("a path"));
        for (name, range) in [("host", 18..30), ("x-forwarded-for", 31..40), ("x-forwarded-for", 41..50)] {
            request = request.header(name, part(range));
        }
        let request = request.header("sec-websocket-key", "x").header("connection", "upgrade").extension(7_u8);
        let head = detach(request.body(()).expect("a request").into_parts().0);
        assert_eq!(head.uri, "/socket.io/?EIO=4");
        assert_eq!(head.extensions.get(), Some(&7_u8));
        assert_eq!(head.headers["host"], "chat.example");
        let forwarded: Vec<_> = head.headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(forwarded, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(head.headers.len(), 3);
        let original = read.as_ptr_range();
        for value in head.headers.values() {
            assert!(!original.contains(&value.as_bytes().as_ptr()), "{value:?} is kept where it was read");
        }
        assert!(!original.contains(&head.uri.path().as_ptr()), "the path is kept where it was read");
    }
}
