//! Servers of one service in memory, each with a router that says what it has been asked, and a way to each other.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chat_serve::{Elsewhere, PassOn, PassOnLimits, Passed, PeerStream, ServeConfig, ServerName, serve_passed_on};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tower_service::Service;

/// How another server is reached.
#[derive(Clone)]
pub(crate) enum Way {
    /// A server with this router.
    Router(Router),
    /// Nobody ever takes the connection.
    Mute,
    /// It takes so many bytes of a request, says these, and closes the connection.
    Says(usize, &'static str),
    /// It takes the request and says this; the connection lasts.
    SaysAndStays(&'static str),
}

#[derive(Default)]
pub(crate) struct Net {
    ways: Mutex<HashMap<String, Way>>,
    /// Connections made.
    pub(crate) dialled: AtomicUsize,
    /// Ends those that are there.
    pub(crate) cut: Notify,
}

/// One server's place.
pub(crate) struct Place {
    me: &'static str,
    former: Option<&'static str>,
    net: Arc<Net>,
}

#[async_trait]
impl Elsewhere for Place {
    fn me(&self) -> Option<ServerName> {
        Some(name(self.me))
    }

    fn is_me(&self, name: &ServerName) -> bool {
        [Some(self.me), self.former].contains(&Some(name.as_str()))
    }

    async fn connect(&self, name: &ServerName) -> io::Result<Box<dyn PeerStream>> {
        let way = self.net.ways.lock().expect("unharmed").get(name.as_str()).cloned();
        let way = way.ok_or(ErrorKind::NotFound)?;
        self.net.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, far) = duplex(16 << 10);
        let net = Arc::clone(&self.net);
        match way {
            Way::Router(router) => {
                let config = Arc::new(ServeConfig::default());
                tokio::spawn(async move {
                    let cut = net.cut.notified();
                    serve_passed_on(far, router, config, cut).await;
                });
            }
            Way::Mute => std::future::pending().await,
            Way::Says(bytes, words) => drop(tokio::spawn(say(far, bytes, words))),
            Way::SaysAndStays(words) => drop(tokio::spawn(async move {
                let _lasts = say(far, 1, words).await;
                std::future::pending::<()>().await;
            })),
        }
        Ok(Box::new(near))
    }
}

async fn say(mut far: DuplexStream, bytes: usize, words: &str) -> DuplexStream {
    far.read_exact(&mut vec![0; bytes]).await.expect("a request");
    tokio::io::AsyncWriteExt::write_all(&mut far, words.as_bytes()).await.expect("room");
    far
}

pub(crate) fn name(text: &str) -> ServerName {
    text.parse().expect("a name")
}

impl Net {
    pub(crate) fn set(&self, at: &str, way: Way) {
        self.ways.lock().expect("unharmed").insert(at.to_owned(), way);
    }

    /// A server of this name, to which the others find, and its router.
    pub(crate) fn join(self: &Arc<Self>, me: &'static str) -> Router {
        self.join_as(me, None, PassOnLimits::default())
    }

    pub(crate) fn join_as(
        self: &Arc<Self>,
        me: &'static str,
        former: Option<&'static str>,
        limits: PassOnLimits,
    ) -> Router {
        let pass_on = PassOn::within(Arc::new(Place { me, former, net: Arc::clone(self) }), limits);
        let routes = Router::new().route("/{*rest}", any(answer)).with_state((me, pass_on));
        let router = Router::new().nest("/deep", routes.clone()).merge(routes);
        self.set(me, Way::Router(router.clone()));
        router
    }
}

async fn answer(State((me, pass_on)): State<(&'static str, PassOn)>, request: Request) -> Response {
    let at = ServerName::said(&request).map(str::to_owned);
    match pass_on.take(at.as_deref(), request).await {
        Ok(Passed::Here(request)) => here(me, request).await,
        Ok(Passed::Answered(response)) => response,
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error:?}")).into_response(),
    }
}

/// Says who answers, where the request came from, and what it asks; or changes the protocol to one that says everything back.
async fn here(me: &str, mut request: Request) -> Response {
    if request.headers().contains_key("upgrade") {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let stream = hyper_util::rt::TokioIo::new(upgraded.await.expect("upgraded"));
            let (mut read, mut write) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        return (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")]).into_response();
    }
    let (head, body) = request.into_parts();
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map_or("nowhere".to_owned(), |peer| peer.0.to_string());
    let mut headers: Vec<_> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.sort_unstable();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let body = String::from_utf8(body.into()).expect("text");
    let text = format!("{me} {peer} {} {} [{}] {body}", head.method, head.uri, headers.join(" "));
    (StatusCode::CREATED, [("x-answer", "as it is")], text).into_response()
}

/// Asks a router as a client at 192.0.2.1 would, behind any loop.
pub(crate) async fn ask(router: &Router, request: axum::http::request::Builder, body: impl Into<Body>) -> Response {
    let peer = SocketAddr::from(([192, 0, 2, 1], 1234));
    let request = request.extension(ConnectInfo(peer)).body(body.into()).expect("a request");
    let answered: Result<_, Infallible> = router.clone().call(request).await;
    let Ok(response) = answered;
    response
}

pub(crate) async fn text(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, String::from_utf8(body.into()).expect("text"))
}
