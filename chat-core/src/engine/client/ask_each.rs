//! What every other server is asked, and which of them have answered.

use std::time::Duration;

use crate::engine::parcel::Parcel;
use crate::engine::shared::Shared;
use crate::types::NodeId;

/// What has come of a question to every other server.
#[derive(Default)]
pub(super) struct Heard {
    /// One answer of each that gave one.
    pub(super) answers: Vec<(NodeId, Parcel)>,
    /// Those that there are, and that have not answered, in order.
    pub(super) silent: Vec<NodeId>,
}

impl Shared {
    /// Asks every other server, and waits for what they say, for so long and no longer.
    pub(super) async fn ask_each(&self, wait: Duration, question: impl FnOnce(u64) -> Parcel) -> Heard {
        if self.cluster.is_none() {
            return Heard::default();
        }
        let (number, mut silent, told) = self.peers.ask_all();
        let bytes = question(number).encode();
        for node in &silent {
            if self.send_bytes(*node, bytes.clone()).is_err() {
                self.peers.heard(number, *node);
            }
        }
        let _ = tokio::time::timeout(wait, told).await;
        let answers = self.peers.take_said(number);
        silent.extend(self.living());
        silent.retain(|node| answers.iter().all(|(other, _)| other != node));
        Heard { answers, silent: silent.into_iter().collect() }
    }
}
