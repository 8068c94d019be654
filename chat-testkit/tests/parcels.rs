//! Whatever a room is asked, and whatever comes of it, is at another server what it was.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chat_core::checks::{parcel_of_input, parcel_of_outcome};
use chat_core::room::{Input, Room};
use chat_core::{Identity, Mono, Now, Offset, RoomLimits, SessionId, Wall};
use chat_testkit::model::Model;
use chat_testkit::strategies::{Cast, Play, Step, any_run, cases, small_limits};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Every kind of input.
const INPUTS: [&str; 35] = [
    "Create",
    "Found",
    "Join",
    "Attach",
    "Me",
    "ChangeMember",
    "Send",
    "Edit",
    "Leave",
    "History",
    "Changes",
    "Members",
    "Typing",
    "Live",
    "Signal",
    "Read",
    "React",
    "Redact",
    "Settle",
    "Kick",
    "Ban",
    "Unban",
    "Bans",
    "RedactAll",
    "SetTopic",
    "Settings",
    "SetRole",
    "Protect",
    "Keep",
    "Invite",
    "Erase",
    "Erased",
    "Scrubbed",
    "Close",
    "Elapsed",
];
/// Every kind of note.
const NOTES: [&str; 8] = ["Attached", "Detached", "Typing", "Live", "Signal", "Read", "Elapsed", "Recovered"];
/// Every kind of answer.
const ANSWERS: [&str; 12] = [
    "Entered", "Sent", "Left", "Done", "History", "Changes", "Members", "Read", "Bans", "Invited", "Erased", "Nothing",
];

/// A room whose every input and outcome is carried, and of which kinds they were.
struct Carried {
    room: Room,
    model: Model,
    cast: Cast,
    now: Now,
    kinds: BTreeSet<String>,
}

impl Carried {
    fn new(limits: RoomLimits) -> Self {
        let limits = Arc::new(limits);
        let now = Now { wall: Wall(1_795_370_400_000), mono: Mono(5_000) };
        let (room, model) = (Room::new(Arc::clone(&limits)), Model::new(limits));
        Self { room, model, cast: Cast::new(), now, kinds: BTreeSet::new() }
    }

    fn step(&mut self, step: &Step) {
        let wall = self.now.wall.0.saturating_add(step.pass.mono).saturating_add_signed(step.pass.step);
        self.now = Now { wall: Wall(wall), mono: Mono(self.now.mono.0 + step.pass.mono) };
        match self.cast.play(&step.act, &self.model) {
            Play::Input(input) => self.decide(&input),
            Play::Note(note) => {
                parcel_of_outcome(&[], Some(&note), None);
                self.meet("note", &note);
                self.room.note(self.now, note.clone());
                self.model.note(self.now, note);
            }
            Play::Writes(version) => {
                self.room.write_up_to(version);
                self.model.write_up_to(version);
            }
            // What becomes of a log is nothing that is said to another server.
            Play::Restart | Play::Lose { .. } => {}
        }
        while self.room.next_deadline().is_some_and(|deadline| deadline <= self.now.mono) {
            self.decide(&Input::Elapsed);
        }
    }

    /// What no strategy draws.
    fn erase_a_stranger(&mut self) {
        let (identity, alias) = (Identity::new("a stranger").expect("an identity"), SessionId::new(9));
        self.decide(&Input::Erase { identity, alias, members: Vec::new(), is_told_of: false });
        self.decide(&Input::Erased { alias });
        self.decide(&Input::Scrubbed { through: Offset(1) });
    }

    fn decide(&mut self, input: &Input) {
        parcel_of_input(input);
        self.meet("input", input);
        let expected = self.model.expect(self.now, input);
        let decided = match self.room.decide(self.now, input) {
            Ok(decided) => decided,
            Err(reject) => {
                parcel_of_outcome(&[], None, Some(Err(&reject)));
                self.kinds.insert(format!("reject {}", reject.code.as_str()));
                return;
            }
        };
        parcel_of_outcome(&decided.records, decided.note.as_ref(), Some(Ok(&decided.answer)));
        self.meet("answer", &decided.answer);
        decided.records.iter().for_each(|record| self.room.apply(self.now, record));
        if let Some(note) = decided.note {
            self.meet("note", &note);
            self.room.note(self.now, note);
        }
        self.model.live(self.now, input, &expected.expect("the model does what the room does"));
    }

    fn meet(&mut self, what: &str, value: &impl fmt::Debug) {
        let shown = format!("{value:?}");
        let kind = shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        self.kinds.insert(format!("{what} {kind}"));
    }
}

#[test]
fn what_is_asked_noted_and_answered_arrives_as_it_was_of_whatever_kind() {
    // Always the same runs, so that all kinds are met always: as many as that takes, and more where more are asked for.
    let config = ProptestConfig { cases: cases(0).max(150), failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let met = RefCell::new(BTreeSet::new());
    let played = runner.run(&(small_limits(), any_run(100)), |(limits, steps)| {
        let mut carried = Carried::new(limits);
        steps.iter().for_each(|step| carried.step(step));
        carried.erase_a_stranger();
        met.borrow_mut().extend(carried.kinds);
        Ok(())
    });
    played.unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner();
    let all = INPUTS.map(|kind| format!("input {kind}")).into_iter();
    let all = all.chain(NOTES.map(|kind| format!("note {kind}"))).chain(ANSWERS.map(|kind| format!("answer {kind}")));
    let missed: Vec<String> = all.filter(|kind| !met.contains(kind)).collect();
    assert!(missed.is_empty(), "{missed:?} were never met, but these: {met:?}");
    let rejects = met.iter().filter(|kind| kind.starts_with("reject")).count();
    assert!(rejects >= 15, "refused for {rejects} reasons: {met:?}");
}
