//! Every bound of an engine, with its default and its reason. Transports, logs and the accept loop have bounds of their own.

use std::fmt;

pub use self::engine::EngineLimits;
pub use self::room::{NewcomersSee, RoomLimits};
pub use self::session::SessionLimits;

mod agreed;
mod engine;
mod room;
mod session;

/// All bounds of an engine, its rooms and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bounds and durations of one room.
    pub room: RoomLimits,
    /// Bounds and durations of one session.
    pub session: SessionLimits,
    /// Bounds of the whole engine.
    pub engine: EngineLimits,
}

/// A bound that must not be 0: with it nothing would ever get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroLimit {
    /// The path of the field, such as `room.members_max`.
    pub field: &'static str,
}

impl fmt::Display for ZeroLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit `{}` must not be 0", self.field)
    }
}

impl std::error::Error for ZeroLimit {}

impl Limits {
    /// Looks whether an engine can work within these bounds.
    ///
    /// # Errors
    /// The first bound that is 0 and must not be.
    pub fn check(&self) -> Result<(), ZeroLimit> {
        let Self { room, session, engine } = self;
        let at_least_one = [
            ("room.members_max", room.members_max),
            ("room.attachments_max", room.attachments_max),
            ("room.message_chars_max", room.message_chars_max),
            ("room.history_max", room.history_max),
            ("room.members_page_max", room.members_page_max),
            ("room.bans_page_max", room.bans_page_max),
            ("room.inbox_max", room.inbox_max),
            ("room.batch_inputs_max", room.batch_inputs_max),
            ("room.marks_max", room.marks_max),
            ("session.rooms_max", session.rooms_max),
            ("session.commands_in_flight_max", session.commands_in_flight_max),
            ("session.frame_bytes_max", session.frame_bytes_max),
            ("session.chunk_bytes_max", session.chunk_bytes_max),
            ("session.room_quantum_bytes", session.room_quantum_bytes),
            ("engine.rooms_max", engine.rooms_max),
            ("engine.connections_max", engine.connections_max),
            ("engine.memory_bytes_max", engine.memory_bytes_max),
        ];
        match at_least_one.into_iter().find(|(_, bound)| *bound == 0) {
            Some((field, _)) => Err(ZeroLimit { field }),
            None => Ok(()),
        }
    }

    /// Lifts every bound on what is said, asked and answered, in messages, bytes and commands, of a session and of an address, and on how
    /// many sessions an address may end.
    pub fn lift_rates(&mut self) {
        let Self { session, engine, .. } = self;
        (session.send_per_second, session.said_bytes_per_second, session.command_per_second) = (0, 0, 0);
        (session.live_per_second, session.live_bytes_per_second, engine.address_live_bytes_per_second) = (0, 0, 0);
        (engine.address_sends_per_second, engine.address_said_bytes_per_second) = (0, 0);
        (engine.address_answered_bytes_per_second, engine.address_ends_per_hour) = (0, 0);
    }

    /// Lifts every bound on how many connections, sessions and rooms are of one address.
    pub fn lift_addresses(&mut self) {
        let engine = &mut self.engine;
        (engine.connections_per_address_max, engine.address_sessions_per_second) = (0, 0);
        (engine.sessions_detached_per_address_max, engine.rooms_per_address_max) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_lets_nothing_through_is_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        type Change = fn(&mut Limits);
        let set_to_0: [(&str, Change); 4] = [
            ("room.batch_inputs_max", |limits| limits.room.batch_inputs_max = 0),
            ("session.commands_in_flight_max", |limits| limits.session.commands_in_flight_max = 0),
            ("engine.rooms_max", |limits| limits.engine.rooms_max = 0),
            ("engine.connections_max", |limits| limits.engine.connections_max = 0),
        ];
        for (field, set) in set_to_0 {
            let mut limits = Limits::default();
            set(&mut limits);
            let zero = limits.check().expect_err("nobody could do anything");
            assert_eq!(zero.to_string(), format!("the limit `{field}` must not be 0"));
        }
    }
}
