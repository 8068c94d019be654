//! Who writes to each life of a room: one server under one term, the one that decides for the room.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chat_core::{Epoch, NodeId, Offset, Owner, Record, RoomCode, Term};

use crate::locks::lock;
use crate::promise::{Broken, Promise, hold};

/// Which server has written, where there are several.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    terms: Mutex<BTreeMap<(String, Epoch, Term), NodeId>>,
    records: Mutex<BTreeMap<(String, Epoch, Offset), u64>>,
}

impl Writers {
    /// The log has taken these records of a server.
    pub(crate) fn appended(&self, room: &RoomCode, epoch: Epoch, records: &[Record], server: u64) {
        let key = |record: &Record| ((room.as_str().to_owned(), epoch, record.offset), server);
        lock(&self.records).extend(records.iter().map(key));
    }

    /// A server publishes a record: the one that has written it.
    pub(crate) fn published(&self, room: &RoomCode, epoch: Epoch, record: &Record, server: u64) -> Result<(), Broken> {
        let writer = lock(&self.records).get(&(room.as_str().to_owned(), epoch, record.offset)).copied();
        let is_own = writer.is_none_or(|writer| writer == server);
        hold!(is_own, Promise::OneOwner, "{room}: {record:?} is published by another server than has written it");
        Ok(())
    }

    /// A server has written, and the log has taken it; `owner` is who decided for the room when it began to, as that server knew it.
    pub(crate) fn wrote(&self, room: &RoomCode, epoch: Epoch, server: NodeId, owner: Owner) -> Result<(), Broken> {
        let Owner::Me(term) = owner else {
            let how = format!("{room}: {server} writes to {epoch}, which is decided by {owner:?}");
            return Err(Broken { promise: Promise::OneOwner, how });
        };
        let key = (room.as_str().to_owned(), epoch, term);
        let first = *lock(&self.terms).entry(key).or_insert(server);
        hold!(first == server, Promise::OneOwner, "{room}: {server} writes to {epoch} as {first} did, under {term:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_alone_writes_to_a_life_under_one_term() {
        let writers = Writers::default();
        let room = RoomCode::parse("AAA").expect("a valid code");
        let wrote = |server, epoch, owner| {
            let wrote = writers.wrote(&room, Epoch(epoch), NodeId(server), owner);
            wrote.map_err(|broken| broken.promise)
        };
        assert_eq!(wrote(1, 7, Owner::Me(Term(1))), Ok(()));
        assert_eq!(wrote(1, 7, Owner::Me(Term(1))), Ok(()));
        assert_eq!(wrote(2, 7, Owner::Me(Term(1))), Err(Promise::OneOwner));
        assert_eq!(wrote(2, 7, Owner::Me(Term(2))), Ok(()), "it was given the room");
        assert_eq!(wrote(2, 8, Owner::Me(Term(1))), Ok(()), "another life");
        assert_eq!(wrote(1, 7, Owner::Other(NodeId(2), Term(2))), Err(Promise::OneOwner));
        assert_eq!(wrote(1, 7, Owner::Nobody), Err(Promise::OneOwner));
    }
}
