//! How far people have said that they have read, as far as no server may have lost it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chat_core::wire::ReadStatus;
use chat_core::{Epoch, Seq};

use crate::locks::lock;
use crate::promise::{Broken, Promise, hold};

/// Everything that was answered to a `read`, by one server.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<Answered>);

#[derive(Debug, Default)]
struct Answered {
    /// How many servers there were before this one. What was read in its last seconds may be lost with one.
    servers: u64,
    furthest: BTreeMap<(String, Epoch, String), Seq>,
}

/// Somebody says how far they have read: what was answered to their person before.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    room: String,
    epoch: Epoch,
    person: String,
    through: Seq,
    servers: u64,
    furthest: Seq,
}

impl Reading {
    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    /// The life of the room that was asked about.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Reads {
    pub(crate) fn begin(&self, room: &str, epoch: Epoch, person: &str, through: Seq) -> Reading {
        let answered = lock(&self.0);
        let (room, person) = (room.to_owned(), person.to_owned());
        let furthest = answered.furthest.get(&(room.clone(), epoch, person.clone())).copied().unwrap_or_default();
        Reading { room, epoch, person, through, servers: answered.servers, furthest }
    }

    /// It is answered: nothing that was answered before it was asked has been forgotten.
    pub(crate) fn answered(&self, reading: Reading, status: &ReadStatus) -> Result<(), Broken> {
        let Reading { room, epoch, person, through, servers, furthest } = reading;
        let mut answered = lock(&self.0);
        if answered.servers != servers {
            return Ok(());
        }
        let least = through.max(furthest).min(status.as_of);
        hold!(
            status.through >= least,
            Promise::Read,
            "{room}: {person} has read through {least}, and is told {status:?}"
        );
        let kept = answered.furthest.entry((room, epoch, person)).or_default();
        *kept = status.through.max(*kept);
        Ok(())
    }

    /// Another server takes over.
    pub(crate) fn restart(&self) {
        let mut answered = lock(&self.0);
        answered.servers += 1;
        answered.furthest.clear();
    }
}
