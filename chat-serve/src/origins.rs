//! Whose pages may connect.

use axum::http::{HeaderMap, Uri, header};

/// Pages that may open a connection.
///
/// Browsers let any page on the internet open a WebSocket to any host, with the cookies of that host. Only the `Origin`
/// header, which a page cannot change, tells a stranger's page from one's own. Programs that are no browsers send none, and
/// always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Those whose host and port are the ones that the request was sent to.
    SameHost,
    /// These, written as browsers do: `https://chat.example.org`. For a server behind a proxy that rewrites `Host`.
    Listed(Vec<String>),
    /// All. For servers whose policy looks at more than a cookie.
    Any,
}

impl Origins {
    /// Whether a client whose request has this URI and these headers may connect.
    pub fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if origins.next().is_some() {
            return false;
        }
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
            Self::SameHost => {
                // An origin is `scheme://host[:port]` or `null`; both leave a scheme's own port out.
                let own = origin.split_once("://").map(|(_, authority)| authority);
                own.zip(host(uri, headers)).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
            }
        }
    }
}

/// The host that a request was sent to: HTTP/2 has it in the URI, HTTP/1.1 in a header.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Uri {
        Uri::from_static("/ws")
    }

    fn headers(lines: &[(header::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect()
    }

    fn from(origin: &str) -> HeaderMap {
        headers(&[(header::HOST, "chat.example.org:8080"), (header::ORIGIN, origin)])
    }

    #[test]
    fn only_pages_of_the_same_host_and_port_come_in() {
        let same = |headers: &HeaderMap| Origins::SameHost.allow(&path(), headers);
        assert!(same(&from("http://chat.example.org:8080")));
        assert!(same(&from("https://CHAT.example.org:8080")));
        assert!(!same(&from("http://chat.example.org")));
        assert!(!same(&from("http://evil.example.org:8080")));
        assert!(!same(&from("http://chat.example.org:8080.evil.org")));
        assert!(!same(&from("null")));
        assert!(!same(&headers(&[(header::ORIGIN, "http://chat.example.org:8080")])));
    }

    #[test]
    fn over_the_second_version_of_http_the_host_is_in_the_uri() {
        let uri = Uri::from_static("http://chat.example.org:8080/socket.io/");
        let origin = |origin| headers(&[(header::ORIGIN, origin)]);
        assert!(Origins::SameHost.allow(&uri, &origin("http://chat.example.org:8080")));
        assert!(!Origins::SameHost.allow(&uri, &origin("http://evil.example.org:8080")));
        let mut both = from("http://evil.example.org");
        both.insert(header::HOST, "evil.example.org".parse().expect("a header value"));
        assert!(!Origins::SameHost.allow(&uri, &both), "the URI is what the request was sent to");
    }

    #[test]
    fn a_program_that_is_no_browser_sends_no_origin_and_comes_in() {
        assert!(Origins::SameHost.allow(&path(), &headers(&[(header::HOST, "chat.example.org")])));
        assert!(Origins::Listed(Vec::new()).allow(&path(), &HeaderMap::new()));
    }

    #[test]
    fn listed_pages_come_in_whatever_the_host() {
        let listed = Origins::Listed(vec!["https://chat.example.org".to_owned()]);
        assert!(listed.allow(&path(), &from("https://chat.example.org")));
        assert!(!listed.allow(&path(), &from("http://chat.example.org")));
        assert!(Origins::Any.allow(&path(), &from("http://anyone.example.net")));
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = from("http://chat.example.org:8080");
        headers.append(header::ORIGIN, "http://chat.example.org:8080".parse().expect("a header value"));
        assert!(!Origins::SameHost.allow(&path(), &headers));
    }
}
