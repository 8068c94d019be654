//! The mark of a request that another server has passed on, and the address that it came from there.
//!
//! Between servers it is a header. Clients may write that header too: from them it is taken away, and what is believed is an extension that
//! only the loop for other servers sets.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};

/// The header: the address that the request came from, as the server has seen it that passes it on.
const CHAT_PASSED_ON: HeaderName = HeaderName::from_static("chat-passed-on");
/// In its place, where that server does not know.
const UNKNOWN: HeaderValue = HeaderValue::from_static("unknown");

/// Among the extensions of a request that another server has passed on.
#[derive(Clone, Copy, Debug)]
struct PassedOn;

/// Whether another server has passed on a request: then it goes no further.
pub(crate) fn is_passed_on(extensions: &Extensions) -> bool {
    extensions.get::<PassedOn>().is_some()
}

/// Marks a request that is about to be passed on, whatever it says itself.
pub(crate) fn mark(headers: &mut HeaderMap, extensions: &Extensions) {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|peer| peer.0.to_string().try_into().expect("an address is visible ASCII"));
    headers.insert(CHAT_PASSED_ON, address.unwrap_or(UNKNOWN));
}

/// Takes the mark away from a request of a client, who may not set it.
pub(crate) fn forget(headers: &mut HeaderMap) {
    headers.remove(CHAT_PASSED_ON);
}

/// Takes in a request of another server: from here on it is as if it had come from where that server has it from.
pub(crate) fn believe(headers: &mut HeaderMap, extensions: &mut Extensions) {
    let mark = headers.remove(CHAT_PASSED_ON);
    if let Some(address) = mark.and_then(|mark| mark.to_str().ok()?.parse::<SocketAddr>().ok()) {
        extensions.insert(ConnectInfo(address));
    }
    extensions.insert(PassedOn);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_arrives_as_it_was_seen_whatever_the_client_wrote() {
        for text in ["192.0.2.1:1234", "[2001:db8::1]:80"] {
            let seen: SocketAddr = text.parse().expect("an address");
            let mut headers = HeaderMap::new();
            headers.insert(CHAT_PASSED_ON, HeaderValue::from_static("203.0.113.9:1"));
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(seen));
            mark(&mut headers, &extensions);
            extensions.clear();
            believe(&mut headers, &mut extensions);
            assert_eq!(extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0), Some(seen));
            assert!(is_passed_on(&extensions) && headers.is_empty());
        }
    }

    #[test]
    fn an_address_that_is_not_known_is_none() {
        let mut headers = HeaderMap::new();
        mark(&mut headers, &Extensions::new());
        let mut extensions = Extensions::new();
        believe(&mut headers, &mut extensions);
        assert!(extensions.get::<ConnectInfo<SocketAddr>>().is_none() && is_passed_on(&extensions));
    }
}
