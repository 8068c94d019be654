//! Requests of Engine.IO before socketioxide sees them: each session gets an `EngineIoSession`, each WebSocket a `CountingIo`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{self, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chat_core::Engine;
use chat_serve::{Crowded, NotPassedOn, Passed, Places, within};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use socketioxide::handler::ConnectHandler;
use socketioxide::{ParserConfig, SocketIo, TransportType};
use socketioxide_core::Sid;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tower_service::Service;

use super::config::{SocketIoConfig, Transports};
use super::counting_io::CountingIo;
use super::engineio_session::{EngineIoSession, EngineIoSessions};
use super::handshake::Handshake;
use super::head;
use super::keepalive;
use super::probe::{self, Replayed};
use super::pump;
use super::sid_at;

/// Of a client's bytes, how many make a message or a poll's body too long to go on: so many times the longest frame.
const MESSAGE_FRAMES_MAX: usize = 4;
/// Attachments of one event. 8: none is of use, but a client that sends one is told so.
const ATTACHMENTS_MAX: usize = 8;
/// Bytes of the answer that opens a session; a sid, and a few numbers.
const OPEN_BYTES_MAX: usize = 4 << 10;

struct EngineIoService {
    engine: Engine,
    engineio_sessions: Arc<EngineIoSessions>,
    config: Arc<SocketIoConfig>,
}

/// The routes of this transport, `/socket.io/` unless the configuration says otherwise; for a router with any state, merged or nested. Under
/// a prefix, stock clients are told the whole path: `io({ path: "/chat/socket.io/" })`.
///
/// Serve them with a loop that allows HTTP/1.1 upgrades. Tasks of connections outlive the server that accepted them: end
/// them with [`Engine::drain`].
///
/// A client's address is in [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), which `chat_serve::serve` puts into each request, and
/// `axum::serve` where it is given `into_make_service_with_connect_info::<SocketAddr>()`. Without it clients are served as well, and none
/// has an address: nothing bounds how many come from one, and a policy sees `None`.
///
/// # Panics
/// Where the configuration's path is the root, or one of its listed origins cannot be one. Where cookies are credentials and any page may
/// connect: see [`Credentials`](chat_serve::Credentials).
pub fn routes<S>(engine: Engine, mut config: SocketIoConfig) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let path = config.path.trim_end_matches('/').to_owned();
    assert!(path.starts_with('/'), "the path of the routes is not the root");
    let cors = config.credentials.cors(&config.origins);
    config.credentials = config.credentials.where_read(engine.reads_credentials());
    let service = Arc::new(EngineIoService::new(engine, config, path.clone()));
    let router = Router::new().route(&path, any(serve)).route(&format!("{path}/"), any(serve)).with_state(service);
    match cors {
        Some(layer) => router.route_layer(layer),
        None => router,
    }
}

impl EngineIoService {
    fn new(engine: Engine, config: SocketIoConfig, path: String) -> Self {
        let frame_bytes_max = engine.limits().session.frame_bytes_max;
        let message_bytes_max = frame_bytes_max * MESSAGE_FRAMES_MAX;
        let parser = ParserConfig::common()
            .max_incoming_binaries(ATTACHMENTS_MAX)
            .max_incoming_binary_buf_size(frame_bytes_max)
            .packet_completion_timeout(config.connect_timeout);
        let builder = SocketIo::builder()
            .req_path(path.clone())
            .with_parser(parser)
            .connect_timeout(config.connect_timeout)
            .upgrade_timeout(config.upgrade_timeout)
            .ping_interval(config.ping_interval)
            .ping_timeout(Duration::from_millis(keepalive::PONG_MS))
            .max_buffer_size(pump::queue_packets(&config))
            .max_payload(message_bytes_max as u64)
            .ws_max_message_size(message_bytes_max)
            .ws_max_frame_size(message_bytes_max);
        let builder = match config.transports {
            Transports::All => builder.transports([TransportType::Polling, TransportType::Websocket]),
            Transports::WebSocket => builder.transports([TransportType::Websocket]),
        };
        let (service, io) = builder.build_with_inner_svc(Router::new());
        let places = Places::new(config.connections_max, config.connections_per_address_max);
        let engineio_sessions = Arc::new(EngineIoSessions::new(service, path, places));
        let config = Arc::new(config);
        let handshake = Handshake::new(engine.clone(), Arc::clone(&config));
        io.ns("/", handshake.clone().with(handshake));
        Self { engine, engineio_sessions, config }
    }

