//! Somebody who is here and of whom the policy says something else by now is what it says, and called so, as if they had come back.

use std::sync::Arc;

use crate::domain::{Event, MemberChange};
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::work::answer::{appoint, have_done};
use crate::engine::work::task::RoomTask;
use crate::room::{Caller, Input, OwnerSeat};
use crate::types::{Now, Position};

impl RoomTask {
    /// Where the room is decided: they are named as one who comes back is.
    pub(crate) fn readmit(&mut self, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        if let Some(by) = self.appoint_anew(cell, connection, true).filter(|by| by.named.is_some()) {
            self.state.unnamed.push(by);
        }
    }

    /// Where another server decides, or nobody now: they ask for the name themselves, as far as they would be called so if they came back now. One that
    /// looks like somebody else's they have from the next time that they do.
    pub(crate) fn readmit_from_here(&self, now: Now, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        let Some(by) = self.appoint_anew(cell, connection, false).filter(|by| by.named.is_some()) else { return };
        let room = &self.state.room;
        let Some(epoch) = room.epoch() else { return };
        let here = Position { epoch, seq: room.head() };
        let back = room.decide(now, &Input::Attach { by: by.clone(), after: Some(here) });
        for record in back.into_iter().flat_map(|decision| decision.records) {
            if let Event::MemberChanged { nick, data, .. } = record.event {
                let by = Caller { named: None, ..by.clone() };
                have_done(&self.shared, &self.cell.code, Input::Me { by, change: MemberChange { nick, data } });
            }
        }
    }

    /// Gives them the role that the policy says, and says who they are; nobody who is not here.
    fn appoint_anew(
        &self,
        cell: &Arc<SessionCell>,
        connection: &Arc<ConnectionState>,
        is_decided_here: bool,
    ) -> Option<Caller> {
        let (session, identity) = (cell.id, cell.lock().identity.clone());
        let (generation, network, named) = (connection.generation, connection.network, connection.named());
        let by = Caller { session, generation, identity, network, named };
        let room = &self.state.room;
        let member = room.member(room.member_of(&by)?)?;
        let said = connection.role();
        #[cfg(feature = "fault_injection")]
        let said = said.filter(|_| !crate::fault_injection::is(crate::fault_injection::Bug::KeepRole));
        if let Some(said) = said {
            let has_owner = room.owner_seat() != OwnerSeat::Free;
            let (of, stands) = ((cell, connection), (member.id, member.role));
            appoint(&self.shared, &self.cell.code, of, said, stands, has_owner, is_decided_here);
        }
        Some(by)
    }
}
