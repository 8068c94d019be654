//! An engine with every transport, somebody inside who must not notice what comes in, and connections in memory.

use std::sync::Arc;

use axum::Router;
use chat_core::{Body, Command, ConnectRequest, Connection, Engine, Hello, Limits, Nick, RoomCode, ServerFrame};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Duration, sleep, timeout};

use super::protocol_checker::ProtocolChecker;

/// Bytes that a connection holds in each direction.
const CAPACITY: usize = 1 << 16;
/// Longer than any server waits for anything.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct TestServer {
    engine: Engine,
    router: Router,
    /// Held by every connection that is served.
    serving: Arc<()>,
    ann: Connection,
    /// A client whose credentials may be used.
    pub(super) client: Connection,
}

impl TestServer {
    /// A frame may have 512 bytes, so that few bytes reach all bounds of length.
    pub(super) async fn open() -> Self {
        let mut limits = Limits::default();
        limits.session.frame_bytes_max = 512;
        limits.room.message_chars_max = 100;
        let engine = Engine::builder().limits(limits).secret([7; 32]).seed(1).build();
        let router = transport_ws::routes(engine.clone(), transport_ws::WsConfig::default())
            .merge(transport_sse::routes(engine.clone(), transport_sse::SseConfig::default()))
            .merge(transport_socketio::routes(engine.clone(), transport_socketio::SocketIoConfig::default()));
        let connect = || engine.connect(ConnectRequest::default(), Hello::default());
        let ann = connect().await.expect("everybody is let in");
        ann.call(Command::create(nick("Ann")).with_room(lobby())).await.expect("nobody has the name");
        let client = connect().await.expect("everybody is let in");
        let join = Command::join(lobby(), nick("Guest"));
        client.call(join).await.expect("the room is open");
        Self { engine, router, serving: Arc::default(), ann, client }
    }

    /// A new connection, as its client has it.
    pub(super) fn dial(&self) -> DuplexStream {
        let (client, server) = duplex(CAPACITY);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(server), service);
        let serving = Arc::clone(&self.serving);
        tokio::spawn(async move {
            let _serving = serving;
            // A connection that breaks is what this is about.
            let _ = connection.with_upgrades().await;
        });
        client
    }

    /// Sends everything in pieces of at most `piece` bytes, ends, and returns all that came back until the server ended too. What is sent
    /// behind a request hides the end from a server that still answers, as hyper reads no further then: that client goes altogether.
    ///
    /// # Panics
    /// When the server never ends.
    pub(super) async fn exchange(&self, bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut from, mut to) = split(self.dial());
        let said = async {
            for piece in bytes.chunks(piece.max(1)) {
                if to.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            // Answers come without time passing; after this nothing but heartbeats is to come.
            sleep(Duration::from_secs(1)).await;
            let _ = to.shutdown().await;
        };
        let mut heard = Vec::new();
        let both = async { tokio::join!(said, from.read_to_end(&mut heard)).1 };
        // A reset is an end like any other.
        if timeout(PATIENCE, both).await.is_err() {
            drop((from, to));
            sleep(PATIENCE).await;
            assert_eq!(Arc::strong_count(&self.serving), 1, "the server ends when its client has gone");
        }
        heard
    }

    /// Whatever came in: who was inside is inside, misses nothing, and is heard.
    ///
    /// # Panics
    /// When not.
    pub(super) async fn check(self) {
        let text = Body::parse("still here", 100).expect("a valid text");
        let said = self.ann.call(Command::send(lobby(), text)).await;
        let Ok(ServerFrame::Ack { seq, .. }) = said else { panic!("the owner may speak: {said:?}") };
        let mut checker = ProtocolChecker::default();
        let mut is_heard = false;
        while let Some(frame) = self.ann.peek() {
            self.ann.commit(frame.mark);
            if let ServerFrame::Message(message) = checker.hear(&frame.json) {
                is_heard |= message.seq == seq && message.text == "still here";
            }
        }
        assert!(is_heard, "one's own message comes back");
        assert_eq!(self.engine.stats().gaps_unblocked, 0, "who took everything misses nothing");
    }
}

fn lobby() -> RoomCode {
    RoomCode::parse("LOBBY").expect("a valid code")
}

fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a valid nick")
}
