//! Why a session's connection ends, as a number that tells the client whether to come back.

/// Why the server ends a connection. 4000 to 4499: reconnect. 4500 to 4999: do not.
///
/// The numbers are WebSocket close codes (RFC 6455, section 7.4.2: 4000-4999 is for applications); the other transports
/// carry them in the `closing` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server is going down; come back after the delay told.
    Draining,
    /// The connection accepted nothing for the stall timeout; come back and resume.
    SlowConsumer,
    /// The peer answered no ping in time.
    PeerTimeout,
    /// No first frame came in time.
    HandshakeTimeout,
    /// No place for another connection, in all or of its address, or too much was asked from there; come back later.
    AtCapacity,
    /// Something inside the server failed; come back and resume.
    Fault,
    /// What the client showed to say who it is has run out; come back with a new one.
    AuthExpired,
    /// The bytes that came are not this protocol, or passed four times a limit.
    ProtocolViolation,
    /// A newer connection has taken over this session.
    Replaced,
    /// The policy does not admit this client.
    Refused,
    /// The embedder ended this connection; the client should not come back. The session itself can still be resumed.
    Ended,
    /// The client kept on flooding after many refusals.
    Flooding,
}

impl CloseReason {
    /// Every reason, in the order of the protocol page.
    pub const ALL: &[CloseReason] = &[
        Self::Draining,
        Self::SlowConsumer,
        Self::PeerTimeout,
        Self::HandshakeTimeout,
        Self::AtCapacity,
        Self::Fault,
        Self::AuthExpired,
        Self::ProtocolViolation,
        Self::Replaced,
        Self::Refused,
        Self::Ended,
        Self::Flooding,
    ];

    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            Self::Draining => 4001,
            Self::SlowConsumer => 4002,
            Self::PeerTimeout => 4003,
            Self::HandshakeTimeout => 4004,
            Self::AtCapacity => 4005,
            Self::Fault => 4006,
            Self::AuthExpired => 4007,
            Self::ProtocolViolation => 4500,
            Self::Replaced => 4501,
            Self::Refused => 4502,
            Self::Ended => 4503,
            Self::Flooding => 4504,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::SlowConsumer => "slow_consumer",
            Self::PeerTimeout => "peer_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::AtCapacity => "at_capacity",
            Self::Fault => "fault",
            Self::AuthExpired => "auth_expired",
            Self::ProtocolViolation => "protocol_violation",
            Self::Replaced => "replaced",
            Self::Refused => "refused",
            Self::Ended => "ended",
            Self::Flooding => "flooding",
        }
    }

    /// Whether the client should come back.
    pub fn reconnect(self) -> bool {
        self.code() < 4500
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_number_in_the_application_range() {
        let mut codes: Vec<u16> = CloseReason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CloseReason::ALL.len());
        assert!(codes.iter().all(|code| (4000..5000).contains(code)));
    }
}
