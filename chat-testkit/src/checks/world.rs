//! One run: a room and a model of it, driven as the room's contract says, and compared after every step.

mod compare;
mod invariants;

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_core::room::{Decision, Input, Ledger, Note, Room, Snapshot};
use chat_core::{Digest, Epoch, Event, Mono, Now, Record, RecordVersion, RejectCode, RoomLimits, Wall};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::model::{Model, Refusal, without_digest};
use crate::strategies::{Cast, Play, Step, host_names};

/// More consequences of one moment than any run has.
const CONSEQUENCES_MAX: usize = 32;

/// A room, a model of it, and the log that the room's decisions make.
pub struct World {
    limits: Arc<RoomLimits>,
    room: Room,
    model: Model,
    cast: Cast,
    now: Now,
    /// Everything that was decided and not lost, over all lives: one entry per decision.
    log: Vec<Vec<Record>>,
    /// When each of them was made, by which process.
    made: Vec<(u32, Mono)>,
    process: u32,
    /// What may be written: it is asked before each decision.
    writes: RecordVersion,
    /// A stored ledger, and how many decisions it includes.
    snapshot: Option<(String, usize)>,
    digests: BTreeMap<(Epoch, String), Digest>,
}

impl World {
    /// Nothing has happened yet.
    pub fn new(limits: Arc<RoomLimits>) -> Self {
        let mut model = Model::new(Arc::clone(&limits));
        model.keep_for_host(host_names());
        Self {
            room: Room::new(Arc::clone(&limits)),
            model,
            limits,
            cast: Cast::new(),
            now: Now { wall: Wall(1_795_370_400_000), mono: Mono(5_000) },
            log: Vec::new(),
            made: Vec::new(),
            process: 0,
            writes: RecordVersion::LATEST,
            snapshot: None,
            digests: BTreeMap::new(),
        }
    }

    /// Plays one step, and everything that is due after it.
    ///
    /// # Errors
    /// Where the room and the model differ, or an invariant does not hold.
    pub fn step(&mut self, step: &Step) -> TestCaseResult {
        let wall = self.now.wall.0.saturating_add(step.pass.mono).saturating_add_signed(step.pass.step);
        self.now = Now { wall: Wall(wall), mono: Mono(self.now.mono.0 + step.pass.mono) };
        match self.cast.play(&step.act, &self.model) {
            Play::Input(input) => self.decide(&input)?,
            Play::Note(note) => {
                self.room.note(self.now, note.clone());
                self.model.note(self.now, note);
            }
            Play::Restart => self.restart()?,
            Play::Writes(version) => {
                self.writes = version;
                self.model.write_up_to(version);
            }
            Play::Lose { decisions } => self.lose(decisions)?,
        }
        for _ in 0..CONSEQUENCES_MAX {
            if self.room.next_deadline().is_none_or(|deadline| deadline > self.now.mono) {
                break;
            }
            self.decide(&Input::Elapsed)?;
        }
        self.compare()?;
        self.check_invariants()
    }

    /// Stores the ledger as it is now; replayed at the end of the run.
    pub fn take_snapshot(&mut self) {
        self.snapshot = Some((stored(self.room.ledger()), self.log.len()));
    }

    /// Invariant 7: replaying a snapshot and the rest of the log, or all of the log, gives the ledger that lived
    /// through it.
    ///
    /// # Errors
    /// Where it gives another.
    pub fn check_replays(&self) -> TestCaseResult {
        prop_assert_eq!(&replay(Ledger::new(&self.limits), &self.log), self.room.ledger(), "the whole log, replayed");
        if let Some((snapshot, decisions)) = &self.snapshot {
            let replayed = replay(restored(snapshot)?, &self.log[*decisions..]);
            prop_assert_eq!(&replayed, self.room.ledger(), "a snapshot and the rest of the log, replayed");
        }
        Ok(())
    }

