//! What every transport must do, where a balancer sends every command to a server at which the session is not.

mod harness;
#[path = "../../chat-serve/tests/several/mod.rs"]
mod several;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::http::Method;
use chat_core::Engine;
use chat_serve::ServeConfig;
use chat_testkit::sockets::dial;
use harness::{Carrier, EventSource};
use several::{Net, balance};
use tokio::net::TcpStream;
use transport_sse::{SseConfig, routes};

/// Streams are at one server, and every command reaches another, whose engine has nothing to do with it.
struct Elsewhere;

#[async_trait]
impl Carrier for Elsewhere {
    type Stream = TcpStream;

    fn new() -> (Self, ServeConfig) {
        (Self, ServeConfig::default())
    }

    fn router(engine: Engine) -> Router {
        let net = Arc::new(Net::default());
        let right = net.join("right", |pass_on| routes(engine, SseConfig { pass_on, ..SseConfig::default() }));
        let other = Engine::builder().build();
        let wrong = net.join("wrong", |pass_on| routes(other, SseConfig { pass_on, ..SseConfig::default() }));
        balance(vec![right, wrong], |request| usize::from(request.method() == Method::POST))
    }

    async fn dial(&self, address: SocketAddr) -> TcpStream {
        dial(address).await
    }
}

chat_testkit::transport_contract!(EventSource<Elsewhere>);
