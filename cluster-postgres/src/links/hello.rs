//! The first words on a link: which version, who speaks, and to whom.

use chat_core::NodeId;

use super::frame::{Kind, put_head};

/// How links speak; servers of another number are refused. What the engine says has a version of its own.
const VERSION: u16 = 1;

/// What each side says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// Who speaks.
    pub(super) me: NodeId,
    /// To whom, as far as it knows.
    pub(super) you: NodeId,
    /// Which dialling of the dialler's this is, so that one that it has given up does not take the place of a later one.
    pub(super) attempt: u64,
}

/// Why a hello is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHello {
    #[error("it speaks version {0} of links, and this server version {VERSION}")]
    Version(u16),
    #[error("it says that it is {0}, and the table has its certificate under another id")]
    Me(NodeId),
    #[error("it wants to speak to {0}, who is not here")]
    You(NodeId),
    #[error("it dials, and has the larger id")]
    Direction,
    #[error("it does not begin with a hello")]
    Unreadable,
}

impl BadHello {
    /// Whether a newer table may put it right.
    pub(super) fn is_of_a_table(&self) -> bool {
        matches!(self, Self::Me(_) | Self::You(_))
    }
}

impl Hello {
    /// As a frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = VERSION.to_be_bytes().to_vec();
        body.extend_from_slice(&self.me.0.to_be_bytes());
        body.extend_from_slice(&self.you.0.to_be_bytes());
        body.extend_from_slice(&self.attempt.to_be_bytes());
        let mut frame = Vec::new();
        put_head(Kind::Hello, body.len(), &mut frame);
        frame.append(&mut body);
        frame
    }

    /// Reads the frame of one. Of another version nothing but that is looked at.
    pub(super) fn decode(kind: Kind, body: &[u8]) -> Result<Self, BadHello> {
        let Some((version, rest)) = body.split_first_chunk().filter(|_| kind == Kind::Hello) else {
            return Err(BadHello::Unreadable);
        };
        match u16::from_be_bytes(*version) {
            VERSION => {}
            other => return Err(BadHello::Version(other)),
        }
        let Some((me, rest)) = rest.split_first_chunk() else { return Err(BadHello::Unreadable) };
        let Some((you, rest)) = rest.split_first_chunk() else { return Err(BadHello::Unreadable) };
        let attempt = rest.try_into().map_err(|_| BadHello::Unreadable)?;
        Ok(Self {
            me: NodeId(u128::from_be_bytes(*me)),
            you: NodeId(u128::from_be_bytes(*you)),
            attempt: u64::from_be_bytes(attempt),
        })
    }

    /// Whether the one who said this is `peer`, and means `me`.
    pub(super) fn check(&self, peer: NodeId, me: NodeId) -> Result<(), BadHello> {
        if self.me != peer {
            return Err(BadHello::Me(self.me));
        }
        if self.you != me {
            return Err(BadHello::You(self.you));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello { me: NodeId(3), you: NodeId(1 << 100), attempt: 7 };

    #[test]
    fn a_hello_is_read_as_it_was_written_and_not_otherwise() {
        let frame = HELLO.encode();
        assert_eq!(frame[..5], [0, 0, 0, 43, 0]);
        let body = &frame[5..];
        assert_eq!(Hello::decode(Kind::Hello, body), Ok(HELLO));
        assert_eq!(Hello::decode(Kind::Parcel, body), Err(BadHello::Unreadable));
        for length in 2..body.len() {
            assert_eq!(Hello::decode(Kind::Hello, &body[..length]), Err(BadHello::Unreadable), "{length}");
        }
        assert_eq!(Hello::decode(Kind::Hello, &[0, 2, 9]), Err(BadHello::Version(2)));
        assert_eq!(Hello::decode(Kind::Hello, &[]), Err(BadHello::Unreadable));
    }

    #[test]
    fn a_hello_of_or_to_somebody_else_is_refused() {
        assert_eq!(HELLO.check(NodeId(3), NodeId(1 << 100)), Ok(()));
        assert_eq!(HELLO.check(NodeId(4), NodeId(1 << 100)), Err(BadHello::Me(NodeId(3))));
        assert_eq!(HELLO.check(NodeId(3), NodeId(1)), Err(BadHello::You(NodeId(1 << 100))));
    }
}