    /// The entry of a session that begins; an answer where none may.
    fn open(&self, request: &Parts) -> Result<Arc<EngineIoSession>, Busy> {
        if self.engine.is_draining() {
            return Err(Busy(
                "the server is going down
",
            ));
        }
        let opened = self.engineio_sessions.open(self.config.address.find(request));
        opened.map_err(|crowded| match crowded {
            Crowded::Server => Busy(
                "the server has as many connections as it may
",
            ),
            Crowded::Address => Busy(
                "the server has as many connections of this address as it may
",
            ),
        })
    }

    async fn pass(&self, request: Request) -> Response {
        let Ok(answer) = Service::<Request>::call(&mut self.engineio_sessions.service.clone(), request).await;
        answer.map(Body::new)
    }

    /// Begins a session that long-polls. It may go over to a WebSocket before it has said anything, so its entry is to be found
    /// under its name from the start.
    async fn begin(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let engineio = match self.open(&head) {
            Ok(engineio) => engineio,
            Err(busy) => return busy.into_response(),
        };
        let mut request = Request::from_parts(head::detach(head), body);
        request.extensions_mut().insert(Arc::clone(&engineio));
        let (mut head, body) = self.pass(request).await.into_parts();
        let body = to_bytes(body, OPEN_BYTES_MAX).await.expect("the body is in memory, and short");
        let mut body = Vec::from(body);
        if head.status.is_success() {
            let sid = opened(&body).expect("a session is opened with its sid");
            self.engineio_sessions.name(&engineio, sid);
            if let Some(me) = self.config.pass_on.me() {
                body = sid_at::put(&body, sid, &me);
                head.headers.insert(CONTENT_LENGTH, body.len().into());
            }
        }
        keepalive::announce(&mut body, self.config.ping_timeout);
        Response::from_parts(head, Body::from(body))
    }

    /// Hands in what a client says by POST: a sign of life, whatever it says. What came of a body that takes too long is done, and the
    /// session goes on.
    async fn post(&self, request: Request, sid: Sid) -> Response {
        if let Some(engineio) = self.engineio_sessions.find(sid) {
            engineio.note_heard();
        }
        match within(self.config.body_timeout, self.pass(request)).await {
            Some(answer) => answer,
            None => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n").into_response(),
        }
    }

    /// Answers a poll: its session takes what the answer holds. One that waits while the client is about to go over to a WebSocket brings
    /// nothing: the client goes over once it has been answered.
    async fn poll(&self, request: Request, sid: Sid) -> Response {
        let Some(engineio) = self.engineio_sessions.find(sid) else { return self.pass(request).await };
        engineio.note_heard();
        let answer = tokio::select! {
            biased;
            answer = self.pass(request) => answer,
            () = engineio.until_polls_end() => return nothing(),
        };
        if answer.status().is_success() {
            let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            engineio.note_taken(length.unwrap_or(0));
        }
        answer
    }

    /// A WebSocket beside the polls of a session, to which it may go over.
    fn probe(&self, mut request: Request, sid: Sid) -> Response {
        let Ok(response) = create_response_with_body(&request, Body::empty) else { return Fault::Request.answer() };
        let Some(engineio) = self.engineio_sessions.find(sid) else { return Fault::Session.answer() };
        let Some(mut probe) = engineio.probe() else { return Fault::Request.answer() };
        let upgrading = hyper::upgrade::on(&mut request);
        let head = head::detach(request.into_parts().0);
        let mut service = self.engineio_sessions.service.clone();
        let (stall_timeout, upgrade_timeout) =
            (self.engine.limits().session.stall_timeout, self.config.upgrade_timeout);
        tokio::spawn(async move {
            let Ok(upgraded) = upgrading.await else { return };
            let answered = within(upgrade_timeout, probe::answer(TokioIo::new(upgraded), &mut probe)).await;
            // A WebSocket that has died or stayed mute costs the session nothing.
            let Some(Some(stream)) = answered else { return };
            let Some(engineio) = probe.take_over() else { return };
            let Some(stream) = stream.map(|stream| CountingIo::new(stream, engineio, stall_timeout)) else { return };
            let request = http::Request::from_parts(head, ());
            // It was looked at before it was answered; what socketioxide does not like it drops.
            let _ = Service::<(Replayed<_>, http::Request<()>)>::call(&mut service, (stream, request)).await;
        });
        response
    }

