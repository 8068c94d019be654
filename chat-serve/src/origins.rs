//! Whose pages may connect.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, Request};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::proxies::TrustedProxies;

/// What a browser says of where a request comes from, in words that no page can change.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The last event of a stream, which a page that reads it by itself names.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How long a browser may remember that an origin is allowed.
const PREFLIGHT_AGE: Duration = Duration::from_secs(60 * 60);

/// Pages that may open a connection.
///
/// Browsers let any page on the internet send requests to any host and open WebSockets to it, with the cookies of that host. Only the
/// `Origin` and `Sec-Fetch-Site` headers, which a page cannot change, tell a stranger's page from one's own. Programs that are no
/// browsers send neither, and always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Those whose host and port are the ones that the request was sent to.
    SameHost,
    /// Those, and these, written as browsers do: `https://chat.example.org`.
    Listed(Vec<String>),
    /// All. For servers whose policy looks at more than a cookie.
    Any,
}

impl Origins {
    /// Whether a client that sends this request may connect. Where it comes from a trusted proxy, the host that it was sent to is the
    /// one that the proxy names.
    pub fn allow<B>(&self, request: &Request<B>, proxies: &TrustedProxies) -> bool {
        if *self == Self::Any {
            return true;
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return !is_of_another_origin(request) };
        let Ok(origin) = origin.to_str() else { return false };
        if origins.next().is_some() {
            return false;
        }
        // An origin is `scheme://host[:port]` or `null`; both leave a scheme's own port out.
        let own = origin.split_once("://").map(|(_, authority)| authority);
        let is_same_host = own.zip(proxies.host(request)).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host));
        self.lists(origin) || is_same_host && site(request) != Some("cross-site")
    }

    /// What lets pages of other origins read the answers; `None` where there are none. Browsers keep all others from doing so.
    ///
    /// # Panics
    /// Where a listed origin cannot be one: `*`, or what no header can hold.
    pub fn cors(&self) -> Option<CorsLayer> {
        let allowed = match self {
            Self::SameHost => return None,
            Self::Any => AllowOrigin::any(),
            Self::Listed(listed) => {
                let is_origin = |origin: &String| origin != "*" && HeaderValue::from_str(origin).is_ok();
                assert!(listed.iter().all(is_origin), "a listed origin is what an Origin header can hold");
                let origins = self.clone();
                AllowOrigin::predicate(move |origin, _| origin.to_str().is_ok_and(|origin| origins.lists(origin)))
            }
        };
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, LAST_EVENT_ID])
            .expose_headers([RETRY_AFTER])
            .max_age(PREFLIGHT_AGE);
        Some(layer)
    }

    fn lists(&self, origin: &str) -> bool {
        matches!(self, Self::Listed(listed) if listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)))
    }
}

/// Whether a request without an `Origin`, as for an image or a link, was made by a page of another origin.
fn is_of_another_origin<B>(request: &Request<B>) -> bool {
    matches!(site(request), Some("cross-site" | "same-site"))
}

fn site<B>(request: &Request<B>) -> Option<&str> {
    request.headers().get(SEC_FETCH_SITE)?.to_str().ok()
}

#[cfg(test)]
mod tests;
