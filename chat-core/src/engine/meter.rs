//! What is counted while the engine runs, read together with what it holds at that moment.

use std::sync::atomic::Ordering;

use crate::engine::engine::Engine;
use crate::engine::shared::Shared;
use crate::meters::{ClusterMeter, Meters};
use crate::ports::{Owner, Slot};

impl Engine {
    /// What has been counted since the engine was built: see [`Meters`]. Beside [`Engine::stats`], which says what it holds.
    ///
    /// It looks at every room, for its members, and where there are several servers at every slot: to be asked every few seconds, and
    /// not for every message.
    pub fn meters(&self) -> Meters {
        let shared = &self.shared;
        let (feeds, delivered) = shared.feeds.read(shared.clock.now().wall);
        Meters {
            feeds,
            delivered,
            members: shared.registry.members(),
            log: shared.log.as_ref().map(|log| log.meters()).unwrap_or_default(),
            cluster: shared.cluster.is_some().then(|| shared.cluster_meter()),
            ..shared.counters.read()
        }
    }
}

impl Shared {
    fn cluster_meter(&self) -> ClusterMeter {
        let (mut slots_owned, mut slots_unowned) = (0, 0);
        for slot in Slot::all() {
            match self.owner_of(slot) {
                Owner::Me(_) => slots_owned += 1,
                Owner::Other(..) => {}
                Owner::Nobody => slots_unowned += 1,
            }
        }
        let (parked, parked_total) = self.counters.parked();
        let takeovers = self.counters.takeovers.load(Ordering::Relaxed);
        ClusterMeter { slots_owned, slots_unowned, links_up: self.peers.up() as u64, takeovers, parked, parked_total }
    }
}
