//! Long-polling beside WebSocket, where a balancer sends every request of a session to a server at which it is not.

mod harness;
#[path = "../../chat-serve/tests/several/mod.rs"]
mod several;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::Request;
use chat_core::Engine;
use chat_testkit::contract::transport::{Resume, TransportHarness};
use harness::{Polling, SocketIo};
use several::{Net, balance};
use transport_socketio::{SocketIoConfig, routes};

/// Sessions begin at one server, and all else that they ask reaches another, whose engine has nothing to do with them.
struct Elsewhere(Polling);

#[async_trait]
impl TransportHarness for Elsewhere {
    type Client = <Polling as TransportHarness>::Client;

    async fn open(engine: Engine) -> Self {
        let net = Arc::new(Net::default());
        let join =
            |me, engine| net.join(me, |pass_on| routes(engine, SocketIoConfig { pass_on, ..Default::default() }));
        let servers = vec![join("right", engine), join("wrong", Engine::builder().build())];
        let is_of_session = |request: &Request| request.uri().query().is_some_and(|query| query.contains("&sid="));
        Self(Polling(harness::serve(balance(servers, move |request| usize::from(is_of_session(request))))))
    }

    async fn connect(&self, resume: Option<Resume>) -> Self::Client {
        self.0.connect(resume).await
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<Self::Client> {
        self.0.connect_showing(resume, token).await
    }
}

mod websocket_then_polling {
    use super::{Elsewhere, SocketIo};

    chat_testkit::transport_pair_contract!(SocketIo, Elsewhere);
}

mod polling_then_websocket {
    use super::{Elsewhere, SocketIo};

    chat_testkit::transport_pair_contract!(Elsewhere, SocketIo);
}
