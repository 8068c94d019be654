//! Checks of what travels between servers, for fuzzers and for tests that play rooms: what is read is what was written.

use crate::domain::Record;
use crate::engine::parcel::{BadParcel, Decided, Feed, Parcel};
use crate::room::{Answer, Input, Note};
use crate::types::{Offset, Reject, RoomCode};

/// All bytes are one parcel.
///
/// # Panics
/// When what was read is not read back from its own bytes, or a refusal says what is not true of the bytes.
pub fn parcel(data: &[u8]) {
    match Parcel::decode(data) {
        Ok(parcel) => check(&parcel),
        Err(BadParcel::TooLong(bytes)) => assert!(bytes == data.len() && bytes > Parcel::BYTES_MAX),
        Err(BadParcel::Version(version)) => assert!(data.first() == Some(&version) && version != 1),
        Err(BadParcel::Unreadable(_)) => assert!(data.first().is_none_or(|version| *version == 1)),
    }
}

/// Whether bytes are a parcel; nothing else is done with them.
pub fn reads_parcel(data: &[u8]) -> bool {
    Parcel::decode(data).is_ok()
}

/// An input on its way to the owner of a room.
///
/// # Panics
/// When another one comes in.
pub fn parcel_of_input(input: &Input) {
    check(&Parcel::Ask { room: room(), number: u64::MAX, follows: true, input: Box::new(input.clone()) });
}

/// What an owner publishes, on its way to who follows: records that follow one another, what was noted after them, and an answer.
///
/// # Panics
/// When anything else comes in.
pub fn parcel_of_outcome(records: &[Record], note: Option<&Note>, answer: Option<Result<&Answer, &Reject>>) {
    let after = Offset(records.first().map_or(0, |record| record.offset.0 - 1));
    let last = records.last().map_or(after, |record| record.offset);
    check(&Parcel::Feed(Box::new(Feed {
        room: room(),
        term: 1,
        fresh: None,
        epoch: None,
        after,
        records: records.to_vec(),
        notes: note.map(|note| (last, note.clone())).into_iter().collect(),
    })));
    let answers = answer.map(|answer| {
        let verdict = answer.cloned().map_err(Clone::clone);
        Decided { number: 0, epoch: None, after: last, verdict, newer: None }
    });
    let answers = answers.into_iter().collect();
    check(&Parcel::Answers { room: room(), ahead: false, answers });
}

fn check(parcel: &Parcel) {
    let bytes = parcel.encode();
    let read = Parcel::decode(&bytes);
    let is_same = read.as_ref().is_ok_and(|read| read == parcel);
    assert!(is_same, "{parcel:?} is written as {:?} and read as {read:?}", String::from_utf8_lossy(&bytes));
}

fn room() -> RoomCode {
    RoomCode::parse("LUNCH").expect("a valid code")
}
