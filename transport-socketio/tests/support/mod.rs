//! A server on a real socket, and small Socket.IO clients that speak its packets by hand.

#![allow(dead_code, unreachable_pub, missing_docs, unused_imports, reason = "each test file uses its part")]

pub mod pipes;
pub mod wire;

use std::net::SocketAddr;

use chat_core::{Engine, Limits};
use chat_testkit::sockets::listen;
use transport_socketio::{SocketIoConfig, routes};

pub use wire::{Client, Packet, Poll, Refused, Wire, Ws, upgrade};

pub struct Server {
    pub engine: Engine,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(engine: Engine, config: SocketIoConfig) -> Self {
        let (listener, address) = listen();
        let router = routes(engine.clone(), config);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { engine, address }
    }

    pub fn plain() -> Self {
        Self::start(Engine::builder().limits(limits()).build(), SocketIoConfig::default())
    }
}

/// Without the bounds that a test would run into at once.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.session.commands_in_flight_max = 4_096;
    limits.room.inbox_max = 16_384;
    limits
}