    /// Begins a session on a WebSocket.
    fn upgrade(&self, mut request: Request) -> Response {
        let Ok(response) = create_response_with_body(&request, Body::empty) else { return Fault::Request.answer() };
        let upgrading = hyper::upgrade::on(&mut request);
        let head = request.into_parts().0;
        let engineio = match self.open(&head) {
            Ok(engineio) => engineio,
            Err(busy) => return busy.into_response(),
        };
        let mut head = head::detach(head);
        head.extensions.insert(Arc::clone(&engineio));
        let mut service = self.engineio_sessions.service.clone();
        let (stall_timeout, ping_timeout) = (self.engine.limits().session.stall_timeout, self.config.ping_timeout);
        tokio::spawn(async move {
            // A client that goes away before the answer has reached it has lost nothing yet.
            let Ok(upgraded) = upgrading.await else { return };
            let Some(mut counting) = CountingIo::new(TokioIo::new(upgraded), engineio, stall_timeout) else { return };
            counting.announce(ping_timeout);
            let request = http::Request::from_parts(head, ());
            // It was looked at before it was answered; what socketioxide does not like it drops.
            let _ = Service::<(CountingIo<_>, http::Request<()>)>::call(&mut service, (counting, request)).await;
        });
        response
    }
}

async fn serve(State(service): State<Arc<EngineIoService>>, request: Request) -> Response {
    let mut answer = answer(&service, request).await;
    // A poll may hold a session's token, and the answer that opens a session its name: no cache may keep them.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn answer(service: &EngineIoService, request: Request) -> Response {
    // Before anything is done for it, whatever it asks; also in the name of a session that there is.
    if !service.config.origins.allow(&request, &service.config.proxies) {
        return Fault::Forbidden.answer();
    }
    let asked = match EngineIoRequest::read(&request) {
        Ok(asked) => asked,
        Err(fault) => return fault.answer(),
    };
    let request = match service.config.pass_on.take(asked.at.as_deref(), request).await {
        Ok(Passed::Here(request)) => sid_at::take_off(request),
        Ok(Passed::Answered(answer)) => return answer,
        Err(error) => return not_passed_on(error),
    };
    match (asked.transport, asked.sid, request.method()) {
        (TransportType::Websocket, None, &Method::GET) => service.upgrade(request),
        (TransportType::Websocket, Some(sid), &Method::GET) => service.probe(request, sid),
        (TransportType::Polling, None, &Method::GET) => service.begin(request).await,
        (TransportType::Polling, Some(sid), &Method::GET) => service.poll(request, sid).await,
        (TransportType::Polling, Some(sid), &Method::POST) => service.post(request, sid).await,
        _ => Fault::Method.answer(),
    }
}

/// The answer to a poll that brings nothing.
fn nothing() -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=UTF-8")], "6").into_response()
}

/// Never that the session is unknown, as it is not. A stock client that polls comes again with another Engine.IO session, and one that was
/// about to go over to a WebSocket goes on polling.
fn not_passed_on(error: NotPassedOn) -> Response {
    let retry_after = [(RETRY_AFTER, NotPassedOn::RETRY_AFTER.as_secs().into())] as [(_, HeaderValue); 1];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, format!("{error}\n")).into_response()
}

/// Why no session may begin right now. Clients come back by themselves from a request that fails, but not from a refusal.
struct Busy(&'static str);

impl IntoResponse for Busy {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.0).into_response()
    }
}

/// What a request asks for, read as socketioxide reads it: the first of each name counts.
struct EngineIoRequest {
    transport: TransportType,
    sid: Option<Sid>,
    /// The server at which the session is, where its sid says so.
    at: Option<String>,
}

impl EngineIoRequest {
    fn read(request: &Request) -> Result<Self, Fault> {
        let query = request.uri().query().unwrap_or_default();
        let find = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        if find("EIO") != Some("4") {
            return Err(Fault::Version);
        }
        let transport = find("transport").and_then(|name| name.parse().ok()).ok_or(Fault::Transport)?;
        let (sid, at) = find("sid").map(sid_at::split).unzip();
        let sid = sid.map(|sid| sid.parse().map_err(|_| Fault::Session)).transpose()?;
        Ok(Self { transport, sid, at: at.flatten().map(str::to_owned) })
    }
}

/// The sid in the packet that opens a session.
fn opened(body: &[u8]) -> Option<Sid> {
    #[derive(Deserialize)]
    struct Open<'a> {
        sid: &'a str,
    }
    let open: Open<'_> = serde_json::from_slice(body.strip_prefix(b"0")?).ok()?;
    open.sid.parse().ok()
}

/// A request that is none of Engine.IO, in the protocol's own numbers.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Transport,
    Session,
    Method,
    Request,
    Forbidden,
    Version,
}

impl Fault {
    fn answer(self) -> Response {
        let (code, message) = match self {
            Self::Transport => (0, "Transport unknown"),
            Self::Session => (1, "Session ID unknown"),
            Self::Method => (2, "Bad handshake method"),
            Self::Request => (3, "Bad request"),
            Self::Forbidden => (4, "Forbidden"),
            Self::Version => (5, "Unsupported protocol version"),
        };
        let json = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        let status = match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, [(CONTENT_TYPE, "application/json")], json).into_response()
    }
}
