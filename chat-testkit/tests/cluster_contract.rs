//! Servers in memory keep the contract that is asked of real ones.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{Cluster, NodeId};
use chat_testkit::contract::cluster::{Place, Service};
use chat_testkit::servers::{Server, Servers};

/// A service whose first server has every slot.
#[derive(Clone, Default)]
struct InMemory {
    servers: Servers,
    all: Arc<Mutex<Vec<Arc<Server>>>>,
}

struct Seat {
    service: InMemory,
    server: Arc<Server>,
}

impl Seat {
    fn others(&self) -> Vec<Arc<Server>> {
        let all = self.service.all.lock().expect("no panic");
        all.iter().filter(|server| server.id() != self.server.id()).cloned().collect()
    }
}

#[async_trait]
impl Service for InMemory {
    async fn join(&self) -> Box<dyn Place> {
        let server = self.servers.join();
        let mut all = self.all.lock().expect("no panic");
        if all.is_empty() {
            self.servers.give_all(&server);
        }
        all.push(Arc::clone(&server));
        Box::new(Seat { service: self.clone(), server })
    }
}

#[async_trait]
impl Place for Seat {
    fn id(&self) -> NodeId {
        self.server.id()
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.server) as _
    }

    async fn give_all(&self) {
        self.service.servers.give_all(&self.others()[0]);
    }

    async fn vanish(self: Box<Self>) {
        let others = self.others();
        others.iter().for_each(|other| self.service.servers.cut(&self.server, other));
        self.service.servers.give_all(&others[0]);
    }
}

chat_testkit::cluster_contract! { async { Some(InMemory::default()) } }
