//! What servers tell each other beside the engine's parcels: whose slots are now.
//!
//! A version byte, and for each slot its number (2 bytes), its server (16) and its term (8), big-endian. The table decides; this only makes others
//! look, or saves them a look.

use chat_core::{NodeId, Slot, Term};
use log_postgres::Move;

/// The version that is written, and the only one that is read.
const VERSION: u8 = 1;
const MOVE_BYTES: usize = 2 + 16 + 8;

/// Bytes that say no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTold {
    #[error("it is of version {0}, and {VERSION} is read")]
    Version(u8),
    #[error("it is of no form")]
    Form,
}

pub(crate) fn encode(moves: &[Move]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + moves.len() * MOVE_BYTES);
    out.push(VERSION);
    for Move { slot, node, term } in moves {
        out.extend_from_slice(&slot.number().to_be_bytes());
        out.extend_from_slice(&node.0.to_be_bytes());
        out.extend_from_slice(&term.0.to_be_bytes());
    }
    out
}

/// At most as many as there are slots.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Move>, NotTold> {
    let (version, rest) = bytes.split_first().ok_or(NotTold::Form)?;
    if *version != VERSION {
        return Err(NotTold::Version(*version));
    }
    let (moves, []) = rest.as_chunks::<MOVE_BYTES>() else { return Err(NotTold::Form) };
    if moves.len() > usize::from(Slot::COUNT) {
        return Err(NotTold::Form);
    }
    let slots: Vec<Slot> = Slot::all().collect();
    let read = |bytes: &[u8; MOVE_BYTES]| {
        let number = u16::from_be_bytes(*bytes.first_chunk()?);
        let node = u128::from_be_bytes(*bytes[2..].first_chunk()?);
        let term = u64::from_be_bytes(*bytes.last_chunk()?);
        Some(Move { slot: *slots.get(usize::from(number))?, node: NodeId(node), term: Term(term) })
    };
    moves.iter().map(|bytes| read(bytes).ok_or(NotTold::Form)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_as_it_was_said() {
        let one = |number: usize| Move {
            slot: Slot::all().nth(number).expect("below the count"),
            node: NodeId(u128::MAX - number as u128),
            term: Term(number as u64 * 1_000_000_007),
        };
        for count in [0, 1, 1_024] {
            let moves: Vec<_> = (0..count).map(one).collect();
            assert_eq!(decode(&encode(&moves)), Ok(moves));
        }
    }

    #[test]
    fn what_is_of_no_form_is_refused_whole() {
        let good = encode(&[Move { slot: Slot::all().next().expect("one"), node: NodeId(1), term: Term(1) }]);
        assert_eq!(decode(&[]), Err(NotTold::Form));
        assert_eq!(decode(&good[..good.len() - 1]), Err(NotTold::Form));
        assert_eq!(decode(&[2]), Err(NotTold::Version(2)));
        let mut beyond = good.clone();
        beyond[1] = 4;
        assert_eq!(decode(&beyond), Err(NotTold::Form), "there is no slot 1024");
        let more = [&good[..], &good[1..].repeat(1_024)].concat();
        assert_eq!(decode(&more), Err(NotTold::Form));
    }
}