    fn decide(&mut self, input: &Input) -> TestCaseResult {
        self.room.write_up_to(self.writes);
        self.room.keep_for_host(&host_names());
        let expected = self.model.expect(self.now, input);
        let decided = self.room.decide(self.now, input);
        let comparable = decided.as_ref().map(without_digests).map_err(Refusal::from);
        prop_assert_eq!(&comparable, &expected, "{:?} at {:?}", input, self.now);
        if let Err(reject) = &decided {
            use RejectCode::{
                AtCapacity, BansFull, EditsFull, LiveFull, ReactionsFull, RolesFull, RoomFull, SignalsFull, TooLate,
                TooLong, TooManyAttachments,
            };
            let is_full = matches!(reject.code, RoomFull | TooManyAttachments | RolesFull | BansFull);
            let is_full = is_full || matches!(reject.code, LiveFull | SignalsFull | EditsFull | ReactionsFull);
            let names_a_limit = is_full || matches!(reject.code, TooLong | TooLate | AtCapacity);
            prop_assert_eq!(reject.limit.is_some(), names_a_limit, "{:?}", reject);
        }
        let (Ok(decided), Ok(expected)) = (decided, expected) else {
            return Ok(());
        };
        let of_reactions = if is_sweep(input) { self.limits.reactions_per_person_max } else { 0 };
        prop_assert!(decided.records.len() <= 6 + of_reactions, "never more than 6 records: {:?}", decided.records);
        for record in &decided.records {
            prop_assert!(record.version() <= self.writes, "{:?} where {:?} is", record, self.writes);
            self.room.apply(self.now, record);
        }
        if let Some(note) = decided.note {
            self.room.note(self.now, note);
        }
        self.model.live(self.now, input, &expected);
        self.check_digests(input, &decided.records)?;
        if !decided.records.is_empty() {
            self.log.push(decided.records.into_vec());
            self.made.push((self.process, self.now.mono));
        }
        Ok(())
    }

    fn restart(&mut self) -> TestCaseResult {
        let ledger = restored(&stored(self.room.ledger()))?;
        let reads = serde_json::to_string(self.room.read_positions()).expect("they can be stored");
        self.room = Room::from_ledger(ledger, Arc::clone(&self.limits));
        self.room.put_read_positions(serde_json::from_str(&reads).expect("they are read as they were stored"));
        self.room.note(self.now, Note::Recovered);
        self.model.restart(self.now);
        self.process += 1;
        Ok(())
    }

    fn lose(&mut self, decisions: usize) -> TestCaseResult {
        let this_life = self.decisions_of_this_life().len();
        let rest = self.log.len() - decisions.min(this_life);
        let lost = self.log.split_off(rest);
        if lost.len() == this_life {
            // A log holds one life at a time: what was before this one has been deleted.
            self.log.clear();
        }
        self.made.truncate(self.log.len());
        if self.snapshot.as_ref().is_some_and(|(_, through)| *through > self.log.len()) {
            self.snapshot = None;
        }
        self.room.replace_ledger(self.now, replay(Ledger::new(&self.limits), &self.log));
        self.model.lose(self.now, lost.iter().map(Vec::len).sum());
        Ok(())
    }

    /// Within a life, what says the same has one digest and nothing else has it.
    fn check_digests(&mut self, input: &Input, records: &[Record]) -> TestCaseResult {
        let sent = match input {
            Input::Send { said, as_sent, .. } => format!("{:?}", as_sent.as_ref().unwrap_or(said)),
            Input::Say { name, said, .. } => {
                format!("the host as {:?}: {said:?}", host_names().like(&name.key()))
            }
            Input::Edit { target, content, as_sent, .. } => {
                format!("{target} says {:?}", as_sent.as_ref().unwrap_or(content))
            }
            _ => return Ok(()),
        };
        for record in records {
            let (Event::Sent { keyed, .. } | Event::Edited { keyed, .. }) = &record.event else { continue };
            let (Some(keyed), Some(epoch)) = (keyed, self.room.epoch()) else { continue };
            let known = self.digests.entry((epoch, sent.clone())).or_insert(keyed.digest);
            prop_assert_eq!(*known, keyed.digest, "one content, one digest");
            let owners = self.digests.iter().filter(|(_, digest)| **digest == keyed.digest).count();
            prop_assert_eq!(owners, 1, "one digest, one content, and in one life only");
        }
        Ok(())
    }

    fn decisions_of_this_life(&self) -> &[Vec<Record>] {
        let begins = |decision: &Vec<Record>| matches!(decision[0].event, Event::Created { .. });
        self.log.iter().rposition(begins).map_or(&[], |start| &self.log[start..])
    }
}

/// Whether it takes back what somebody has reacted with, each by an event.
fn is_sweep(input: &Input) -> bool {
    match input {
        Input::RedactAll { .. } => true,
        Input::Ban { terms, .. } => terms.sweep,
        _ => false,
    }
}

fn stored(ledger: &Ledger) -> String {
    serde_json::to_string(&Snapshot::from(ledger.clone())).expect("a snapshot can be stored")
}

fn restored(snapshot: &str) -> Result<Ledger, TestCaseError> {
    let snapshot: Snapshot = serde_json::from_str(snapshot).map_err(|error| TestCaseError::fail(error.to_string()))?;
    Ok(snapshot.into())
}

fn replay(mut ledger: Ledger, log: &[Vec<Record>]) -> Ledger {
    log.iter().flatten().for_each(|record| ledger.apply(record));
    ledger
}

fn without_digests(decision: &Decision) -> Decision {
    Decision { records: decision.records.iter().map(without_digest).collect(), ..decision.clone() }
}
