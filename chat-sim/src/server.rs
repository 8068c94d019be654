//! One server from its start to its end: the engine over the world's log, every transport in front of it, connections in memory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use chat_core::{Engine, Log, Moderation, Observer, ObserverEvent, RoomCode, Seq, Stats};
use chat_testkit::logs::FaultyLog;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::archive::Archive;
use crate::backend;
use crate::clock::ServerClock;
use crate::embedder::Embedder;
use crate::fence::Fence;
use crate::ground::Ground;
use crate::links::Node;
use crate::locks::lock;
use crate::network::Lies;
use crate::pipe::{Cable, End, pipe};
use crate::plan::Plan;
use crate::truth::Witness;

/// What the server holds of what a connection does not take yet, at most, as `chat-serve` does.
pub(crate) const HELD_BYTES: usize = 16 << 10;

/// A process that serves.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    router: Router,
    cables: Mutex<Vec<Cable>>,
    down: watch::Sender<bool>,
    clock: Arc<ServerClock>,
    /// Its place among several.
    node: Option<Arc<Node>>,
}

/// What a server publishes while it is up.
struct WhileUp {
    witness: Witness,
    embedder: Arc<Embedder>,
    down: watch::Receiver<bool>,
}

impl Observer for WhileUp {
    fn observe(&self, event: ObserverEvent<'_>) {
        if !*self.down.borrow() {
            self.witness.observe(event);
            self.embedder.watch();
        }
    }
}

/// The names that the host of a world speaks under: none that people have.
pub(crate) const HOST_NAMES: [&str; 2] = ["Host", "Weather"];

impl Server {
    /// Begins to serve, in one of the places that a world has for servers.
    /// Its wall clock is off by so many milliseconds.
    pub(crate) fn start(ground: &Ground, place: usize, seed: u64, off: i64) -> Arc<Self> {
        let (down, is_down) = watch::channel(false);
        let has_log = ground.plan.has_log;
        let node = ground.links.as_ref().map(|links| links.join(place));
        let clock = Arc::new(ServerClock::new(Arc::clone(&ground.clock), off));
        let truth = Arc::clone(&ground.truth);
        let witness = Witness { truth, has_log, server: seed, clock: Arc::clone(&clock), node: node.clone() };
        let embedder = Arc::clone(&ground.embedder);
        let mut builder = Engine::builder()
            .limits(ground.plan.limits_of(place))
            .clock(Arc::clone(&clock) as _)
            .secret(ground.secret)
            .seed(seed)
            .host_names(HOST_NAMES)
            .expect("valid nicks")
            .observer(Arc::new(WhileUp { witness, embedder, down: is_down.clone() }));
        if ground.plan.pairs || ground.plan.embedder.is_some() {
            builder = builder.policy(Arc::clone(&ground.embedder) as _);
        }
        if has_log {
            let fence = Fence::new(ground, is_down.clone(), seed, Arc::clone(&clock), node.clone());
            builder = builder.log(Arc::new(fence)).expect("every server has its own");
        }
        if let Some(node) = &node {
            builder = builder.cluster(Arc::clone(node) as _);
        }
        let engine = builder.build();
        if let Some(backend) = &ground.backend {
            let (backend, transcript) = (Arc::clone(backend), Arc::clone(&ground.transcript));
            tokio::spawn(backend::read(backend, engine.clone(), node.clone(), transcript, is_down));
        }
        let router = transport_ws::routes(engine.clone(), transport_ws::WsConfig::default())
            .merge(transport_sse::routes(engine.clone(), transport_sse::SseConfig::default()))
            .merge(transport_socketio::routes(engine.clone(), transport_socketio::SocketIoConfig::default()));
        Arc::new(Self { engine, router, cables: Mutex::default(), down, clock, node })
    }

    /// A new connection, as its client has it.
    pub(crate) fn dial(&self, plan: &Plan, from: SocketAddr, lies: Option<&Lies>, rng: &mut StdRng) -> (End, Cable) {
        let most = u64::try_from(plan.latency.as_millis()).unwrap_or(0);
        let latency = Duration::from_millis(rng.random_range(0..=most));
        let (client, server, cable) = pipe(rng, plan.capacity, latency, lies);
        cable.freeze(self.is_frozen());
        lock(&self.cables).push(cable.clone());
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(ConnectInfo(from))));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).max_buf_size(HELD_BYTES);
        let connection = http.serve_connection(TokioIo::new(server), service);
        tokio::spawn(async move {
            // A connection that breaks is what this is about.
            let _ = connection.with_upgrades().await;
        });
        (client, cable)
    }

    /// Stands still from now on for this time, and so does its clock, or it runs on.
    pub(crate) fn freeze(self: &Arc<Self>, time: Duration, clock_stands: bool) {
        let Some(node) = &self.node else { return };
        node.freeze(time, clock_stands);
        if clock_stands {
            self.clock.stand_still(time);
        }
        lock(&self.cables).iter().for_each(|cable| cable.freeze(true));
        let (server, node) = (Arc::clone(self), Arc::clone(node));
        tokio::spawn(async move {
            node.awake().await;
            lock(&server.cables).iter().for_each(|cable| cable.freeze(false));
        });
    }

    /// Whether it stands still.
    pub(crate) fn is_frozen(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.is_frozen())
    }

    /// The process is gone from one moment to the next.
    pub(crate) fn crash(&self) -> Stats {
        self.down.send_replace(true);
        if let Some(node) = &self.node {
            node.leave();
        }
        for cable in lock(&self.cables).drain(..) {
            cable.cut();
        }
        self.engine.stats()
    }

    /// Opens every room that the log holds, so that graces run out in rooms to which nobody comes any more.
    pub(crate) async fn sweep(engine: Engine, log: Arc<FaultyLog<Archive>>) {
        for code in log.inner().rooms(None, None, usize::MAX).await.unwrap_or_default() {
            visit(&engine, &code).await;
        }
    }
}

/// Asks for something that changes nothing.
async fn visit(engine: &Engine, room: &RoomCode) {
    // No room has this message: that it says so is enough.
    let _ = engine.moderate(room, Moderation::Redact(Seq(u64::MAX / 2))).await;
}
