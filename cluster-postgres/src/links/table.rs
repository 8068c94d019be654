//! The table of servers: who is who, by number and by certificate, and where they are reached.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chat_core::NodeId;

/// Another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which one.
    pub id: NodeId,
    /// Where it listens: host and port.
    pub address: String,
    /// Its certificate, in DER. No two have the same.
    pub certificate: Vec<u8>,
}

/// Who is there, as of one moment.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// This server; nobody as long as nothing is known.
    pub(super) me: Option<NodeId>,
    peers: HashMap<Vec<u8>, Arc<Peer>>,
}

impl Table {
    pub(super) fn new(me: NodeId, peers: impl IntoIterator<Item = Arc<Peer>>) -> Self {
        Self { me: Some(me), peers: peers.into_iter().map(|peer| (peer.certificate.clone(), peer)).collect() }
    }

    /// Whose certificate this is.
    pub(super) fn whose(&self, certificate: &[u8]) -> Option<&Arc<Peer>> {
        self.peers.get(certificate)
    }
}

/// The table as it is now.
#[derive(Debug, Default)]
pub(super) struct CurrentTable(RwLock<Arc<Table>>);

impl CurrentTable {
    pub(super) fn load(&self) -> Arc<Table> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn store(&self, table: Table) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
