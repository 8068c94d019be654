//! A room's rules, pure: what would follow from an input, and what the room is after a record.
//!
//! Never here: tokio, clocks, random numbers, `await`, locks, iteration over a hash map, log lines. Time, randomness
//! and identity are arguments.
//!
//! **The contract.** Call [`Room::decide`], then [`Room::apply`] for each record of the decision in order, then
//! [`Room::note`] with its note, all at the same `now`, before the next `decide`. After each decision, and whenever [`Room::next_deadline`] is
//! due, decide [`Input::Elapsed`] until it is not due any more.

mod apply;
mod attendance;
mod banning;
mod bans;
mod changes;
mod deadlines;
mod decide;
mod decision;
mod draft;
mod editing;
mod erasing;
mod erasures;
mod former;
mod hashes;
mod host_names;
mod input;
mod invariants;
mod invites;
mod inviting;
mod joining;
mod keeping;
mod key_window;
mod leaving;
mod ledger;
mod live;
mod marking_read;
mod marks;
mod me;
mod member_changes;
mod members;
mod note;
mod owed;
mod owing;
mod paging;
mod permissions;
mod reacting;
mod reactions;
mod read_positions;
mod redacting;
mod replicating;
mod roles;
mod seat;
mod sending;
mod settings;
mod showing;
mod signals;
mod slow_mode;
mod snapshot;
mod sweeps;
#[cfg(test)]
mod tests;
mod time;
mod traces;
mod vacancy;
mod weight;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::domain::{Event, Notices, Reaction, Record, RecordVersion, Settings};
use crate::types::{
    Epoch, Generation, MemberId, Mono, Now, Offset, Reject, RoomLimits, Scope, Seq, SessionId, Topic, Wall,
};
use attendance::Attendance;
use decide::Rules;
use ledger::Depth;

pub use bans::BanLine;
pub use changes::Changed;
pub use decision::{Answer, ChangesSlice, Decision, Entered, Entry, HistorySlice, More, NewerSlice, Note, Repeated};
pub use erasures::OwedErasure;
pub use host_names::HostNames;
pub use input::{Actor, Caller, Evidence, Input, SendPermit};
pub use ledger::Ledger;
pub use live::LiveText;
pub use members::Member;
#[cfg(feature = "engine")]
pub(crate) use members::is_same_join;
pub use owed::{OwedAmend, OwedChange, OwedEdit};
pub use reactions::OwedFreeze;
pub use read_positions::{ReadPosition, ReadPositions};
pub use seat::OwnerSeat;
pub use signals::Signal;
pub use snapshot::{Snapshot, Unreadable};
pub use sweeps::Sweep;
pub use time::RoomTime;
pub use traces::Traces;
pub use vacancy::Vacancy;

/// One room: what its log amounts to, and who is attached right now.
///
/// ```
/// use std::sync::Arc;
///
/// use chat_core::room::{Caller, Input, Room};
/// use chat_core::{Epoch, Generation, Mono, Nick, Now, RoomLimits, SessionId, Wall};
///
/// let now = Now { wall: Wall(1_795_370_400_000), mono: Mono(0) };
/// let mut room = Room::new(Arc::new(RoomLimits::default()));
/// let by = Caller { session: SessionId::new(1), generation: Generation(1), identity: None, network: None, named: None };
/// let create = Input::Create { by: by.clone(), nick: Nick::parse("Ann")?, data: None, epoch: Epoch(7), salt: 8 };
///
/// let decision = room.decide(now, &create)?;
/// decision.records.iter().for_each(|record| room.apply(now, record));
/// decision.note.into_iter().for_each(|note| room.note(now, note));
///
/// assert_eq!(room.member_of(&by), room.members().next().map(|ann| ann.id));
/// # Ok::<(), chat_core::Reject>(())
/// ```
#[derive(Clone, Debug)]
pub struct Room {
    ledger: Ledger,
    attendance: Attendance,
    time: RoomTime,
    reads: ReadPositions,
    limits: Arc<RoomLimits>,
    writes: RecordVersion,
    host_names: HostNames,
}

