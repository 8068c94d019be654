//! What of each life a backend is told by the feed: every event that members are told, and the end.

use chat_core::{Epoch, Event, Offset, Record, RoomCode};

use super::Truth;

impl Truth {
    /// Which of the told events of a life a record is, from 0 on; nothing where it is not told.
    pub(crate) fn place_in_feed(&self, room: &RoomCode, epoch: Epoch, offset: Offset) -> Option<usize> {
        let lives = self.lives();
        let records = &lives.get(&(room.as_str().to_owned(), epoch))?.records;
        records.iter().filter(|record| is_told(record)).position(|record| record.offset == offset)
    }

    /// The lives that a log has held, and how many events of each are told.
    pub(crate) fn told_in_feed(&self) -> Vec<(RoomCode, Epoch, usize)> {
        let lives = self.lives();
        let told = lives.iter().map(|((room, epoch), life)| {
            let room = RoomCode::parse(room).expect("the rooms of a world are valid");
            (room, *epoch, life.records.iter().filter(|record| is_told(record)).count())
        });
        told.collect()
    }
}

fn is_told(record: &Record) -> bool {
    record.seq.is_some() || matches!(record.event, Event::Closed { .. })
}
