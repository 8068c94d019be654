//! From a request to its answer: the router's, or a refusal of what is no request, or of who has no place.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;
use tower_service::Service;

use super::ServeConfig;
use super::body::Timed;
use super::passed_on;
use super::places::{ClientPlace, Crowded, Places};
use super::proxies::OverTls;

/// When those who found no place should try again, in seconds. 10: a place is soon free, and nobody should hammer.
const RETRY_SECONDS: &str = "10";

/// Where the requests of one connection go, and whom they are from.
#[derive(Clone)]
pub(crate) struct RequestService {
    router: Router,
    source: Source,
    places: Arc<Places>,
    config: Arc<ServeConfig>,
    /// Why the connection has no place, where it has none: then it is told so, unless it asks for what is always answered.
    crowded: Option<Crowded>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A client, or a proxy of clients.
    Client(SocketAddr),
    /// Another server, which has counted its clients, and says of each request where it came from.
    Server,
}

/// A request that may be answered.
pub(crate) struct Admitted {
    request: Request<Body>,
    /// The place of its client, where its connection is a proxy's.
    pub(crate) place: Option<ClientPlace>,
}

impl RequestService {
    pub(crate) fn new(
        router: Router,
        source: Source,
        places: Arc<Places>,
        config: Arc<ServeConfig>,
        crowded: Option<Crowded>,
    ) -> Self {
        Self { router, source, places, config, crowded }
    }

    /// Looks at a request before anything is done about it.
    ///
    /// # Errors
    /// The answer, where it is refused.
    pub(crate) fn admit(&self, request: Request<Incoming>) -> Result<Admitted, Box<Response>> {
        let (parts, body) = request.into_parts();
        if !names_its_host(&parts) {
            return Err(refuse(&parts, StatusCode::BAD_REQUEST, "a request names its host, once\n").into());
        }
        if !has_one_coding(&parts) {
            let words = "a body is sent as it is, or chunked\n";
            return Err(refuse(&parts, StatusCode::NOT_IMPLEMENTED, words).into());
        }
        let place = match self.has_always_an_answer(&parts) {
            true => None,
            false => self.place(&parts).map_err(|crowded| Box::new(self.turn_away(&parts, crowded)))?,
        };
        let mut request = Request::from_parts(parts, Body::new(Timed::new(body, self.config.body_timeout)));
        self.say_where_from(&mut request);
        Ok(Admitted { request, place })
    }

    pub(crate) fn answer(
        &self,
        admitted: Admitted,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        // A router is always ready.
        self.router.clone().call(admitted.request)
    }

    /// Tells handlers where a request comes from, and lets no client say that.
    fn say_where_from(&self, request: &mut Request<Body>) {
        match self.source {
            Source::Client(peer) => {
                passed_on::forget(request.headers_mut());
                request.extensions_mut().insert(ConnectInfo(peer));
                if self.config.has_tls() {
                    request.extensions_mut().insert(OverTls);
                }
            }
            Source::Server => {
                let mut extensions = std::mem::take(request.extensions_mut());
                passed_on::believe(request.headers_mut(), &mut extensions);
                *request.extensions_mut() = extensions;
            }
        }
    }

    fn has_always_an_answer(&self, parts: &Parts) -> bool {
        self.config.vital_paths.iter().any(|path| path == parts.uri.path())
    }

    fn place(&self, parts: &Parts) -> Result<Option<ClientPlace>, Crowded> {
        if let Some(crowded) = self.crowded {
            return Err(crowded);
        }
        let Source::Client(peer) = self.source else { return Ok(None) };
        let peer = peer.ip();
        match self.config.proxies.client(peer, &parts.headers) {
            client if client == peer.to_canonical() => Ok(None),
            client => self.places.take_behind_proxy(client),
        }
    }

    fn turn_away(&self, parts: &Parts, crowded: Crowded) -> Response {
        let words = match crowded {
            Crowded::Server => "this server has as many connections as it takes\n",
            Crowded::Address => "your address has as many connections as it may have\n",
        };
        let mut response = refuse(parts, StatusCode::SERVICE_UNAVAILABLE, words);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        if self.crowded.is_none() && parts.version < Version::HTTP_2 {
            // The connection is a proxy's, and has others' requests to come.
            response.headers_mut().remove(header::CONNECTION);
        }
        response
    }
}

fn refuse(parts: &Parts, status: StatusCode, words: &'static str) -> Response {
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, words).into_response();
    if parts.version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether a request says once, and no more, which host it is for (RFC 9112, section 3.2, and RFC 9113, section 8.3.1).
fn names_its_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => false,
        (Some(host), None) => match parts.uri.authority() {
            Some(authority) => host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
            None => host.is_empty() || Authority::try_from(host.as_bytes()).is_ok(),
        },
        (None, None) => {
            parts.version == Version::HTTP_10 || parts.version == Version::HTTP_2 && parts.uri.host().is_some()
        }
    }
}

/// Whether the body comes as it is, or in chunks and nothing else: what is packed besides would be read as it is.
fn has_one_coding(parts: &Parts) -> bool {
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        names_its_host(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_request_names_its_host_once() {
        assert!(names(Version::HTTP_11, "/", &["chat.example.org:8080"]));
        assert!(names(Version::HTTP_11, "/", &["[::1]:8080"]));
        assert!(names(Version::HTTP_11, "/", &[""]), "whose URI has none says so");
        assert!(!names(Version::HTTP_11, "/", &[]));
        assert!(!names(Version::HTTP_11, "http://t/", &[]));
        assert!(!names(Version::HTTP_11, "/", &["a", "a"]));
        assert!(!names(Version::HTTP_11, "/", &["a b"]));
        assert!(!names(Version::HTTP_11, "/", &["a/b"]));
        assert!(names(Version::HTTP_11, "http://t:80/", &["T:80"]));
        assert!(!names(Version::HTTP_11, "http://t/", &["other"]), "two programs may go by either");
    }

    #[test]
    fn before_and_after_http_1_1_it_may_be_left_out() {
        assert!(names(Version::HTTP_10, "/", &[]));
        assert!(!names(Version::HTTP_10, "/", &["a", "b"]));
        assert!(names(Version::HTTP_2, "http://t/", &[]));
        assert!(names(Version::HTTP_2, "/", &["t"]));
        assert!(!names(Version::HTTP_2, "/", &[]));
        assert!(!names(Version::HTTP_2, "http://t/", &["t", "t"]));
        assert!(names(Version::HTTP_2, "http://t/", &["t"]));
        assert!(!names(Version::HTTP_2, "http://t/", &["other"]));
    }
}
