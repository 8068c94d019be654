//! The server at which an Engine.IO session is, as part of the sid that its client is told and says with every request.
//!
//! A stock client sets no header and no parameter of its own, many keep no cookies, and a browser has one cookie for all its tabs, whose
//! sessions may be at different servers. The sid is the one thing that each of them says, as it was told.

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use chat_serve::ServerName;
use socketioxide_core::Sid;

/// Between a sid and the name of a server: in neither of them, and no client escapes it.
const BORDER: char = '.';

/// The sid, and the server that stands behind it, if one does.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(BORDER).map_or((text, None), |(sid, at)| (sid, Some(at)))
}

/// The packet that opens a session, which tells its client the sid with the server behind it.
pub(crate) fn put(packet: &[u8], sid: Sid, at: &ServerName) -> Vec<u8> {
    let sid = sid.as_str().as_bytes();
    let end = packet.windows(sid.len()).position(|bytes| bytes == sid).expect("it holds its sid") + sid.len();
    let (before, after) = packet.split_at(end);
    [before, BORDER.to_string().as_bytes(), at.as_str().as_bytes(), after].concat()
}

/// The same request with the sid alone, as socketioxide knows it.
pub(crate) fn take_off(mut request: Request) -> Request {
    let query = request.uri().query().unwrap_or_default();
    let said = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
    let Some((sid, at)) = said.and_then(|said| said.split_once(BORDER)) else { return request };
    let (with, without) = (format!("sid={sid}{BORDER}{at}"), format!("sid={sid}"));
    let target = format!("{}?{}", request.uri().path(), query.replace(&with, &without));
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).expect("a part of a query was left out"));
    *request.uri_mut() = parts.try_into().expect("the other parts are as they were");
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_client_says_what_it_was_told_and_socketioxide_hears_the_sid() {
        let (sid, at) = (Sid::new(), "a-1".parse().expect("a name"));
        let packet = format!(r#"0{{"sid":"{sid}","upgrades":["websocket"]}}"#);
        let told = String::from_utf8(put(packet.as_bytes(), sid, &at)).expect("text");
        assert_eq!(told, format!(r#"0{{"sid":"{sid}.a-1","upgrades":["websocket"]}}"#));
        let said = format!("{sid}.a-1");
        assert_eq!(split(&said), (sid.as_str(), Some("a-1")));
        assert_eq!(split(sid.as_str()), (sid.as_str(), None));
    }

    #[test]
    fn what_else_is_asked_stays() {
        for (uri, without) in [
            ("/s/?EIO=4&sid=abc.a-1&transport=polling", "/s/?EIO=4&sid=abc&transport=polling"),
            ("http://host/s/?sid=abc.a-1", "http://host/s/?sid=abc"),
            ("/s/?EIO=4&xsid=d.e&sid=abc", "/s/?EIO=4&xsid=d.e&sid=abc"),
            ("/s/", "/s/"),
        ] {
            let request = Request::get(uri).body(Body::empty()).expect("a request");
            assert_eq!(take_off(request).uri(), without);
        }
    }
}
