//! One run: a room and a model of it, driven as the room's contract says, and compared after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chat_core::room::{Answer, Caller, Decision, Input, Ledger, More, Note, OwedChange, OwnerSeat, Room, Snapshot};
use chat_core::{
    Color, Digest, Epoch, Event, HistoryAnchor, Key, MemberId, Mono, NewcomersSee, Now, Offset, Record, RecordVersion,
    RejectCode, Role, RoomLimits, Scope, Seq, SessionId, Wall,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::bans::{changed_after, changed_by, check_bans, said_by};
use super::edits::check_edits;
use super::reactions::check_reactions;
use super::roles::{Roles, check_roles};
use crate::model::{Model, Person, Refusal, without_digest};
use crate::strategies::{Cast, Play, Step};

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
        Self {
            room: Room::new(Arc::clone(&limits)),
            model: Model::new(Arc::clone(&limits)),
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
        let expected = self.model.expect(self.now, input);
        let decided = self.room.decide(self.now, input);
        let comparable = decided.as_ref().map(without_digests).map_err(Refusal::from);
        prop_assert_eq!(&comparable, &expected, "{:?} at {:?}", input, self.now);
        if let Err(reject) = &decided {
            use RejectCode::{
                BansFull, EditsFull, LiveFull, ReactionsFull, RolesFull, RoomFull, SignalsFull, TooLate, TooLong,
                TooManyAttachments,
            };
            let is_full = matches!(reject.code, RoomFull | TooManyAttachments | RolesFull | BansFull);
            let is_full = is_full || matches!(reject.code, LiveFull | SignalsFull | EditsFull | ReactionsFull);
            let names_a_limit = is_full || matches!(reject.code, TooLong | TooLate);
            prop_assert_eq!(reject.limit.is_some(), names_a_limit, "{:?}", reject);
        }
        let (Ok(decided), Ok(expected)) = (decided, expected) else {
            return Ok(());
        };
        let of_reactions = if is_sweep(input) { self.limits.reactions_per_person_max } else { 0 };
        prop_assert!(decided.records.len() <= 5 + of_reactions, "never more than 5 records: {:?}", decided.records);
        for record in &decided.records {
            prop_assert!(record.event.version() <= self.writes, "{:?} where {:?} is", record, self.writes);
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

    /// Everything that can be asked of both.
    fn compare(&self) -> TestCaseResult {
        let (room, model) = (&self.room, &self.model);
        prop_assert_eq!(room.epoch(), model.epoch());
        prop_assert_eq!(room.head(), model.head());
        prop_assert_eq!(room.topic(), &model.topic());
        prop_assert_eq!(room.settings(), &model.settings());
        prop_assert_eq!(room.notices(), model.notices());
        let members: Vec<Person> = room.members().map(person).collect();
        prop_assert_eq!(&members, &model.members());
        prop_assert_eq!(room.members_total(), members.len());
        for member in &members {
            prop_assert_eq!(room.member(member.id).map(person), Some(member.clone()));
            let mut sessions: Vec<SessionId> = room.sessions_of(member.id).into_vec();
            sessions.sort();
            prop_assert_eq!(sessions, model.sessions_of(member.id), "sessions of {:?}", member.id);
        }
        for caller in self.cast.callers() {
            prop_assert_eq!(room.member_of(&caller), model.member_of(&caller).map(|person| person.id), "{:?}", caller);
            let scope = caller.scope();
            prop_assert_eq!(room.read_position(&scope), model.read_position(&scope), "read by {:?}", caller);
            let lost = (room.read_position_of_lost(&scope), model.read_position_of_lost(&scope));
            prop_assert_eq!(lost.0, lost.1, "read by {:?}, who is lost", caller);
        }
        prop_assert_eq!(room.ledger().owed().collect::<Vec<_>>(), model.owed());
        prop_assert_eq!(room.changed_at(), model.changed_at());
        let freezes: Vec<(Seq, Seq)> = room.ledger().owed_freezes().map(|owed| (owed.target, owed.change)).collect();
        prop_assert_eq!(freezes, model.owed_freezes());
        for message in (0..=model.head().0).map(Seq) {
            prop_assert_eq!(room.reactions_to(message), model.reactions_to(message), "to {:?}", message);
        }
        let owner = model.members().into_iter().find(|person| person.role == Role::Owner);
        let seat = match (owner, model.held_seat()) {
            (Some(owner), _) => OwnerSeat::Taken(owner.id),
            (None, Some((_, until))) => OwnerSeat::Held(until),
            (None, None) => OwnerSeat::Free,
        };
        prop_assert_eq!((room.owner_seat(), room.is_protected()), (seat, model.is_protected()));
        prop_assert_eq!(room.typing(), model.typing());
        let mut growing: Vec<_> = room.live_texts().iter().map(|live| (live.member, live.target, &live.text)).collect();
        growing.sort_by_key(|(member, ..)| *member);
        let expected = model.growing();
        let expected: Vec<_> = expected.iter().map(|live| (live.member, live.target, &live.text)).collect();
        prop_assert_eq!(growing, expected);
        let shown: Vec<_> = room.signals().iter().map(|signal| (signal.member, &signal.name, &signal.data)).collect();
        let expected = model.shown();
        let expected: Vec<_> = expected.iter().map(|shown| (shown.member, &shown.name, &shown.data)).collect();
        prop_assert_eq!(shown, expected);
        prop_assert_eq!(room.online(), model.online());
        prop_assert_eq!(room.next_deadline(), model.next_deadline());
        if room.epoch().is_some() {
            prop_assert_eq!(room.time(self.now), model.time(self.now));
        }
        Ok(())
    }

    /// The numbered invariants of the design, read off the log alone: no model is asked.
    fn check_invariants(&self) -> TestCaseResult {
        let life: Vec<&Record> = self.decisions_of_this_life().iter().flatten().collect();

        // 1. `seq` is dense from 1 within an epoch; `at` never goes back.
        prop_assert!(life.iter().map(|record| record.offset).eq((1..=life.len() as u64).map(Offset)));
        let told: Vec<Seq> = life.iter().filter_map(|record| record.seq).collect();
        prop_assert!(told.iter().copied().eq((1..=told.len() as u64).map(Seq)), "told numbers: {:?}", told);
        prop_assert!(life.is_sorted_by_key(|record| record.at), "time goes back");
        let decisions = self.decisions_of_this_life();
        let moments = self.made[self.made.len() - decisions.len()..].iter().zip(decisions);
        let moments: Vec<_> = moments.map(|(made, records)| (made, records[0].at)).collect();
        for pair in moments.windows(2) {
            let [((process, then), before), ((next, now), at)] = [pair[0], pair[1]];
            let passed = if process == next { now.since(*then) } else { Duration::ZERO };
            prop_assert!(at.since(before) >= passed, "time stands still");
        }

        // 4. Members = fold of the log; history = the last N messages, never a notice.
        let members: Vec<MemberId> = self.room.members().map(|member| member.id).collect();
        prop_assert_eq!(&members, &members_of(&life));
        check_persons(&life, &self.limits)?;
        check_roles(self.decisions_of_this_life(), &self.limits)?;
        check_bans(&life)?;
        check_reactions(&life, &self.limits)?;
        if let Some(by) = self.cast.callers().into_iter().find(|caller| self.room.member_of(caller).is_some()) {
            let asked = Input::History { by: by.clone(), anchor: HistoryAnchor::Newest, limit: None };
            let decision = self.room.decide(self.now, &asked).expect("a member may read");
            let said: Vec<Seq> =
                life.iter().filter(|record| is_message(record)).filter_map(|record| record.seq).collect();
            let own = self.room.member_of(&by).and_then(|own| self.room.member(own));
            let sees = own.map_or(Seq(0), |own| own.sees);
            let most = self.limits.history_default.min(self.limits.history_max).min(self.limits.marks_max);
            let newest = &said[said.len().saturating_sub(most)..];
            let newest = &newest[newest.partition_point(|seq| *seq <= sees)..];
            let Answer::History(slice) = decision.answer else {
                return Err(TestCaseError::fail("a question for history is answered with history"));
            };
            prop_assert_eq!(slice.seqs.as_slice(), newest);
            self.check_pages(&by, &said, sees)?;
        }

        // 5. A room exists exactly while it has members or lingers.
        let lingers = members.is_empty() && self.room.next_deadline().is_some();
        prop_assert_eq!(self.room.epoch().is_some(), !members.is_empty() || lingers);
        let longest = self.limits.empty_linger.max(self.limits.lost_linger);
        prop_assert!(!lingers || !longest.is_zero(), "nothing lingers for no time");

        // 6. One key, one message, within the window.
        let keyed = keyed_of(&life);
        for (number, (scope, key)) in keyed.iter().enumerate() {
            let Some(first) = keyed[..number].iter().rposition(|earlier| earlier == &(scope.clone(), key.clone()))
            else {
                continue;
            };
            let between = &keyed[first + 1..number];
            let own = between.iter().filter(|(other, _)| other == scope).count();
            let forgotten = own + 1 >= self.limits.keys_per_scope_max || between.len() + 1 >= self.limits.keys_max;
            prop_assert!(forgotten, "{:?} of {:?} was said twice within the window", key, scope);
        }

        check_edits(&life, &self.limits)?;

        // What is owed is bounded, and always something that was changed.
        let owed: Vec<_> = self.room.ledger().owed().collect();
        prop_assert!(self.room.ledger().owed_total() <= self.limits.owed_max);
        let longest = self.limits.owed_bytes_max.max(4 * self.limits.message_chars_max + self.limits.data_bytes_max);
        prop_assert!(self.room.ledger().owed_bytes() <= longest);
        for owed in owed {
            let record = life.iter().find(|record| record.seq == Some(owed.change()));
            let is_of_it = match (owed, record.map(|record| &record.event)) {
                (OwedChange::TakeBack(owed), Some(Event::Redacted { target })) => owed.target == *target,
                (OwedChange::Edit(owed), Some(Event::Edited { target, n, .. })) => {
                    (owed.target, owed.n, Some(owed.offset)) == (*target, *n, record.map(|record| record.offset))
                }
                (OwedChange::Sweep(owed), Some(&Event::Swept { member, from, to })) => {
                    (owed.member, owed.from, owed.to) == (member, from, to)
                }
                _ => false,
            };
            prop_assert!(is_of_it, "{:?} is owed for {:?}", owed, record);
        }

        // Whoever asks for changes as long as there are more is told every message of theirs that was changed since then, or that they are
        // out of reach.
        if let Some(by) = self.cast.callers().into_iter().find(|caller| self.room.member_of(caller).is_some()) {
            let sees =
                self.room.member_of(&by).and_then(|id| self.room.member(id)).map_or(Seq(0), |member| member.sees);
            for after in [0, self.room.head().0 / 2, self.room.head().0].map(Seq) {
                let (mut told, mut at) = (BTreeSet::new(), after);
                let is_all = loop {
                    let asked = Input::Changes { by: by.clone(), after: at };
                    match self.room.decide(self.now, &asked).map(|decision| decision.answer) {
                        Ok(Answer::Changes(slice)) => {
                            prop_assert!(slice.through > at || slice.more == More::No, "it goes on");
                            told.extend(slice.changed.iter().map(|changed| changed.target));
                            let ranges = slice.swept.iter();
                            told.extend(ranges.flat_map(|sweep| said_by(&life, sweep.member, sweep.from, sweep.to)));
                            at = slice.through;
                            if slice.more == More::No {
                                break true;
                            }
                        }
                        refused => {
                            prop_assert_eq!(refused.map_err(|reject| reject.code), Err(RejectCode::OutOfReach));
                            break false;
                        }
                    }
                };
                let changed = changed_after(&life, after);
                let theirs: BTreeSet<Seq> = changed.into_iter().filter(|target| *target > sees).collect();
                let is_change = |record: &&&Record| {
                    let is_later = record.seq.is_some_and(|seq| seq > after);
                    let (is_one, is_range) = (changed_by(&record.event), matches!(record.event, Event::Swept { .. }));
                    is_later && (is_one.is_some() || is_range)
                };
                let changes = life.iter().filter(is_change).count();
                let is_so = if is_all { told == theirs } else { changes > self.limits.changes_max };
                prop_assert!(is_so, "after {:?} {:?} are told of {:?}", after, told, theirs);
            }
        }

        self.room.check_invariants();
        Ok(())
    }

    /// Whoever pages on after the last, or back before the first, is shown everything that the room remembers of what they see, once and in
    /// order; and a message is on the page around it.
    fn check_pages(&self, by: &Caller, said: &[Seq], sees: Seq) -> TestCaseResult {
        let limits = &self.limits;
        let marks = &said[said.len().saturating_sub(limits.marks_max)..];
        let theirs = &marks[marks.partition_point(|seq| *seq <= sees)..];
        let page = |anchor, limit| {
            let asked = Input::History { by: by.clone(), anchor, limit: Some(limit) };
            match self.room.decide(self.now, &asked).map(|decision| decision.answer) {
                Ok(Answer::History(slice)) => slice,
                other => panic!("a member may read: {other:?}"),
            }
        };
        if limits.history_max > 0 {
            let (mut on, mut after) = (Vec::new(), Seq(0));
            loop {
                let slice = page(HistoryAnchor::After(after), 2);
                let Some(last) = slice.newer.seqs.last() else { break };
                on.extend(slice.newer.seqs.iter().copied());
                after = *last;
            }
            prop_assert_eq!(on.as_slice(), theirs, "paged on");
        }
        for seq in theirs {
            let slice = page(HistoryAnchor::Around(*seq), 3);
            prop_assert_eq!(slice.newer.seqs.first(), Some(seq).filter(|_| limits.history_max > 0));
            let shown: Vec<Seq> = slice.seqs.iter().chain(&slice.newer.seqs).copied().collect();
            let at = theirs.partition_point(|other| other < shown.first().unwrap_or(seq));
            prop_assert_eq!(&theirs[at..at + shown.len()], shown.as_slice(), "around {:?} without a hole", seq);
        }
        Ok(())
    }

    /// Within a life, what says the same has one digest and nothing else has it.
    fn check_digests(&mut self, input: &Input, records: &[Record]) -> TestCaseResult {
        let sent = match input {
            Input::Send { said, as_sent, .. } => format!("{:?}", as_sent.as_ref().unwrap_or(said)),
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

fn person(member: &chat_core::room::Member) -> Person {
    Person {
        id: member.id,
        nick: member.nick.clone(),
        nick_key: member.nick_key.clone(),
        color: member.color,
        role: member.role,
        scope: member.scope.clone(),
        joined: member.joined,
        sees: member.sees,
        entered: member.entered,
        begun: member.begun,
        since: member.since,
        data: member.data.clone(),
    }
}

/// Who is in, by the plainest fold there is. Nobody, once the life is over.
fn members_of(life: &[&Record]) -> Vec<MemberId> {
    let mut members = BTreeSet::new();
    for record in life {
        match &record.event {
            Event::Joined { .. } => drop(members.insert(record.by.expect("a join is somebody's"))),
            Event::Left { .. } => drop(members.remove(&record.by.expect("a leave is somebody's"))),
            Event::Kicked { member: kicked, .. } => drop(members.remove(kicked)),
            Event::Closed { .. } => members.clear(),
            _ => {}
        }
    }
    members.into_iter().collect()
}

/// A number is a person: nobody else ever has it, and who comes back has it again, unless they were put out or so many have left
/// since that their place is forgotten. So it is with the floor of what they see; that of somebody new is what the limits say.
fn check_persons(life: &[&Record], limits: &RoomLimits) -> TestCaseResult {
    let mut persons: BTreeMap<MemberId, (&Scope, Color, Seq)> = BTreeMap::new();
    let (mut head, mut said) = (Seq(0), Vec::new());
    let mut newcomers_see = limits.newcomers_see;
    let mut roles = Roles::new(limits);
    // Those who left, the last one last.
    let mut left: Vec<MemberId> = Vec::new();
    for record in life {
        match (&record.event, record.by) {
            (Event::Joined { scope, color, sees, .. }, Some(by)) => {
                let index = left.iter().rposition(|gone| persons[gone].0 == scope);
                let place = index.map(|index| left.remove(index));
                // A join that says no floor was written for programs that gave each one a number of its own.
                let again = place.filter(|_| sees.is_some());
                prop_assert!(again.is_some() || !persons.contains_key(&by), "{:?} is given to {:?}", by, scope);
                prop_assert_eq!(again.unwrap_or(by), by, "{:?} comes back as another", scope);
                let before = again.map_or(*color, |place| persons[&place].1);
                prop_assert_eq!(before, *color, "{:?} comes back in another colour", scope);
                let kept = place.map(|place| persons[&place].2);
                let floor = kept.unwrap_or_else(|| match sees {
                    Some(_) => floor_of_newcomer(newcomers_see, limits, head, &said),
                    None => Seq(0),
                });
                prop_assert_eq!(sees.unwrap_or(floor), floor, "{:?} sees another part", scope);
                persons.insert(by, (scope, *color, floor));
            }
            (Event::Left { .. }, Some(by)) => left.push(by),
            (Event::SettingsChanged { settings }, _) => {
                newcomers_see = settings.history.unwrap_or(limits.newcomers_see);
            }
            (Event::BanAdded { member, .. }, _) => left.retain(|gone| gone != member),
            _ => {}
        }
        head = record.seq.unwrap_or(head);
        said.extend(record.seq.filter(|_| is_message(record)));
        roles.apply(record);
        while left.len() > limits.former_max {
            let first = left.iter().position(|gone| roles.role(*gone) == Role::Member);
            left.remove(first.unwrap_or(0));
        }
    }
    Ok(())
}

/// Up to where somebody learns nothing who joins after these messages.
fn floor_of_newcomer(newcomers_see: NewcomersSee, limits: &RoomLimits, head: Seq, said: &[Seq]) -> Seq {
    let shown = match newcomers_see {
        NewcomersSee::All => return Seq(0),
        NewcomersSee::Last(shown) => (shown as usize).min(limits.marks_max),
        _ => return head,
    };
    let hidden = said.len().saturating_sub(shown);
    if hidden == 0 { Seq(0) } else { said.get(hidden).map_or(head, |first| Seq(first.0 - 1)) }
}

/// The keys of all messages, with whose they are.
fn keyed_of(life: &[&Record]) -> Vec<(Scope, Key)> {
    let mut scopes: BTreeMap<MemberId, Scope> = BTreeMap::new();
    let mut keys = Vec::new();
    for record in life {
        match (&record.event, record.by) {
            (Event::Joined { scope, .. }, Some(by)) => {
                scopes.insert(by, scope.clone());
            }
            (
                Event::Sent { keyed: Some(keyed), .. }
                | Event::Edited { keyed: Some(keyed), .. }
                | Event::Reacted { keyed: Some(keyed), .. },
                Some(by),
            ) => {
                keys.push((scopes[&by].clone(), keyed.key.clone()));
            }
            _ => {}
        }
    }
    keys
}

fn is_message(record: &Record) -> bool {
    matches!(record.event, Event::Sent { .. })
}
