//! The commands of one session that wait for the policy, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::Command;
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::reply::Reply;
use crate::meters::Asked;
use crate::room::SendPermit;
use crate::types::{RoomCode, Seq};

/// A command that waits, without the session it is of.
pub(crate) struct Waiting {
    pub(crate) command: Command,
    pub(crate) permit: SendPermit,
    pub(crate) connection: Arc<ConnectionState>,
    pub(crate) reply: Reply,
    /// What its session holds free for the answer.
    pub(crate) reserved: usize,
    /// Bytes held to pay for the answer.
    pub(crate) charge: Option<Charge>,
    /// What it is, and since when.
    pub(crate) asked: Asked,
}

/// Commands that wait for the policy.
#[derive(Default)]
pub(crate) struct PolicyQueue {
    pub(crate) queue: VecDeque<Waiting>,
    /// Whether a task is working through the queue.
    pub(crate) running: bool,
    /// Counts connections: a task that began with an older one takes nothing of this one.
    pub(crate) turn: u64,
}

impl PolicyQueue {
    /// Adds a command. Of the texts of one message that grows the latest alone waits: the policy is not asked about what nobody would be
    /// told. The one before it comes back, to be answered.
    pub(crate) fn push(&mut self, waiting: Waiting) -> Option<Waiting> {
        let growing = growing(&waiting.command);
        let is_same = |other: &Waiting| growing.is_some() && self::growing(&other.command) == growing;
        let before = self.queue.iter().position(is_same);
        let superseded = before.and_then(|index| self.queue.remove(index));
        self.queue.push_back(waiting);
        superseded
    }

    /// Gives up what waits: its connection is gone, and nobody would hear the answers. To be dropped once the session is
    /// not locked any more. What the policy is being asked at this moment goes on beside the new connection's commands: it may
    /// take its time.
    pub(crate) fn give_up(&mut self) -> impl Sized + use<> {
        self.turn += 1;
        self.running = false;
        std::mem::take(&mut self.queue)
    }
}

/// The message that a command shows as growing.
fn growing(command: &Command) -> Option<(&RoomCode, Seq)> {
    match command {
        Command::Live { room, target, .. } => Some((room, *target)),
        _ => None,
    }
}
