//! A request that has reached the wrong one of several servers is passed on to the right one, once, and its answer comes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{CONNECTION, EXPECT, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use axum::response::Response;
use tokio::sync::Semaphore;

use super::elsewhere::Elsewhere;
use super::passed_on;
use super::peer_connections::{NotPassedOn, PeerBody, PeerConnections};
use super::server_name::ServerName;
use super::tunnel;

/// Headers that are about one connection, and not about what is asked or answered on it; beside those that `Connection` names.
const OF_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Where a transport's requests go that belong to a session at another server. By default there is no other server, and nothing of this
/// happens.
///
/// A transport asks [`PassOn::take`] for each request of a session that is there already. It asks for no request that begins something, as
/// any server may do that. Give each transport one of its own, so that what waits for long in one (polls) takes no places from another.
#[derive(Clone, Default)]
pub struct PassOn(Option<Arc<Others>>);

/// How much is passed on at once, and how long each step of it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassOnLimits {
    /// Requests on their way at once, from when they are taken to the end of the answer; above it [`NotPassedOn::Crowded`]. 1,024: each has
    /// a connection, and so a file descriptor at both servers, and far more than are answered in the meantime would only wait.
    pub at_once_max: usize,
    /// Upgraded connections at once that go through this server; above it [`NotPassedOn::Crowded`]. 4,096: each lasts for hours, and
    /// costs two file descriptors and 16 KiB of buffers.
    pub tunnels_max: usize,
    /// How long a connection to another server may take. 2 s: it is in the same building, and who waits is a person.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take, from when the request is sent. 60 s: longer than the other server waits for the owner of a
    /// room (40 s) and a body (10 s), and than a poll waits for something to bring (25 s).
    pub answer_timeout: Duration,
    /// How long the body of an answer may stand still. 10 s: it is on its way, and within one network.
    pub stall_timeout: Duration,
    /// How long nothing may come from a server on an upgraded connection. 120 s: more than twice the time between two pings.
    pub silence_max: Duration,
}

impl Default for PassOnLimits {
    fn default() -> Self {
        Self {
            at_once_max: 1_024,
            tunnels_max: 4_096,
            connect_timeout: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(10),
            silence_max: Duration::from_secs(120),
        }
    }
}

struct Others {
    elsewhere: Arc<dyn Elsewhere>,
    connections: PeerConnections,
    places: Arc<Semaphore>,
    tunnels: Arc<Semaphore>,
    limits: PassOnLimits,
}

/// What has become of a request.
#[derive(Debug)]
pub enum Passed {
    /// It is for this server.
    Here(Request),
    /// Another server has answered it.
    Answered(Response),
}

impl PassOn {
    /// Passes on to these servers, within the default bounds.
    pub fn to(elsewhere: Arc<dyn Elsewhere>) -> Self {
        Self::within(elsewhere, PassOnLimits::default())
    }

    /// Passes on to these servers, within other bounds.
    pub fn within(elsewhere: Arc<dyn Elsewhere>, limits: PassOnLimits) -> Self {
        let connections = PeerConnections::new(Arc::clone(&elsewhere), limits.connect_timeout, limits.answer_timeout);
        Self(Some(Arc::new(Others {
            elsewhere,
            connections,
            places: Arc::new(Semaphore::new(limits.at_once_max.min(Semaphore::MAX_PERMITS))),
            tunnels: Arc::new(Semaphore::new(limits.tunnels_max.min(Semaphore::MAX_PERMITS))),
            limits,
        })))
    }

    /// The name by which clients are to say that their session is at this server; `None` where they need not.
    pub fn me(&self) -> Option<ServerName> {
        self.0.as_ref()?.elsewhere.me()
    }

    /// Gives back a request that is for this server, or for none that it names; passes on any other. `at` is the server that it names, as
    /// [`ServerName::said`] or the transport's own way of saying it has it.
    ///
    /// What was passed on already is not passed on again. Where the one who waits for this is gone, the other server is told so by the end
    /// of the connection.
    ///
    /// # Errors
    /// Where the server that it names does not answer, is not known, or is none: to be told as what may pass.
    pub async fn take(&self, at: Option<&str>, request: Request) -> Result<Passed, NotPassedOn> {
        let (Some(others), Some(at)) = (&self.0, at) else { return Ok(Passed::Here(request)) };
        let name: ServerName = at.parse().map_err(|_| NotPassedOn::Unreachable)?;
        if others.elsewhere.is_me(&name) {
            return Ok(Passed::Here(request));
        }
        if passed_on::is_passed_on(request.extensions()) {
            return Err(NotPassedOn::Unreachable);
        }
        // Boxed: most requests are for this server, and their tasks would be larger by it.
        Box::pin(others.pass_on(&name, request)).await.map(Passed::Answered)
    }
}

impl Others {
    async fn pass_on(&self, name: &ServerName, mut request: Request) -> Result<Response, NotPassedOn> {
        let upgrade = request.headers().get(UPGRADE).cloned();
        let places = if upgrade.is_some() { &self.tunnels } else { &self.places };
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| NotPassedOn::Crowded)?;
        let client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let mut answer = self.connections.ask(name, outgoing(request, upgrade)).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let server = hyper::upgrade::on(&mut answer);
            // A server that changes the protocol unasked is none of ours.
            let client = client.ok_or(NotPassedOn::Unanswered)?;
            tokio::spawn(tunnel::run(client, server, self.limits.silence_max, place));
            return Ok(answer.map(|_| Body::empty()));
        }
        remove_of_connection(answer.headers_mut());
        Ok(answer.map(|body| Body::new(PeerBody::new(body, self.limits.stall_timeout, place))))
    }
}

impl fmt::Debug for PassOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassOn").field(&self.me()).finish()
    }
}

/// The same request as another server is to see it, in HTTP/1.1.
fn outgoing(request: Request, upgrade: Option<HeaderValue>) -> Request {
    let (mut head, body) = request.into_parts();
    remove_of_connection(&mut head.headers);
    // Whoever asked to be told to go on is: what comes of it is read as it comes.
    head.headers.remove(EXPECT);
    if let Some(protocol) = upgrade {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, protocol);
    }
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).expect("an authority is visible ASCII");
        head.headers.insert(HOST, host);
    }
    // Before HTTP/1.1 it may be left out.
    head.headers.entry(HOST).or_insert(HeaderValue::from_static(""));
    passed_on::mark(&mut head.headers, &head.extensions);
    head.uri = target(&head);
    head.version = Version::HTTP_11;
    head.extensions = Extensions::new();
    Request::from_parts(head, body)
}

/// Path and query as the client sent them: routes that are nested in others see less.
fn target(head: &Parts) -> Uri {
    let uri = head.extensions.get::<OriginalUri>().map_or(&head.uri, |original| &original.0);
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")).into()
}

fn remove_of_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}
