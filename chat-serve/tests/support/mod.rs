//! A server on a free port, and connections to it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use chat_serve::{ServeConfig, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<()>,
}

pub(crate) async fn start(router: Router, config: ServeConfig) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (shutdown, asked) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, router, config, async {
        let _ = asked.await;
    }));
    Server { address, shutdown, ended }
}

pub(crate) fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

pub(crate) async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("the server accepts")
}
