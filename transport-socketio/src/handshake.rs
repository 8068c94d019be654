//! The beginning of a connection to the namespace: who may connect, and the session they get or when to ask again.
//!
//! All of it happens before the client is told that it is connected. What it emits right after that finds its handlers in
//! place; a handler registered later would miss it.

use std::fmt::Display;
use std::sync::Arc;

use chat_core::{ClientFrame, CloseReason, ConnectRequest, Engine, Hello, Refusal, Reject, RejectCode, Request};
use chat_serve::{BadCredentials, Shown};
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::{ConnectHandler, ConnectMiddleware};
use socketioxide::socket::Socket;
use socketioxide_core::Value;

use super::config::SocketIoConfig;
use super::engineio_session::EngineIoSession;
use super::fill_source::{Due, TurnedAway};
use super::inbound::Inbound;
use super::link::{AttachedSession, Link, Watch};
use super::packet;
use super::pump;

/// Lets clients in, or not.
#[derive(Clone)]
pub(crate) struct Handshake {
    engine: Engine,
    config: Arc<SocketIoConfig>,
}

/// Says which of socketioxide's handlers is implemented.
pub(crate) struct HandshakeHandlers;

impl Handshake {
    pub(crate) fn new(engine: Engine, config: Arc<SocketIoConfig>) -> Self {
        Self { engine, config }
    }

    async fn admit(&self, socket: &Arc<Socket>, auth: Option<&Value>) -> Result<(), RejectCode> {
        let request = socket.req_parts();
        let auth = match auth {
            None => "{}",
            Some(auth) => auth.as_str().ok_or(RejectCode::BadFrame)?,
        };
        let hello = self.read_hello(auth)?;
        let credentials = match &hello {
            Ok(hello) if hello.token.is_some() && !self.config.credentials.reads_message() => {
                Err(BadCredentials::Unread)
            }
            _ => self.config.credentials.find(request),
        };
        let asked = credentials.map(|shown| {
            let (credentials, shown_in) = Shown::parts(shown);
            ConnectRequest { transport: "socketio", address: self.config.address.find(request), credentials, shown_in }
        });
        let asked = asked.map_err(|bad| Reject::bad_field("token", bad.to_string()));
        let engineio = engineio(socket);
        let link = Arc::new(Link::default());
        let connected = match hello.and_then(|hello| Ok((hello, asked?))) {
            Ok((hello, asked)) => self.engine.connect(asked, hello).await.map_err(|refusal| {
                let Refusal { close, reject, reconnect_after, .. } = refusal;
                (close, reject, reconnect_after)
            }),
            Err(reject) => Err((CloseReason::ProtocolViolation, reject, None)),
        };
        let due = match connected {
            Ok(session) => {
                let ahead_max = self.config.ahead_bytes_max as u64;
                let (sender, link) = (session.sender(), Arc::clone(&link));
                socket.on_fallback(Inbound::new(self.engine.clone(), sender, Arc::clone(&engineio), link, ahead_max));
                Due::Session(session)
            }
            // The stock client stays away for good from a namespace that does not take it: so it is taken, and then its
            // connection breaks. What it emits until then finds no handler. And so it is told which field is wrong, for which a refusal has
            // no room.
            Err((close, reject, reconnect_after)) if close.reconnect() || close == CloseReason::ProtocolViolation => {
                Due::TurnedAway(TurnedAway::new(close, reject, reconnect_after))
            }
            Err((_, reject, _)) => return Err(reject.code),
        };
        socket.on_disconnect(Watch(Arc::clone(&link)));
        engineio.park(AttachedSession { due, link });
        Ok(())
    }

    /// What the auth asks for, or what is wrong with a field of it.
    fn read_hello(&self, auth: &str) -> Result<Result<Hello, Reject>, RejectCode> {
        match packet::read_named("hello", auth, self.engine.limits()) {
            None => Err(RejectCode::BadFrame),
            Some(Err(bad)) => Ok(Err(bad.reject)),
            Some(Ok(ClientFrame { request: Request::Hello(hello), .. })) => Ok(Ok(hello)),
            Some(Ok(_)) => unreachable!("a frame of type hello is a hello"),
        }
    }
}

impl ConnectMiddleware<LocalAdapter, HandshakeHandlers> for Handshake {
    async fn call<'a>(&'a self, socket: Arc<Socket>, auth: &'a Option<Value>) -> Result<(), Box<dyn Display + Send>> {
        // The protocol has room for one string; clients get it as the message of `connect_error`.
        self.admit(&socket, auth.as_ref()).await.map_err(|code| Box::new(code.as_str()) as _)
    }
}

impl ConnectHandler<LocalAdapter, HandshakeHandlers> for Handshake {
    fn call(&self, socket: Arc<Socket>, _: Option<Value>) {
        let engineio = engineio(&socket);
        if let Some(attached) = engineio.unpark() {
            let stall_timeout = self.engine.limits().session.stall_timeout;
            tokio::spawn(pump::run(socket, engineio, attached, stall_timeout, Arc::clone(&self.config)));
        }
    }
}

fn engineio(socket: &Socket) -> Arc<EngineIoSession> {
    let engineio = socket.req_parts().extensions.get::<Arc<EngineIoSession>>();
    Arc::clone(engineio.expect("every session begins at the service, which gives it one"))
}
