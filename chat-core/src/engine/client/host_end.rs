//! The end of sessions because the host wants it, and which sessions a person has.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::end::Order;
use crate::domain::Extent;
use crate::engine::session::cell::SessionCell;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::EndedWho;
use crate::types::{Identity, Reject, RoomCode, SessionId};

/// A session that a server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEntry {
    /// Which one.
    pub session: SessionId,
    /// Whether it has a connection.
    pub is_connected: bool,
    /// The rooms that it is in, or comes back to, in order.
    pub rooms: Vec<RoomCode>,
}

impl Shared {
    /// See [`Engine::sessions_of`](crate::Engine::sessions_of).
    pub(crate) fn sessions_of(&self, identity: &Identity) -> Vec<SessionEntry> {
        let mut cells: Vec<_> = {
            let sessions = self.lock_sessions();
            sessions.of(identity).into_iter().filter_map(|session| sessions.cell(session)).collect()
        };
        cells.sort_unstable_by_key(|cell| cell.id);
        let entry = |cell: &Arc<SessionCell>| {
            let state = cell.lock();
            let rooms = state.rooms.all();
            let is_connected = state.connection.is_some();
            (!state.is_ended).then_some(SessionEntry { session: cell.id, is_connected, rooms })
        };
        cells.iter().filter_map(entry).collect()
    }

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
