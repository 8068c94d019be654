//! The name of one of several servers, as clients hear it with their stream and say it with their requests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::header::COOKIE;
use axum::http::{HeaderName, HeaderValue, Request};

/// The header, the cookie, and with `at` the parameter in which a client says at which server its session is.
const CHAT_AT: HeaderName = HeaderName::from_static("chat-at");

/// One of several servers: 1 to 64 of `A-Z a-z 0-9 - _`, which mean nothing to whoever says them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

/// A text that is no server's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to {} of A-Z a-z 0-9 - _", ServerName::LENGTH_MAX)]
pub struct BadServerName;

impl ServerName {
    /// The longest name, in bytes. 64: twice as long as 128 bits in hexadecimal digits.
    pub const LENGTH_MAX: usize = 64;

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The cookie by which a browser says this name with all that it asks from now on. Scripts do not see it, and where it was set over TLS
    /// it goes over nothing else.
    pub fn cookie(&self, is_over_tls: bool) -> HeaderValue {
        let secure = if is_over_tls { "; Secure" } else { "" };
        let cookie = format!("{CHAT_AT}={self}; Path=/; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(cookie).expect("a name is visible ASCII")
    }

    /// What a request says of the server that it is for, whether or not that is a name: the parameter `at`, or else the header `chat-at`, or
    /// else the cookie of that name.
    pub fn said<B>(request: &Request<B>) -> Option<&str> {
        let query = request.uri().query().unwrap_or_default();
        let parameter = query.split('&').find_map(|pair| pair.strip_prefix("at="));
        let header = || request.headers().get(CHAT_AT).map(text);
        parameter.or_else(header).or_else(|| {
            let cookies = request.headers().get_all(COOKIE).iter().flat_map(|line| text(line).split(';'));
            let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
            pairs.find_map(|(name, value)| (name == CHAT_AT).then_some(value))
        })
    }
}

/// What is no text is no name either.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

impl FromStr for ServerName {
    type Err = BadServerName;

    fn from_str(text: &str) -> Result<Self, BadServerName> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_of_name);
        fits.then(|| Self(text.into())).ok_or(BadServerName)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_needs_no_escapes() {
        for name in ["A", "0000000000000000000000007V", "a-b_c", &"f".repeat(64)] {
            assert_eq!(name.parse::<ServerName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for text in ["", "a b", "a;b", "a\"", "a~b", "ä", "a,b", &"f".repeat(65)] {
            assert_eq!(text.parse::<ServerName>(), Err(BadServerName), "{text}");
        }
    }

    #[test]
    fn the_parameter_comes_before_the_header_and_that_before_the_cookie() {
        let said = |uri: &str, headers: &[(&str, &str)]| {
            let request = Request::builder().uri(uri);
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            ServerName::said(&request.body(()).expect("a request")).map(str::to_owned)
        };
        let (header, cookie) = (("chat-at", "h"), ("cookie", "chat-at=c"));
        assert_eq!(said("/?x=1&at=q", &[header, cookie]).as_deref(), Some("q"));
        assert_eq!(said("/?xat=q", &[cookie, header]).as_deref(), Some("h"));
        assert_eq!(said("/", &[cookie]).as_deref(), Some("c"));
        // HTTP/2 may have a line for each.
        assert_eq!(said("/", &[("cookie", "a=b; xchat-at=d"), ("cookie", "c=d;chat-at=c")]).as_deref(), Some("c"));
        assert_eq!(said("/?that=q", &[("cookie", "chat-atx=c; at=d")]), None);
    }

    #[test]
    fn a_cookie_is_for_no_script_and_over_tls_for_nothing_else() {
        let name: ServerName = "A1".parse().expect("a name");
        assert_eq!(name.cookie(false), "chat-at=A1; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(name.cookie(true), "chat-at=A1; Path=/; HttpOnly; SameSite=Lax; Secure");
    }
}
