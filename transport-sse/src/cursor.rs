//! The `id` of an event: a credential that resumes the session, and where the client stands once it has read the event.
//!
//! `SESSION.SIGNATURE~CODE:EPOCH:SEQ,CODE:EPOCH:SEQ`. Only the credential is signed. A position is the client's own
//! affair: it is clamped to what the session may see. Codes and epochs are written out, because a restart forgets every
//! shorter name.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use chat_core::{Epoch, Position, Positions, Resume, RoomCode};

/// Between the credential and the positions; no base32 letter, and sent as it is in an address.
const BORDER: char = '~';

/// Writes cursors of one session. What stays the same from one to the next is put into words once.
pub(crate) struct Cursors<'a> {
    credential: &'a str,
    /// `CODE:EPOCH:` of each room, in the order of the positions. An epoch is of one room only.
    lives: Vec<(Epoch, String)>,
}

impl<'a> Cursors<'a> {
    pub(crate) fn new(credential: &'a str) -> Self {
        Self { credential, lives: Vec::new() }
    }

    /// Appends a cursor.
    pub(crate) fn put(&mut self, out: &mut BytesMut, positions: Positions<'_>) {
        out.put_slice(self.credential.as_bytes());
        out.put_u8(BORDER as u8);
        for (index, (code, Position { epoch, seq })) in positions.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            if self.lives.get(index).is_none_or(|(known, _)| *known != epoch) {
                self.lives.truncate(index);
                self.lives.push((epoch, format!("{code}:{epoch}:")));
            }
            out.put_slice(self.lives[index].1.as_bytes());
            write!(out, "{seq}").expect("a buffer takes every write");
        }
    }
}

/// Reads a cursor. What is no position is left out: the room is then shown afresh. Whether the credential is one is the
/// engine's to say.
pub(crate) fn parse(text: &str, rooms_max: usize) -> Resume {
    let (credential, positions) = text.split_once(BORDER).unwrap_or((text, ""));
    Resume::new(credential.to_owned(), list(positions), rooms_max)
}

/// Reads a list of positions. What is none is left out.
pub(crate) fn list(text: &str) -> impl Iterator<Item = (RoomCode, Position)> {
    text.split(',').filter_map(|item| {
        let (code, position) = item.split_once([':', BORDER])?;
        Some((RoomCode::parse(code).ok()?, position.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "LUNCH:04HMASW9NF6YF:17";
    const B: &str = "TEA-TIME:04HMASW9NF6YF:0";

    fn codes(resume: &Resume) -> Vec<&str> {
        resume.positions.iter().map(|(code, _)| code.as_str()).collect()
    }

    #[test]
    fn a_cursor_is_a_credential_and_positions() {
        let resume = parse(&format!("S.M~{A},{B}"), 32);
        assert_eq!((resume.token.as_str(), codes(&resume)), ("S.M", vec!["LUNCH", "TEA-TIME"]));
        assert_eq!(resume.positions[0].1, "04HMASW9NF6YF:17".parse().expect("a position"));
        assert_eq!(parse("S.M~", 32), Resume { token: "S.M".to_owned(), positions: Vec::new() });
        assert_eq!(parse("S.M", 32).token, "S.M");
    }

    #[test]
    fn what_is_no_position_is_left_out_of_a_cursor() {
        let resume = parse(&format!("S.M~LUNCH,{B},a b:04HMASW9NF6YF:1,LUNCH:17,,~~"), 32);
        assert_eq!(codes(&resume), ["TEA-TIME"]);
    }

    #[test]
    fn a_room_counts_once_and_no_more_are_read_than_may_be() {
        assert_eq!(codes(&parse(&format!("S.M~{A},{A},{B}"), 32)), ["LUNCH", "TEA-TIME"]);
        assert_eq!(codes(&parse(&format!("S.M~{A},{B}"), 1)), ["LUNCH"]);
        assert_eq!(codes(&parse(&format!("S.M~,17,{A},{B}"), 1)), ["LUNCH"], "what is none takes no place");
    }

    #[test]
    fn a_position_is_written_in_either_way() {
        assert_eq!(list(&format!("{A},TEA-TIME~04HMASW9NF6YF:0")).count(), 2);
        assert_eq!(list("").count() + list("LUNCH:17").count(), 0);
    }
}
