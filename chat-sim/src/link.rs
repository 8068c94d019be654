//! One connection of a person, whichever transport carries it: frames said, and frames heard.

mod socketio;
mod sse;
mod ws;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chat_core::ServerFrame;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::frames::{self, Side};
use crate::locks::lock;
use crate::network::{Lies, Proxied};
use crate::phase::Phase;
use crate::pipe::{Cable, End};
use crate::plan::Plan;
use crate::server::Server;
use crate::transport_kind::TransportKind;

/// What a person hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// Something that is no frame of the protocol.
    Nonsense(String),
    /// The id of the last event of a stream.
    Cursor(String),
    /// The answer to this command will not come: what carried it is gone.
    Unanswered(u64),
    /// The connection has ended.
    Ended(String),
}

/// What a client says first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hello {
    pub(crate) token: Option<String>,
    pub(crate) positions: Vec<(String, String)>,
    /// Who one says one is.
    pub(crate) pass: Option<String>,
    /// Instead of both: the cursor of a stream.
    pub(crate) cursor: Option<String>,
    /// Of more events than this, one gap is to be told.
    pub(crate) catch_up: Option<u32>,
}

/// One connection. Dropping it ends it.
pub(crate) struct Link {
    pub(crate) transport: TransportKind,
    say: mpsc::UnboundedSender<Value>,
    heard: mpsc::UnboundedReceiver<Heard>,
    cables: Arc<Mutex<Vec<Cable>>>,
    task: JoinHandle<()>,
}

/// A place where a server is right now, if there is one.
pub(crate) type Front = Arc<Mutex<Option<Arc<Server>>>>;

/// Makes connections for one link.
struct Dialer {
    front: Front,
    /// Where the person is.
    from: SocketAddr,
    plan: Arc<Plan>,
    rng: StdRng,
    cables: Arc<Mutex<Vec<Cable>>>,
    phase: watch::Receiver<Phase>,
}

impl Dialer {
    /// How the network lies now: what is lost is lost while there is a storm.
    fn lies(&self) -> Option<Lies> {
        let is_storm = *self.phase.borrow() == Phase::Storm;
        self.plan.lies.map(|lies| if is_storm { lies } else { lies.that_lose_nothing() })
    }

    /// What becomes of the next request.
    fn proxied(&mut self) -> Proxied {
        let lies = self.lies();
        Proxied::draw(lies.as_ref(), &mut self.rng)
    }

    fn dial(&mut self) -> Result<End, String> {
        let server = lock(&self.front).clone();
        let server = server.ok_or("nobody serves")?;
        let lies = self.lies();
        let (end, cable) = server.dial(&self.plan, self.from, lies.as_ref(), &mut self.rng);
        lock(&self.cables).push(cable);
        Ok(end)
    }
}

/// A WebSocket over a connection. Its buffers are small: what is usual is zeroed anew for each of a million short reads.
async fn upgrade(request: impl IntoClientRequest + Unpin, end: End) -> Result<WebSocketStream<End>, String> {
    let config = WebSocketConfig::default().read_buffer_size(2 << 10).write_buffer_size(2 << 10);
    let shaken = client_async_with_config(request, end, Some(config)).await;
    shaken.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// What whoever asks hears where a proxy answers itself.
const BAD_GATEWAY: &str = "502 Bad Gateway";

/// Hands over what is heard.
#[derive(Clone)]
struct Ear(mpsc::UnboundedSender<Heard>);

impl Ear {
    fn frame(&self, json: &str) {
        frames::show(Side::Server, || json.to_owned());
        let heard = match serde_json::from_str(json) {
            Ok(frame) => Heard::Frame(Box::new(frame)),
            Err(error) => Heard::Nonsense(format!("{error}: {json}")),
        };
        self.tell(heard);
    }

    fn tell(&self, heard: Heard) {
        // A person who does not listen any more has ended the link.
        let _ = self.0.send(heard);
    }
}

impl Link {
    /// Opens a connection in memory, and a task that talks over it.
    pub(crate) fn open(
        transport: TransportKind,
        front: &Front,
        plan: &Arc<Plan>,
        phase: watch::Receiver<Phase>,
        seed: u64,
        from: SocketAddr,
        hello: Hello,
    ) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let (ear, heard) = mpsc::unbounded_channel();
        let cables = Arc::new(Mutex::default());
        let dialer = Dialer {
            front: Arc::clone(front),
            from,
            plan: Arc::clone(plan),
            rng: StdRng::seed_from_u64(seed),
            cables: Arc::clone(&cables),
            phase,
        };
        let ear = Ear(ear);
        let task = tokio::spawn(async move {
            let why = match transport {
                TransportKind::Ws => ws::talk(dialer, hello, said, &ear).await,
                TransportKind::Sse => sse::talk(dialer, hello, said, &ear).await,
                TransportKind::SocketIo => socketio::talk(dialer, hello, said, &ear).await,
                TransportKind::Polling => socketio::poll(dialer, hello, said, &ear).await,
            };
            ear.tell(Heard::Ended(why));
        });
        Self { transport, say, heard, cables, task }
    }

    /// Says a frame. One that the connection does not outlive is lost.
    pub(crate) fn say(&self, frame: Value) {
        frames::show(Side::Client, || frame.to_string());
        let _ = self.say.send(frame);
    }

    /// What comes next.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.heard.recv().await.unwrap_or_else(|| Heard::Ended("over".to_owned()))
    }

    /// Stops reading, or reads on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.each(|cable| cable.stall(stalled));
    }

    /// Does not end by itself any more.
    pub(crate) fn heal(&self) {
        self.each(Cable::heal);
    }

    /// Breaks the connection: what was under way is lost.
    pub(crate) fn cut(self) {
        self.each(Cable::cut);
    }

    /// Vanishes: the server is not told.
    pub(crate) fn vanish(self) {
        self.each(Cable::silence);
    }

    fn each(&self, act: impl Fn(&Cable)) {
        lock(&self.cables).iter().for_each(act);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
