//! Servers of one service in memory, and a balancer in front of them that knows nothing of sessions.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use chat_core::Engine;
use chat_serve::{Elsewhere, PassOn, PeerStream, ServeConfig, ServerName, serve_passed_on};
use tokio::io::{AsyncReadExt, duplex};
use tower::ServiceExt;
use transport_sse::{SseConfig, routes};

/// What becomes of a connection to a server.
#[derive(Clone)]
enum Way {
    Served(Router),
    /// It takes part of a request, carries it out or not, and is gone.
    Gone,
}

/// The ways to all servers.
#[derive(Default)]
pub(crate) struct Net {
    ways: Mutex<BTreeMap<String, Way>>,
    dialled: AtomicUsize,
}

/// One server's place among them.
pub(crate) struct Place {
    me: Mutex<ServerName>,
    net: Arc<Net>,
}

impl Net {
    /// A server of this name, to which the others find.
    pub(crate) fn serve(self: &Arc<Self>, me: &str, engine: Engine, config: SseConfig) -> Router {
        let place = Place { me: Mutex::new(me.parse().expect("a name")), net: Arc::clone(self) };
        let pass_on = PassOn::to(Arc::new(place));
        let router = routes(engine, SseConfig { pass_on, ..config });
        self.lock().insert(me.to_owned(), Way::Served(router.clone()));
        router
    }

    /// From now on nobody reaches this server.
    pub(crate) fn lose(&self, name: &str) {
        self.lock().remove(name);
    }

    /// From now on this server takes requests of others, and is gone before it answers.
    pub(crate) fn mute(&self, name: &str) {
        self.lock().insert(name.to_owned(), Way::Gone);
    }

    /// So many connections were made between servers.
    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Way>> {
        self.ways.lock().expect("no test panics with it")
    }
}

#[async_trait]
impl Elsewhere for Place {
    fn me(&self) -> Option<ServerName> {
        Some(self.me.lock().expect("no test panics with it").clone())
    }

    async fn connect(&self, name: &ServerName) -> io::Result<Box<dyn PeerStream>> {
        let way = self.net.lock().get(name.as_str()).cloned().ok_or(ErrorKind::NotFound)?;
        let (near, mut far) = duplex(16 << 10);
        self.net.dialled.fetch_add(1, Ordering::Relaxed);
        match way {
            Way::Served(router) => {
                let config = Arc::new(ServeConfig::default());
                drop(tokio::spawn(serve_passed_on(far, router, config, std::future::pending())));
            }
            Way::Gone => drop(tokio::spawn(async move { far.read_u8().await })),
        }
        Ok(Box::new(near))
    }
}

/// A balancer in front of these servers: `choose` says for each request which of them gets it.
pub(crate) fn balance(
    servers: Vec<Router>,
    choose: impl Fn(&Request<Body>) -> usize + Clone + Send + Sync + 'static,
) -> Router {
    Router::new().fallback(async move |request: Request<Body>| -> Response {
        let server = servers[choose(&request) % servers.len()].clone();
        let answered: Result<_, Infallible> = server.oneshot(request).await;
        let Ok(response) = answered;
        response
    })
}
