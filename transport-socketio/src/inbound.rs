//! What a client emits, turned into commands: in order and at once, on the task that reads the connection.
//!
//! Never here: an event whose name has an escape (`"sen\u0064"`) or is no string. socketioxide borrows the name from the packet; where it cannot,
//! it takes the packet for broken, and ends the connection before anybody is asked.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chat_core::{
    BadFrame, Busy, ClientFrame, CommandId, CommandSender, Engine, FrameKind, Reject, RejectCode, Reply, Request,
    ServerFrame,
};
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::MessageHandler;
use socketioxide::socket::Socket;
use socketioxide_core::Value;

use super::engineio_session::EngineIoSession;
use super::link::Link;
use super::packet::{self, PacketSink};

/// Commands refused as `busy` in a row, after which the client counts as flooding. 4,096: more than fit into the longest
/// message or poll of a client that emits all it has at once.
const BUSY_MAX: u32 = 4_096;

/// Takes every event of one connection.
///
/// socketioxide runs a handler that is a function as a task of its own for every event, so that events overtake each other.
/// This one is none: when it returns, the command is in its session's queue.
pub(crate) struct Inbound {
    engine: Engine,
    sender: CommandSender,
    engineio: Arc<EngineIoSession>,
    link: Arc<Link>,
    /// See [`SocketIoConfig::ahead_bytes_max`](super::SocketIoConfig::ahead_bytes_max).
    ahead_max: u64,
    refusals: Mutex<Refusals>,
    /// Commands refused as `busy` since one was taken.
    busy: AtomicU32,
}

/// Refusals as `busy`, which go past the pump.
#[derive(Default)]
struct Refusals {
    /// Bytes of those that were not taken yet, at least; what the pump emits and the client takes counts as theirs.
    ahead: u64,
    /// Bytes that the client had taken in all when last looked at.
    taken: u64,
}

/// Says which of socketioxide's handlers is implemented.
pub(crate) struct Takes;

impl Inbound {
    pub(crate) fn new(
        engine: Engine,
        sender: CommandSender,
        engineio: Arc<EngineIoSession>,
        link: Arc<Link>,
        ahead_max: u64,
    ) -> Self {
        let refusals = Mutex::default();
        Self { engine, sender, engineio, link, ahead_max, refusals, busy: AtomicU32::new(0) }
    }

    /// Whether a refusal of so many bytes may be told. Who emits and takes nothing would fill the memory with them.
    fn may_tell(&self, bytes: usize) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.engineio.taken();
        refusals.ahead = refusals.ahead.saturating_sub(taken.saturating_sub(refusals.taken));
        refusals.taken = taken;
        let may = refusals.ahead < self.ahead_max;
        if may {
            refusals.ahead += bytes as u64;
        }
        may
    }

    fn hand_in(&self, value: &Value, tag: Option<u64>) -> Result<(), (Busy, Option<CommandId>)> {
        let reply = |id| Reply::Mailbox { id, tag };
        let (id, taken) = match packet::read_event(value, self.engine.limits()) {
            Ok(ClientFrame { id, request: Request::Command(command) }) => (id, self.sender.submit(command, reply(id))),
            Ok(ClientFrame { id, request: Request::Hello(_) }) => {
                let reject = Reject::new(RejectCode::UnknownType, "hello is said by the auth of the connection");
                (id, self.sender.refuse(BadFrame { id, reject }, reply(id)))
            }
            Err(bad) => {
                let id = bad.id;
                (id, self.sender.refuse(bad, reply(id)))
            }
        };
        taken.map_err(|busy| (busy, id))
    }
}

impl MessageHandler<LocalAdapter, Takes> for Inbound {
    fn call(&self, socket: Arc<Socket>, value: Value, ack: Option<i64>) {
        let tag = packet::tag(ack);
        match self.hand_in(&value, tag) {
            Ok(()) => self.busy.store(0, Ordering::Relaxed),
            Err((Busy, id)) => {
                if self.busy.fetch_add(1, Ordering::Relaxed) == BUSY_MAX {
                    self.link.note_flooding();
                }
                let told = busy(id);
                if self.may_tell(told.len()) {
                    // A client that takes nothing cannot be told that either.
                    let _ = socket.send(FrameKind::Error, tag, &told);
                }
            }
        }
    }
}

fn busy(id: Option<CommandId>) -> String {
    let frame = ServerFrame::Error {
        id,
        room: None,
        code: RejectCode::Busy.as_str().to_owned(),
        message: Busy.to_string(),
        field: None,
        limit: None,
        retry_after_ms: None,
        until: None,
    };
    serde_json::to_string(&frame).expect("frames have string keys")
}
