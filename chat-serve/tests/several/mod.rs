//! Servers of one service in memory with a way to each other, and a balancer in front of them that knows nothing of sessions.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use chat_serve::{Elsewhere, PassOn, PassOnLimits, PeerStream, ServeConfig, ServerName, serve_passed_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tower_service::Service;

/// What is at the other end of a connection to a server.
#[derive(Clone)]
pub(crate) enum Way {
    /// A server with this router.
    Router(Router),
    /// Nobody ever takes the connection.
    Mute,
    /// Who takes some of a request, says these words, and closes the connection.
    Says(&'static str),
    /// The same, but the connection lasts.
    SaysAndStays(&'static str),
}

/// The ways to all servers.
#[derive(Default)]
pub(crate) struct Net {
    ways: Mutex<BTreeMap<String, Way>>,
    dialled: AtomicUsize,
    cut: Notify,
}

/// One server's place among them.
struct Place {
    me: &'static str,
    former: Option<&'static str>,
    net: Arc<Net>,
}

impl Net {
    /// A server of this name, to which the others find, with the routes that `make` makes of its way to them.
    pub(crate) fn join(self: &Arc<Self>, me: &'static str, make: impl FnOnce(PassOn) -> Router) -> Router {
        self.join_as(me, None, PassOnLimits::default(), make)
    }

    /// The same, also under a name that it had before, and within other bounds.
    pub(crate) fn join_as(
        self: &Arc<Self>,
        me: &'static str,
        former: Option<&'static str>,
        limits: PassOnLimits,
        make: impl FnOnce(PassOn) -> Router,
    ) -> Router {
        let place = Place { me, former, net: Arc::clone(self) };
        let router = make(PassOn::within(Arc::new(place), limits));
        self.set(me, Way::Router(router.clone()));
        router
    }

    /// From now on this is what is found under a name.
    pub(crate) fn set(&self, name: &str, way: Way) {
        self.ways.lock().expect("no test panics with it").insert(name.to_owned(), way);
    }

    /// From now on nobody finds a server of this name.
    pub(crate) fn lose(&self, name: &str) {
        self.ways.lock().expect("no test panics with it").remove(name);
    }

    /// The connections between servers that are there end, in order.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// So many connections were made between servers.
    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Elsewhere for Place {
    fn me(&self) -> Option<ServerName> {
        Some(self.me.parse().expect("a name"))
    }

    fn is_me(&self, name: &ServerName) -> bool {
        [Some(self.me), self.former].contains(&Some(name.as_str()))
    }

    async fn connect(&self, name: &ServerName) -> io::Result<Box<dyn PeerStream>> {
        let way = self.net.ways.lock().expect("no test panics with it").get(name.as_str()).cloned();
        let way = way.ok_or(ErrorKind::NotFound)?;
        self.net.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, far) = duplex(16 << 10);
        let net = Arc::clone(&self.net);
        match way {
            Way::Router(router) => drop(tokio::spawn(async move {
                serve_passed_on(far, router, Arc::new(ServeConfig::default()), net.cut.notified()).await;
            })),
            Way::Mute => std::future::pending().await,
            Way::Says(words) => drop(tokio::spawn(say(far, words))),
            Way::SaysAndStays(words) => drop(tokio::spawn(async move {
                let _stays = say(far, words).await;
                std::future::pending::<()>().await;
            })),
        }
        Ok(Box::new(near))
    }
}

async fn say(mut far: DuplexStream, words: &str) -> DuplexStream {
    far.read_u8().await.expect("a request");
    far.write_all(words.as_bytes()).await.expect("room");
    far
}

/// Asks a router, behind any loop.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> Response {
    let answered: Result<_, Infallible> = router.clone().call(request).await;
    let Ok(response) = answered;
    response
}

/// A balancer in front of these servers: `choose` says for each request which of them gets it.
pub(crate) fn balance(
    servers: Vec<Router>,
    choose: impl Fn(&Request<Body>) -> usize + Clone + Send + Sync + 'static,
) -> Router {
    Router::new().fallback(async move |request: Request<Body>| {
        let server = choose(&request) % servers.len();
        call(&servers[server], request).await
    })
}
