//! What the tests with the real engine share: a server in this process, a line to it that can be cut, and chance from a seed.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_client::{Bounds, Client, Error, Message, Options, Room};
use chat_core::wire::{MessageFrame, ServerFrame};
use chat_core::{Command, Engine, Limits, Log, RejectCode};
use chat_serve::{ServeConfig, serve};
use chat_testkit::sockets::listen;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Far longer than anything here takes: what has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server of an engine, on a port of its own, which can go down and come back.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    /// Serves a new engine in which one address may do as much as it likes.
    pub async fn start() -> Self {
        Self::run(Engine::builder().limits(free()).build(), listen()).await
    }

    /// Serves this engine.
    pub async fn of(engine: Engine) -> Self {
        Self::run(engine, listen()).await
    }

    /// The same with rooms that outlive it.
    pub async fn over(log: Arc<dyn Log>, secret: [u8; 32]) -> Self {
        let builder = Engine::builder().limits(free()).secret(secret);
        Self::run(builder.log(log).expect("nobody else has the log").build(), listen()).await
    }

    async fn run(engine: Engine, (listener, address): (TcpListener, SocketAddr)) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let routes = transport_ws::routes(engine.clone(), transport_ws::WsConfig::default());
            let end = async move {
                stopped.await.ok();
                engine.drain(Duration::ZERO).await;
            };
            serve(listener, routes, ServeConfig::default(), end).await;
        });
        Self { address, stop: Some(stop), running }
    }

    /// Goes down in good order.
    pub async fn stop(mut self) {
        self.stop.take().map(|stop| stop.send(()));
        tokio::time::timeout(PATIENCE, self.running).await.expect("it goes down").expect("in good order");
    }
}

/// Bounds of a server that does not mind how much one address asks.
fn free() -> Limits {
    let mut limits = Limits::default();
    (limits.session.send_burst, limits.session.send_per_second) = (1 << 20, 1 << 20);
    (limits.session.command_burst, limits.session.command_per_second) = (1 << 20, 1 << 20);
    let engine = &mut limits.engine;
    (engine.address_session_burst, engine.address_sessions_per_second) = (1 << 20, 1 << 20);
    (engine.address_send_burst, engine.address_sends_per_second) = (1 << 20, 1 << 20);
    (engine.address_said_bytes_burst, engine.address_said_bytes_per_second) = (1 << 30, 1 << 30);
    (engine.address_answered_bytes_burst, engine.address_answered_bytes_per_second) = (1 << 30, 1 << 30);
    (engine.rooms_per_address_max, engine.connections_per_address_max) = (1 << 20, 1 << 20);
    limits.room.lost_linger = Duration::from_secs(600);
    limits
}

/// A line in front of a server, which can be cut.
pub struct Line {
    pub address: SocketAddr,
    leads_to: Arc<Mutex<SocketAddr>>,
    pairs: Arc<Mutex<Vec<JoinHandle<()>>>>,
    accepting: JoinHandle<()>,
}

impl Line {
    pub async fn to(server: SocketAddr) -> Self {
        let (listener, address) = listen();
        let pairs: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let kept = Arc::clone(&pairs);
        let leads_to = Arc::new(Mutex::new(server));
        let target = Arc::clone(&leads_to);
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let server = *target.lock().expect("nobody panicked");
                let carrying = tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        let _ = (near.set_nodelay(true), far.set_nodelay(true));
                        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                    }
                });
                let mut pairs = kept.lock().expect("nobody panicked");
                pairs.retain(|pair| !pair.is_finished());
                pairs.push(carrying);
            }
        });
        Self { address, leads_to, pairs, accepting }
    }

    /// Leads to this server from now on.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.leads_to.lock().expect("nobody panicked") = server;
    }

    /// Ends every connection that there is, wherever its bytes are; and says how many that were.
    pub fn cut(&self) -> usize {
        let mut cut = 0;
        for pair in self.pairs.lock().expect("nobody panicked").drain(..) {
            cut += usize::from(!pair.is_finished());
            pair.abort();
        }
        cut
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// A client that comes back at once.
pub fn client(address: SocketAddr, change: impl FnOnce(&mut Bounds)) -> Client {
    let mut bounds = Bounds::default();
    bounds.backoff_max = Duration::from_millis(5);
    change(&mut bounds);
    Client::connect(&format!("http://{address}"), Options::new().with_bounds(bounds)).expect("a URL")
}

/// Numbers from a seed (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// The whole log of a room, as its histories show it now: asked for page by page, past the store.
pub async fn log_of(room: &Room) -> Vec<MessageFrame> {
    let mut all: Vec<MessageFrame> = Vec::new();
    loop {
        let before = all.first().map(|first| first.seq);
        let page = room.command(|code| Command::history(code).with_before(before).with_limit(200)).await;
        let Ok(ServerFrame::History { messages, more_before, .. }) = page else { panic!("{page:?}") };
        all.splice(0..0, messages.iter().map(|message| message.frame().clone()));
        if !more_before {
            return all;
        }
    }
}

/// Messages that are held, as they are.
pub fn held(messages: &[Message]) -> Vec<MessageFrame> {
    messages.iter().map(|message| (**message).clone()).collect()
}

/// What may become of an edit or redaction whose message was taken back meanwhile, or whose answer was lost.
pub fn allowed(error: &Error) -> bool {
    let codes = [RejectCode::MessageNotFound, RejectCode::Unavailable, RejectCode::Draining];
    *error == Error::Disconnected || error.code().is_some_and(|code| codes.contains(&code))
}
