//! Which sessions a person has: at this server, and at every other one that answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::parcel::{Parcel, ParcelSession};
use crate::engine::session::cell::SessionCell;
use crate::engine::shared::Shared;
use crate::types::{EngineLimits, Identity, NodeId, RoomCode, SessionId};

/// A session of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEntry {
    /// Which one.
    pub session: SessionId,
    /// Whether it has a connection.
    pub is_connected: bool,
    /// The rooms that it is in, or comes back to, in order.
    pub rooms: Vec<RoomCode>,
    /// The server that it is at; `None` for the one that was asked.
    pub node: Option<NodeId>,
}

/// The sessions of a person at all servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonSessions {
    /// In the order in which they began, each once: where it is connected, if it is.
    pub sessions: Vec<SessionEntry>,
    /// Whether some server has more than it may name ([`person_sessions_max`](EngineLimits::person_sessions_max),
    /// [`person_sessions_bytes_max`](EngineLimits::person_sessions_bytes_max)).
    pub more: bool,
    /// Servers that there are, and that have not answered: sessions that are known to them alone are missing.
    pub silent: Vec<NodeId>,
}

impl Shared {
    /// See [`Engine::sessions_here`](crate::Engine::sessions_here).
    pub(crate) fn sessions_here(&self, identity: &Identity) -> Vec<SessionEntry> {
        let mut cells = self.cells_of(identity);
        cells.sort_unstable_by_key(|cell| cell.id);
        let entry = |cell: &Arc<SessionCell>| {
            let state = cell.lock();
            let rooms = state.rooms.all();
            let is_connected = state.connection.is_some();
            let entry = SessionEntry { session: cell.id, is_connected, rooms, node: None };
            (!state.is_ended).then_some(entry)
        };
        cells.iter().filter_map(entry).collect()
    }

    /// The sessions of a person that are in memory here, in no order.
    pub(super) fn cells_of(&self, identity: &Identity) -> Vec<Arc<SessionCell>> {
        let sessions = self.lock_sessions();
        sessions.of(identity).into_iter().filter_map(|session| sessions.cell(session)).collect()
    }

    /// See [`Engine::sessions_of`](crate::Engine::sessions_of).
    pub(crate) async fn sessions_of(&self, identity: &Identity) -> PersonSessions {
        let heard = self
            .ask_each(self.limits.session.resume_wait, |number| Parcel::SessionsOf {
                number,
                identity: identity.clone(),
            })
            .await;
        let (own, mut has_more) = bounded(self.sessions_here(identity), &self.limits.engine);
        let mut all: BTreeMap<SessionId, SessionEntry> = own.into_iter().map(|entry| (entry.session, entry)).collect();
        for (node, said) in heard.answers {
            let Parcel::SessionsAre { sessions, more, .. } = said else { continue };
            has_more |= more;
            for ParcelSession { session, is_connected, rooms } in sessions {
                let entry = SessionEntry { session, is_connected, rooms, node: Some(node) };
                let known = all.entry(session).or_insert_with(|| entry.clone());
                if is_connected && !known.is_connected {
                    *known = entry;
                }
            }
        }
        PersonSessions { sessions: all.into_values().collect(), more: has_more, silent: heard.silent }
    }

    /// What this server answers another one that asks for a person's sessions.
    pub(crate) fn say_sessions(&self, number: u64, identity: &Identity) -> Parcel {
        let (entries, more) = bounded(self.sessions_here(identity), &self.limits.engine);
        let said = |entry| {
            let SessionEntry { session, is_connected, rooms, .. } = entry;
            ParcelSession { session, is_connected, rooms }
        };
        Parcel::SessionsAre { number, sessions: entries.into_iter().map(said).collect(), more }
    }
}

/// As many as may be named, and whether there are more.
fn bounded(entries: Vec<SessionEntry>, limits: &EngineLimits) -> (Vec<SessionEntry>, bool) {
    let all = entries.len();
    let mut left = limits.person_sessions_bytes_max;
    let fits = |entry: &SessionEntry| {
        let bytes = size_of::<SessionEntry>() + entry.rooms.iter().map(|room| room.as_str().len()).sum::<usize>();
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    let named: Vec<SessionEntry> = entries.into_iter().take(limits.person_sessions_max).take_while(fits).collect();
    let more = named.len() < all;
    (named, more)
}
