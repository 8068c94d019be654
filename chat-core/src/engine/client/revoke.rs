//! What somebody was admitted for is taken back before it runs out: at their connections, in the rooms they are in, and at every server.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::end::caller;
use crate::engine::parcel::{Parcel, ParcelRevoked};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::{Admission, Revocation};
use crate::types::{CloseReason, Identity, Reject};

impl Shared {
    /// See [`Engine::revoke`](crate::Engine::revoke).
    pub(crate) async fn revoke(self: &Arc<Self>, identity: Identity, what: Revocation) -> Result<(), Reject> {
        self.check_accepting()?;
        let (done, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.spawn(async move {
            shared.revoke_here(&identity, &what);
            // Whoever asked may be gone.
            let _ = done.send(shared.tell_revoked(identity, what).await);
        });
        told.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Takes it back at those who are here, connected or to come back. Who is being admitted meanwhile finds out afterwards.
    pub(crate) fn revoke_here(self: &Arc<Self>, identity: &Identity, what: &Revocation) {
        self.revocations.note(identity);
        self.have_policy_forget(identity);
        let cells: Vec<_> = {
            let sessions = self.lock_sessions();
            sessions.of(identity).into_iter().filter_map(|session| sessions.cell(session)).collect()
        };
        for cell in cells {
            let connection = cell.lock().connection.clone();
            match connection {
                Some(connection) => self.narrow(&cell, &connection, what),
                None => self.leave_while_away(&cell, what),
            }
        }
    }

    fn narrow(self: &Arc<Self>, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>, what: &Revocation) {
        let Some(admitted) = &connection.admitted else { return };
        match admitted.narrow(what) {
            Some(left) => self.apply_admission(cell, connection, &left),
            None => connection.close(CloseReason::AuthExpired),
        }
    }

    /// Who comes back is asked for another admission: but for the grace they would still be in these rooms.
    fn leave_while_away(self: &Arc<Self>, cell: &SessionCell, what: &Revocation) {
        let Some(left) = Admission::default().without(what) else { return };
        let (generation, rooms) = {
            let state = cell.lock();
            (state.generation, state.rooms.all())
        };
        for room in rooms.iter().filter(|room| !left.may_enter(room)) {
            self.enqueue(room, InboxItem::End { by: caller(cell, generation), whole: true });
        }
    }

    /// The admission of a connection was asked for when there had been so many revocations. Where one was about its person, it may be from before
    /// that, or not: the client comes back, and the policy is asked once more.
    pub(crate) fn check_revoked(&self, connection: &ConnectionState, identity: Option<&Identity>, count: u64) {
        if identity.is_some_and(|identity| self.revocations.came_after(count, identity)) {
            connection.close(CloseReason::AuthExpired);
        }
    }

    /// Tells the other servers, and waits until they have heard.
    async fn tell_revoked(&self, identity: Identity, what: Revocation) -> Result<(), Reject> {
        if self.cluster.is_none() {
            return Ok(());
        }
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::RevokeHereAlone) {
            return Ok(());
        }
        let (number, all, told) = self.peers.ask_all();
        let bytes = Parcel::Revoked { number, identity, what: what.into() }.encode();
        let mut is_told = true;
        for node in all {
            if self.send_bytes(node, bytes.clone()).is_err() {
                is_told = false;
                self.peers.heard(number, node);
            }
        }
        is_told &= matches!(tokio::time::timeout(self.limits.session.resume_wait, told).await, Ok(Ok(true)));
        self.peers.forget(number);
        if is_told { Ok(()) } else { Err(unavailable()) }
    }
}

impl From<Revocation> for ParcelRevoked {
    fn from(what: Revocation) -> Self {
        match what {
            Revocation::All => Self::All,
            Revocation::RoomsBut(rooms) => Self::RoomsBut(rooms.into_iter().collect()),
            Revocation::Role => Self::Role,
        }
    }
}

impl From<ParcelRevoked> for Revocation {
    fn from(what: ParcelRevoked) -> Self {
        match what {
            ParcelRevoked::All => Self::All,
            ParcelRevoked::RoomsBut(rooms) => Self::RoomsBut(rooms.into_iter().collect()),
            ParcelRevoked::Role => Self::Role,
        }
    }
}