impl Room {
    /// No incarnation yet: everything but [`Input::Create`] and [`Input::Found`] is refused with `room_not_found`.
    pub fn new(limits: Arc<RoomLimits>) -> Self {
        let (attendance, time, reads) = (Attendance::default(), RoomTime::default(), ReadPositions::default());
        let (writes, host_names) = (RecordVersion::LATEST, HostNames::default());
        Self { ledger: Ledger::new(&limits), attendance, time, reads, limits, writes, host_names }
    }

    /// As of a ledger read back, with nobody attached. Note [`Note::Recovered`] next: it says when that is.
    pub fn from_ledger(ledger: Ledger, limits: Arc<RoomLimits>) -> Self {
        let ledger = ledger.bounded(&limits);
        #[cfg(feature = "fault_injection")]
        let ledger = ledger.with_what_is_read_back();
        let (attendance, time) = (apply::nobody_attached(&ledger), RoomTime::default());
        let (reads, writes, host_names) = (ReadPositions::default(), RecordVersion::LATEST, HostNames::default());
        Self { attendance, ledger, time, reads, limits, writes, host_names }
    }

    /// From now on it decides on no record of a later version: another program would not read it. At first it writes all that this
    /// program reads.
    pub fn write_up_to(&mut self, version: RecordVersion) {
        self.writes = version;
    }

    /// From now on the host speaks under these names, and nobody who comes in or changes takes one. At first there is none.
    pub fn keep_for_host(&mut self, names: &HostNames) {
        if self.host_names != *names {
            self.host_names = names.clone();
        }
    }

    /// What would follow from an input, or why not. Nothing has changed yet.
    ///
    /// # Errors
    /// The refusal to tell whoever asked; `room_not_found` for everything but a creation where there is no incarnation.
    pub fn decide(&self, now: Now, input: &Input) -> Result<Decision, Reject> {
        if cfg!(debug_assertions) {
            self.check_settled(invariants::depth(&self.ledger));
        }
        self.rules(now).decide(input)
    }

    /// Takes in the next record of the log, made at this moment: `now` is that of its decision.
    ///
    /// # Panics
    /// When the record does not follow the last one: that is a bug of the caller.
    pub fn apply(&mut self, now: Now, record: &Record) {
        apply::apply(&mut self.ledger, &mut self.attendance, record, &self.limits);
        self.time.record(self.ledger.last_at(), now.mono);
        if let Event::Erased { members, .. } = &record.event {
            members.iter().for_each(|&member| self.reads.forget(member));
            self.attendance.forget_networks(members);
        }
        if self.ledger.epoch().is_none() {
            self.reads = ReadPositions::default();
        }
        self.check_step();
    }

    /// Takes in what passes without being logged. What does not fit (a late word of an older generation) is ignored.
    pub fn note(&mut self, now: Now, note: Note) {
        if let Note::Read { member, through } = note
            && self.ledger.member(member).is_some()
        {
            self.reads.advance(member, through, self.limits.reads_max);
        }
        #[cfg(feature = "fault_injection")]
        if matches!(note, Note::Detached { .. }) && crate::fault_injection::is(crate::fault_injection::Bug::ForgetRead)
        {
            self.reads = ReadPositions::default();
        }
        note::note(&self.ledger, &mut self.attendance, &mut self.time, &self.limits, now, note);
        self.check_step();
    }

    /// Who owns the room, or for whom it is kept. Costs a look at every member.
    pub fn owner_seat(&self) -> OwnerSeat {
        self.ledger.owner_seat()
    }

    /// Whether only the host says who is the owner.
    pub fn is_protected(&self) -> bool {
        self.ledger.is_protected()
    }

    /// Whether it stays while nobody is in it, because the host keeps it.
    pub fn is_kept(&self) -> bool {
        self.ledger.is_kept()
    }

