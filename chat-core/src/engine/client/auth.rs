//! Admissions that run out: their clients are told in time, and show another credential on the connection they have.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::client::credentials::IN_A_MESSAGE;
use crate::engine::client::end::caller;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::admitted::Expiry;
use crate::engine::session::appointing::Appointed;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::shared::{Refusal, Shared};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{Admission, ConnectRequest, Policy};
use crate::types::{AccessToken, CloseReason, Reject, RejectCode, Wall, millis};
use crate::wire::{self, FrameKind};

/// How long an admission's end is left alone at most: the clock that it is told by may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long rooms have to let somebody go who is admitted to them no longer, and their client to read that. 10 s: a room is done in
/// milliseconds, unless its log or the server that decides for it cannot be reached.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// Holds that an admission is good still.
///
/// # Errors
/// `auth_expired`: the client is to come back with another credential.
pub(super) fn check(admission: &Admission, now: Wall) -> Result<(), Reject> {
    match admission.has_expired(now) {
        true => Err(Reject::new(RejectCode::AuthExpired, "what you have shown has run out: come with a new one")),
        false => Ok(()),
    }
}

/// How a connection ends that has shown nothing better in time.
pub(super) fn expired(reject: Reject) -> Refusal {
    Refusal { close: CloseReason::AuthExpired, reject, reconnect_after: None }
}

/// A policy that admits may hand on the reject of a name that it has made itself: the client has sent no such field, and could mend none.
pub(super) fn of_policy(reject: Reject) -> Reject {
    match reject.field {
        None => reject,
        Some(_) => {
            let message = format!("the server's policy: {}", reject.message);
            Reject { message: message.into(), field: None, limit: None, ..reject }
        }
    }
}

/// Asks the policy again, by another credential. One command of the session after another: those that follow are checked by what it says.
pub(super) async fn renew(shared: &Arc<Shared>, policy: &Arc<dyn Policy>, token: AccessToken, reply: ReplyTo) {
    match admit(shared, policy, token, &reply).await {
        Ok(expires_at) => {
            let json = wire::auth_renewed(reply.id(), expires_at);
            reply.answer(FrameKind::AuthRenewed, json);
        }
        Err(reject) => {
            shared.count_reject(reject.code);
            reply.reject(None, reject);
        }
    }
}

async fn admit(
    shared: &Arc<Shared>,
    policy: &Arc<dyn Policy>,
    token: AccessToken,
    reply: &ReplyTo,
) -> Result<Option<Wall>, Reject> {
    let (cell, connection) = (&reply.cell, &reply.connection);
    let revocations = shared.revocations.count();
    let admitted = connection.admitted.as_ref().expect("whoever comes to an engine with a policy is admitted by it");
    let credentials = Some(token.expose().to_owned());
    let (transport, address) = (connection.transport, admitted.address);
    let request = ConnectRequest { transport, address, credentials, shown_in: IN_A_MESSAGE };
    let admission = shared.ask_policy(async { policy.admit(&request).await }).await.map_err(of_policy)?;
    if admission.identity != cell.lock().identity {
        return Err(Reject::new(RejectCode::Forbidden, "this is for somebody else: begin a new session with it"));
    }
    check(&admission, shared.clock.now().wall)?;
    let admission = Arc::new(admission);
    admitted.renew(Arc::clone(&admission));
    shared.apply_admission(cell, connection, &admission);
    shared.look_at_admission(cell, connection);
    shared.check_revoked(connection, admission.identity.as_ref(), revocations);
    Ok(admission.expires_at)
}

impl Shared {
    /// Tells the client in time when its admission runs out, and ends the connection when it has; sees to it that it is looked at again.
    pub(crate) fn look_at_admission(self: &Arc<Self>, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        let Some(admitted) = &connection.admitted else { return };
        let now = self.clock.now();
        match admitted.appointed(now.mono) {
            Appointed::Settled => {}
            Appointed::Asked => self.look_at_roles(cell, connection),
            Appointed::Owed => {
                let rooms = cell.lock().rooms.all();
                for room in rooms {
                    let (cell, connection) = (Arc::clone(cell), Arc::clone(connection));
                    self.enqueue(&room, InboxItem::Readmitted { cell, connection });
                }
                self.look_at_roles(cell, connection);
            }
        }
        if admitted.should_have_left(now.mono) {
            let (admission, rooms) = (admitted.admission(), cell.lock().rooms.all());
            if rooms.iter().any(|room| !admission.may_enter(room)) {
                // Whatever kept it from leaving: who comes back is let into no room that the policy does not name.
                return connection.close(CloseReason::AuthExpired);
            }
        }
        let wait = match admitted.expiry(now.wall, millis(self.limits.session.auth_notice)) {
            Expiry::Never => return,
            Expiry::Over => return connection.close(CloseReason::AuthExpired),
            Expiry::In(wait) => wait,
            Expiry::Tell(expires_at) => {
                // One that has been replaced is told nothing more.
                let Some(mut state) = cell.lock_for(connection) else { return };
                state.mail_extra(FrameKind::AuthExpiring, wire::auth_expiring(expires_at));
                drop(state);
                connection.wake.wake();
                expires_at.0.saturating_sub(now.wall.0)
            }
        };
        let wait = Duration::from_millis(wait).min(LOOK_AGAIN);
        let at = now.mono.after(wait);
        if admitted.settle_look(at, now.mono) {
            self.timers.look_at_admission(at, cell, connection);
        }
    }

    /// Another admission counts in the rooms that its person is in: they leave those that it does not name, and are in the others what it says. Not
    /// bounded by the inbox of a room, unlike what is asked there: the connection goes on, and no grace would end it.
    pub(super) fn apply_admission(
        self: &Arc<Self>,
        cell: &Arc<SessionCell>,
        connection: &Arc<ConnectionState>,
        admission: &Admission,
    ) {
        let says_more = admission.role.is_some() || !admission.named.is_empty();
        let rooms = cell.lock().rooms.all();
        #[cfg(feature = "fault_injection")]
        let keeps = fault_injection::is(Bug::KeepForbidden);
        #[cfg(not(feature = "fault_injection"))]
        let keeps = false;
        for room in rooms {
            if !admission.may_enter(&room) && !keeps {
                let by = self.clock.now().mono.after(LEAVE_PATIENCE);
                if connection.admitted.as_ref().is_some_and(|admitted| admitted.is_to_leave_by(by)) {
                    self.timers.look_at_admission(by, cell, connection);
                }
                self.enqueue(&room, InboxItem::End { by: caller(cell, connection.generation), whole: true });
            } else if says_more {
                let (cell, connection) = (Arc::clone(cell), Arc::clone(connection));
                self.enqueue(&room, InboxItem::Readmitted { cell, connection });
            }
        }
    }
}
