//! The end of sessions because the host wants it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::end::Order;
use crate::domain::Extent;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::EndedWho;
use crate::types::{Reject, SessionId};

impl Shared {
    /// See [`Engine::end`](crate::Engine::end).
    pub(crate) async fn end_by_host(self: &Arc<Self>, who: EndedWho) -> Result<(), Reject> {
        self.check_accepting()?;
        let (done, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.spawn(async move {
            let order = shared.order(who);
            // Whoever asked may be gone.
            let _ = done.send(shared.carry_out(order).await);
        });
        told.await.unwrap_or_else(|_| Err(unavailable()))
    }

    fn order(&self, who: EndedWho) -> Order {
        match who {
            EndedWho::Session(session) => {
                let cell = self.lock_sessions().cell(session);
                let state = cell.as_ref().map(|cell| cell.lock());
                let identity = state.as_ref().and_then(|state| state.identity.clone());
                let connection = state.as_ref().and_then(|state| state.connection.clone());
                drop(state);
                let newest_day = connection.map_or(0, |connection| connection.issue().day);
                Order { session, identity, extent: Extent::Session, newest_day, asks: None }
            }
            EndedWho::Person(identity) => {
                // Which of them is meant is looked up where it is remembered.
                let session = SessionId::new(0);
                Order { session, identity: Some(identity), extent: Extent::Person, newest_day: 0, asks: None }
            }
        }
    }
}