    /// When to decide [`Input::Elapsed`] next: a grace, the linger of an empty room, a held seat, typing or what somebody shows runs out.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.attendance.next_deadline()
    }

    /// What it waits for while nobody is attached, for whoever lets go of it and reads it back later; `None` while somebody is attached.
    pub fn vacancy(&self) -> Option<Vacancy> {
        self.attendance.vacancy().filter(|_| self.epoch().is_some())
    }

    /// Goes on waiting where it was let go of, instead of [`Note::Recovered`]. For a room just read back, whose log has been left alone
    /// in between: no grace ends later for it, and none earlier.
    pub fn go_on_waiting(&mut self, vacancy: &Vacancy) {
        self.attendance.wait(vacancy);
        self.check_step();
    }

    /// How far room time has come, for whoever lets go of the room and reads it back later.
    pub fn time_so_far(&self) -> RoomTime {
        self.time
    }

    /// Room time goes on from there by the monotonic clock, whatever the wall clock says meanwhile. For a room just read back.
    pub fn go_on_in_time(&mut self, now: Mono, time: RoomTime) {
        self.time = time;
        self.time.read_again(self.ledger.last_at(), now);
    }

    /// Puts the ledger that the log really holds in place of this one, after an append that failed.
    ///
    /// Sessions stay attached, as far as they are the same member there; the others lose their attachments.
    /// Members without an attachment are within their grace from now, if it is not running already.
    pub fn replace_ledger(&mut self, now: Now, ledger: Ledger) {
        let ledger = ledger.bounded(&self.limits);
        let is_same = self.ledger.epoch() == ledger.epoch();
        apply::replace(&mut self.ledger, &mut self.attendance, &mut self.time, ledger, now, &self.limits);
        let reads = std::mem::take(&mut self.reads);
        if is_same {
            self.put_read_positions(reads);
        }
        self.check_step();
    }

    /// Room time: what a record would be stamped with now. The wall clock, but later than the last record by no less than the
    /// monotonic clock has run since.
    pub fn time(&self, now: Now) -> Wall {
        self.rules(now).at()
    }

    /// What the log amounts to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Bytes that it holds in memory beside itself, about: what its ledger holds, and who is attached. The same cost in a room of
    /// any size.
    pub fn weight(&self) -> usize {
        self.ledger.weight() + self.attendance.weight() + self.reads.weight()
    }

    /// Which incarnation this is; `None` before it began and after it ended.
    pub fn epoch(&self) -> Option<Epoch> {
        self.ledger.epoch()
    }

    /// The number of the last told event; 0 for none. Stays after the end of an incarnation, until the next begins.
    pub fn head(&self) -> Seq {
        self.ledger.head()
    }

    /// The number of the last record; 0 for none.
    pub fn last_offset(&self) -> Offset {
        self.ledger.last_offset()
    }

    /// What the room is about.
    pub fn topic(&self) -> &Topic {
        self.ledger.topic()
    }

    /// What those who moderate have set.
    pub fn settings(&self) -> &Settings {
        self.ledger.settings()
    }

    /// Whether joins and leaves are told one by one.
    pub fn notices(&self) -> Notices {
        self.ledger.notices()
    }

    /// The number of the last event that changed an earlier message; 0 for none.
    pub fn changed_at(&self) -> Seq {
        self.ledger.changes().last()
    }

    /// How far people have read, to be stored beside the log.
    pub fn read_positions(&self) -> &ReadPositions {
        &self.reads
    }

    /// Puts stored positions in the place of its own: those that can be of what the log holds.
    pub fn put_read_positions(&mut self, positions: ReadPositions) {
        let (last, head) = (self.ledger.last_member(), self.ledger.head());
        self.reads = positions.limited_to(last, head, self.limits.reads_max);
    }

    /// How far a person has read: a member, or somebody who has left and is remembered. Costs a look at the messages since, at most as
    /// many as [`RoomLimits::marks_max`].
    pub fn read_position(&self, person: &Scope) -> Option<ReadPosition> {
        let member = self.ledger.member_with_scope(person).map(|member| (member.id, member.joined));
        let place = || self.ledger.place(person).and_then(|place| Some((place.number()?.0, place.joined)));
        let (member, joined) = member.or_else(place)?;
        let through = self.reads.of(member).unwrap_or(joined);
        Some(marking_read::left_to_read(&self.ledger, &self.limits, member, through))
    }

    /// The same of somebody who timed out and may come back to their place; nothing of anybody else.
    pub fn read_position_of_lost(&self, person: &Scope) -> Option<ReadPosition> {
        self.ledger.place(person).filter(|place| place.is_lost)?;
        self.read_position(person)
    }

    /// Whether there may be a message with this number that the room has forgotten: only its log can say whose it is.
    pub fn may_have_forgotten(&self, message: Seq) -> bool {
        self.ledger.may_have_forgotten(message)
    }

    /// Whether there is a message with this number, or may be one that the room has forgotten.
    pub fn may_be_message(&self, seq: Seq) -> bool {
        self.ledger.marks().find(seq).is_some() || self.may_have_forgotten(seq)
    }

    /// Whether what this message of this author says may have been changed after an event: what was read of it as of then may be out of date.
    pub fn may_have_changed(&self, message: Seq, by: MemberId, since: Seq) -> bool {
        self.ledger.changes().may_have_changed(message, by, since)
    }

    /// What a message has been reacted to with, as far as the room keeps it: until the log has it in the message's record.
    pub fn reactions_to(&self, message: Seq) -> Vec<Reaction> {
        self.ledger.reactions_to(message)
    }

    /// The member with this number.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.ledger.member(id)
    }

    /// The member that a person is.
    pub fn member_with_scope(&self, scope: &Scope) -> Option<MemberId> {
        self.ledger.member_with_scope(scope).map(|member| member.id)
    }

    /// Whether this person has left, as far as the room remembers who may come back to their place.
    pub fn was_member(&self, scope: &Scope) -> bool {
        self.ledger.place(scope).is_some()
    }

    /// All members, in the order of their numbers.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.ledger.members_after(None)
    }

    /// Members with a higher number than this, in order; all for `None`.
    pub fn members_after(&self, after: Option<MemberId>) -> impl Iterator<Item = &Member> {
        self.ledger.members_after(after)
    }

    /// How many members there are.
    pub fn members_total(&self) -> usize {
        self.ledger.members_total()
    }

    /// The member a caller acts as: attached now, with this very generation.
    pub fn member_of(&self, caller: &Caller) -> Option<MemberId> {
        // Membership has nothing to do with time.
        let rules = self.rules(Now { wall: self.ledger.last_at(), mono: Mono(0) });
        rules.member(caller).ok().map(|member| member.id)
    }

    /// The sessions attached as this member now.
    pub fn sessions_of(&self, member: MemberId) -> SmallVec<[SessionId; 2]> {
        self.attendance.sessions_of(member)
    }

    /// Which attach of this session is the newest known.
    pub fn generation_of(&self, session: SessionId) -> Option<Generation> {
        self.attendance.generation(session)
    }

    /// Whether a session is attached as this member.
    pub fn is_online(&self, member: MemberId) -> bool {
        self.attendance.is_online(member)
    }

    /// Members who are typing: the lowest numbers, at most [`RoomLimits::typing_members_max`].
    pub fn typing(&self) -> Vec<MemberId> {
        self.attendance.typing().take(self.limits.typing_members_max).collect()
    }

    /// Messages that are shown while they grow, in the order in which their authors began: at most [`RoomLimits::live_max`].
    pub fn live_texts(&self) -> &[LiveText] {
        self.attendance.live().as_slice()
    }

    /// Another number whenever [`Room::live_texts`] are others, until the room is read anew.
    pub fn live_revision(&self) -> u32 {
        self.attendance.live().revision()
    }

    /// What members show of themselves, in the order of their numbers and of the names.
    pub fn signals(&self) -> &[Signal] {
        self.attendance.signals().as_slice()
    }

    /// Another number whenever [`Room::signals`] are others, until the room is read anew.
    pub fn signals_revision(&self) -> u32 {
        self.attendance.signals().revision()
    }

    /// How many members have a session attached.
    pub fn online(&self) -> usize {
        self.attendance.online()
    }

    /// Panics when something is not as it always is. To be called between decisions; costs a look at every member.
    pub fn check_invariants(&self) {
        self.check_settled(Depth::Full);
    }

    fn rules(&self, now: Now) -> Rules<'_> {
        let Self { ledger, attendance, time, reads, limits, writes, host_names } = self;
        Rules { ledger, attendance, time: *time, reads, limits, writes: *writes, host_names, now }
    }

    fn check_settled(&self, depth: Depth) {
        invariants::check_settled(&self.ledger, &self.attendance, &self.limits, depth);
    }

    fn check_step(&self) {
        if cfg!(debug_assertions) {
            invariants::check(&self.ledger, &self.attendance, &self.limits, invariants::depth(&self.ledger));
        }
    }
}
