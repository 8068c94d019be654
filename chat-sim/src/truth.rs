//! What really happened, as the log took it: the measure of what everybody is told.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chat_core::room::{Ledger, Snapshot};
use chat_core::wire::{MemberEntry, RoomSettings};
use chat_core::{
    Content, Epoch, Event, Key, MemberId, NewcomersSee, Observer, ObserverEvent, Offset, Record, Role, RoomCode,
    RoomLimits, Scope, Seq,
};
use tokio::time::Instant;

use crate::bans::Bans;
use crate::clock::WorldClock;
use crate::endings::Endings;
use crate::graces::Graces;
use crate::locks::lock;
use crate::people::{People, Shown, shown};
use crate::persons::Persons;
use crate::promise::{Broken, Promise, hold};
use crate::reads::Reads;
use crate::roles::Roles;
use crate::rules::RoomRules;
use crate::slots::Slots;
use crate::stamps::Stamps;
use crate::summary::{says_of, summary_of_message, summary_of_record};

/// Every record of every life.
#[derive(Debug)]
pub(crate) struct Truth {
    lives: Mutex<BTreeMap<(String, Epoch), Incarnation>>,
    grace: Duration,
    newcomers_see: NewcomersSee,
    limits: RoomLimits,
    graces: Mutex<Graces>,
    stamps: Mutex<Stamps>,
    clock: Arc<WorldClock>,
    /// Since when the log can be reached; `None` while it cannot.
    log_back: Mutex<Option<Instant>>,
    /// The first promise that was broken where nobody could be told.
    broken: Mutex<Option<Broken>>,
    pub(crate) endings: Endings,
    pub(crate) reads: Reads,
    pub(crate) slots: Slots,
}

#[derive(Debug, Default)]
struct Incarnation {
    records: Vec<Record>,
    redacted: BTreeSet<Seq>,
    /// Of each message that was edited, what it was edited to.
    edits: BTreeMap<Seq, Vec<Edit>>,
    /// It went down with a server that had no log.
    lost: bool,
    /// When members could be told up to which number.
    due: Vec<(Instant, Seq)>,
    /// The last record that was published.
    published: Offset,
    /// When it was last published that somebody is a member, or is not any more.
    changed: Option<Instant>,
    /// When it was published that memberships have ended.
    exits: BTreeMap<MemberId, Exits>,
    persons: Persons,
    rules: RoomRules,
    roles: Roles,
    bans: Bans,
    people: People,
}

/// What a message was edited to.
#[derive(Clone, Debug)]
struct Edit {
    change: Seq,
    content: Content,
    n: u32,
}

/// The ends of the stays of one person.
#[derive(Clone, Copy, Debug, Default)]
struct Exits {
    /// Of the last one, while they are out.
    out: Option<Instant>,
    /// Of the one after which they came in again.
    before: Option<Instant>,
}

impl Truth {
    pub(crate) fn new(limits: &RoomLimits, clock: Arc<WorldClock>) -> Self {
        Self {
            grace: limits.grace,
            newcomers_see: limits.newcomers_see,
            limits: limits.clone(),
            clock,
            log_back: Mutex::new(Some(Instant::now())),
            lives: Mutex::default(),
            graces: Mutex::default(),
            stamps: Mutex::default(),
            broken: Mutex::default(),
            endings: Endings::default(),
            reads: Reads::default(),
            slots: Slots::default(),
        }
    }

    pub(crate) fn log_is_out(&self, is_out: bool) {
        let back = if is_out { None } else { Some(Instant::now()) };
        *lock(&self.log_back) = back;
    }

    /// Whether the log could be reached for so long.
    pub(crate) fn is_log_back(&self, time: Duration) -> bool {
        let back = *lock(&self.log_back);
        back.is_some_and(|back| back.elapsed() >= time)
    }

    /// Records that the log has taken, or that were published where there is none.
    pub(crate) fn add(&self, room: &RoomCode, epoch: Epoch, records: &[Record]) {
        let mut lives = self.lives();
        let life = lives.entry((room.as_str().to_owned(), epoch)).or_default();
        for record in records {
            let added = life
                .add(room, record, self.newcomers_see)
                .and(life.roles.add(room, record, &self.limits))
                .and(life.people.add(room, record, &self.limits))
                .and_then(|()| self.stamps().logged(room, epoch, record));
            if let Err(broken) = added {
                self.note(broken);
            }
        }
    }

    /// Something is published: the log must have it.
    pub(crate) fn published(&self, room: &RoomCode, epoch: Epoch, record: &Record) {
        let mut lives = self.lives();
        let life = lives.entry((room.as_str().to_owned(), epoch)).or_default();
        life.published = record.offset;
        life.due.extend(record.seq.map(|seq| (Instant::now(), seq)));
        if matches!(record.event, Event::Joined { .. } | Event::Left { .. } | Event::Kicked { .. }) {
            life.changed = Some(Instant::now());
        }
        if let Some(member) = record.leaver() {
            life.exits.entry(member).or_default().out = Some(Instant::now());
        }
        if let (Event::Joined { .. }, Some(member)) = (&record.event, record.by)
            && let Some(exits) = life.exits.get_mut(&member)
        {
            exits.before = exits.out.take().or(exits.before);
        }
        let logged = life.records.get((record.offset.0 - 1) as usize);
        let is_logged = logged.is_some_and(|logged| is_same(logged, record));
        if !is_logged {
            let how = format!("{room} publishes {record:?}, and the log has {logged:?}");
            self.note(Broken { promise: Promise::Logged, how });
        }
    }

    /// A room of this server has decided this just now.
    pub(crate) fn decided(&self, room: &RoomCode, epoch: Epoch, records: &[Record], server: u64) {
        let stamped = self.stamps().decided(room, epoch, records, server, self.clock.right());
        let decided = self.graces().decided(room, epoch, records, self.grace);
        if let Err(broken) = decided.and(stamped) {
            self.note(broken);
        }
    }

    /// See [`Graces::turned_away`].
    pub(crate) fn turned_away(&self, room: &str, epoch: Epoch, member: MemberId, at: Instant) {
        self.graces().turned_away(room, epoch, member, at);
    }

    /// A server without a log has crashed.
    pub(crate) fn lose_all(&self) {
        self.lives().values_mut().for_each(|life| life.lost = true);
        self.endings.lose_all();
    }

    pub(crate) fn note(&self, broken: Broken) {
        lock(&self.broken).get_or_insert(broken);
    }

    pub(crate) fn take_broken(&self) -> Option<Broken> {
        lock(&self.broken).take()
    }

    /// What a member may be told under this number, in the words of [`summary`](crate::summary::summary).
    pub(crate) fn told(&self, room: &str, epoch: Epoch, seq: Seq) -> Vec<String> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return Vec::new() };
        let Some(record) = life.at(seq) else { return Vec::new() };
        let mut may_be = vec![summary_of_record(record)];
        match &record.event {
            Event::Sent { nick, .. } => {
                let edits = life.edits.get(&seq).into_iter().flatten();
                may_be.extend(edits.map(|edit| summary_of_message(record, &edit.content, edit.n)));
                if life.redacted.contains(&seq) {
                    may_be.push(format!("{seq} {} (redacted)", nick.as_str()));
                }
            }
            Event::Edited { target, .. } => {
                let last = life.edits.get(target).and_then(|edits| edits.last());
                if life.redacted.contains(target) || last.is_some_and(|last| last.change > seq) {
                    may_be.push(format!("{seq} edited {target}"));
                }
                may_be.push(format!("{seq} edited"));
            }
            Event::Redacted { .. } => may_be.push(format!("{seq} redacted")),
            Event::Reacted { .. } => may_be.push(format!("{seq} reacted to what is hidden")),
            Event::Swept { member, from, to } => {
                let above = |from| Record { event: Event::Swept { member: *member, from, to: *to }, ..record.clone() };
                may_be.extend((from.0..=to.0).map(|from| summary_of_record(&above(Seq(from)))));
                may_be.push(format!("{seq} swept"));
            }
            _ => {}
        }
        may_be
    }

    /// The events of which one has taken back the messages, where they are a range.
    pub(crate) fn swept(&self, room: &str, epoch: Epoch, seq: Seq) -> Option<(Seq, Seq)> {
        let lives = self.lives();
        match lives.get(&(room.to_owned(), epoch))?.at(seq)?.event {
            Event::Swept { from, to, .. } => Some((from, to)),
            _ => None,
        }
    }

    /// The message that an event has changed, where it is one.
    pub(crate) fn target(&self, room: &str, epoch: Epoch, seq: Seq) -> Option<Seq> {
        let lives = self.lives();
        match lives.get(&(room.to_owned(), epoch))?.at(seq)?.event {
            Event::Redacted { target } | Event::Edited { target, .. } | Event::Reacted { target, .. } => Some(target),
            _ => None,
        }
    }

    /// What each message of a life says now; nothing where it was taken back.
    pub(crate) fn says(&self, room: &str, epoch: Epoch) -> BTreeMap<Seq, Option<String>> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return BTreeMap::new() };
        let said = life.records.iter().filter_map(|record| {
            let Event::Sent { text, data, .. } = &record.event else { return None };
            let seq = record.seq?;
            let edited = life.edits.get(&seq).and_then(|edits| edits.last()).map(|edit| says_of(&edit.content));
            let says = edited.unwrap_or_else(|| says_of(&Content::text(text.clone()).with_data(data.clone())));
            Some((seq, (!life.redacted.contains(&seq)).then_some(says)))
        });
        said.collect()
    }

    /// When it was published that a message was edited, the last time.
    pub(crate) fn edited_at(&self, room: &str, epoch: Epoch, message: Seq) -> Option<Instant> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let published = |edit: &Edit| life.due.iter().find(|(_, seq)| *seq == edit.change).map(|(at, _)| *at);
        life.edits.get(&message)?.iter().rev().find_map(published)
    }

    /// The edits of a life that say what a message says.
    pub(crate) fn standing_edits(&self, room: &str, epoch: Epoch) -> BTreeSet<Seq> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return BTreeSet::new() };
        let there = life.edits.iter().filter(|(target, _)| !life.redacted.contains(target));
        there.filter_map(|(_, edits)| edits.last().map(|edit| edit.change)).collect()
    }

    /// The lives that a room has had.
    pub(crate) fn epochs(&self, room: &str) -> Vec<Epoch> {
        self.lives().keys().filter(|(code, _)| code == room).map(|(_, epoch)| *epoch).collect()
    }

    /// The numbers of the messages up to here.
    pub(crate) fn messages(&self, room: &str, epoch: Epoch, until: Seq) -> Vec<Seq> {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        let messages = records.iter().filter(|record| matches!(record.event, Event::Sent { .. }));
        messages.filter_map(|record| record.seq).take_while(|seq| *seq <= until).collect()
    }

    /// The last number of a life; 0 for one that never was.
    pub(crate) fn head(&self, room: &str, epoch: Epoch) -> Seq {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        records.iter().rev().find_map(|record| record.seq).unwrap_or_default()
    }

    /// Whether the life has ended.
    pub(crate) fn is_over(&self, room: &str, epoch: Epoch) -> bool {
        let lives = self.lives();
        lives.get(&(room.to_owned(), epoch)).is_none_or(|life| life.lost || life.is_closed())
    }

    /// The members as of a number, where joins and leaves have numbers.
    pub(crate) fn members(&self, room: &str, epoch: Epoch, seq: Seq) -> BTreeSet<MemberId> {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.members(seq)).unwrap_or_default()
    }

    /// What a member is as of a number, where joins and leaves have numbers.
    pub(crate) fn role(&self, room: &str, epoch: Epoch, seq: Seq, member: MemberId) -> Option<Role> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let until = life.records.iter().take_while(|record| record.seq.is_none_or(|at| at <= seq));
        let given = until.filter_map(|record| match &record.event {
            Event::Joined { role, .. } if record.by == Some(member) => Some(*role),
            Event::RoleChanged { member: of, role } if *of == member => Some(*role),
            _ => None,
        });
        given.last()
    }

    /// What members are shown as, as of a number, where joins and leaves have numbers.
    pub(crate) fn shown(&self, room: &str, epoch: Epoch, seq: Seq) -> BTreeMap<MemberId, Shown> {
        let lives = self.lives();
        lives.get(&(room.to_owned(), epoch)).map(|life| shown(&life.records, seq)).unwrap_or_default()
    }

    /// The last number that members could be told at this time.
    pub(crate) fn due(&self, room: &str, epoch: Epoch, at: Instant) -> Seq {
        let lives = self.lives();
        let due = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.due);
        due.iter().rev().find(|(since, _)| *since <= at).map(|(_, seq)| *seq).unwrap_or_default()
    }

    /// How many members there are, since when, and whether this is one of them; while everything logged is published.
    pub(crate) fn count(&self, room: &str, epoch: Epoch, member: MemberId) -> Option<(usize, Instant, bool)> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let is_published = life.records.last().is_some_and(|last| last.offset == life.published);
        if !is_published {
            return None;
        }
        let members = life.members(Seq(u64::MAX));
        Some((members.len(), life.changed?, members.contains(&member)))
    }

    pub(crate) fn is_member(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        self.members(room, epoch, Seq(u64::MAX)).contains(&member) && !self.is_over(room, epoch)
    }

    /// Whether a membership of this person began there.
    pub(crate) fn has_entered(&self, room: &str, epoch: Epoch, member: MemberId, entered: Seq) -> bool {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        let mut head = Seq(0);
        records.iter().any(|record| {
            let at = record.seq.unwrap_or(head.next());
            head = record.seq.unwrap_or(head);
            matches!(record.event, Event::Joined { .. }) && record.by == Some(member) && at == entered
        })
    }

    /// What is set for the room as of a number.
    pub(crate) fn settings(&self, room: &str, epoch: Epoch, seq: Seq) -> RoomSettings {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.rules.told(seq)).unwrap_or_default()
    }

    /// Of the messages up to here whoever has this number in a room learns nothing.
    pub(crate) fn floor(&self, room: &str, epoch: Epoch, member: MemberId) -> Seq {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.persons.floor(member)).unwrap_or_default()
    }

    /// The same of the person, who may have had other numbers before.
    pub(crate) fn lowest_floor(&self, room: &str, epoch: Epoch, member: MemberId) -> Seq {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.persons.lowest_floor(member)).unwrap_or_default()
    }

    /// Whether a stay of this person is over; they may have come in again, before they were told.
    pub(crate) fn has_left(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        self.lives().get(&(room.to_owned(), epoch)).is_some_and(|life| life.exits.contains_key(&member))
    }

    /// When it was published that a stay of this person has ended that somebody has read of since then: they are out, or were.
    pub(crate) fn ended(&self, room: &str, epoch: Epoch, member: MemberId, since: Instant) -> Option<Instant> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let Exits { out, before } = *life.exits.get(&member)?;
        // A server that went down may have logged that they came in again, and never published it: the next one goes on from there.
        let is_in = out.is_some() && life.members(Seq(u64::MAX)).contains(&member);
        let (out, before) = if is_in { (None, out) } else { (out, before) };
        out.or(before.filter(|before| *before > since))
    }

    /// Since when it has been published that this person is out.
    pub(crate) fn out_since(&self, room: &str, epoch: Epoch, member: MemberId) -> Option<Instant> {
        self.lives().get(&(room.to_owned(), epoch))?.exits.get(&member)?.out
    }

    /// Who has said the message with this number.
    pub(crate) fn author(&self, room: &str, epoch: Epoch, message: Seq) -> Option<MemberId> {
        let lives = self.lives();
        let record = lives.get(&(room.to_owned(), epoch))?.at(message)?;
        record.by.filter(|_| record.event.is_message())
    }

    /// Who is in a room now.
    pub(crate) fn present(&self, room: &str) -> Vec<MemberId> {
        let lives = self.lives();
        let lives = lives.iter().filter(|((code, _), life)| code == room && !life.lost && !life.is_closed());
        lives.flat_map(|(_, life)| life.members(Seq(u64::MAX))).collect()
    }

    /// Whether whoever was this member was put out when they were last a member.
    pub(crate) fn was_put_out(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        let lives = self.lives();
        lives.get(&(room.to_owned(), epoch)).is_some_and(|life| life.was_put_out(member))
    }

    /// Whether whoever was this member was banned under this number.
    pub(crate) fn was_banned(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        self.lives().get(&(room.to_owned(), epoch)).is_some_and(|life| life.bans.was_banned(member))
    }

    /// Who has reacted with what to the messages of a life that were not taken back.
    pub(crate) fn reactions(&self, room: &str, epoch: Epoch) -> BTreeMap<Seq, BTreeMap<String, BTreeSet<MemberId>>> {
        let lives = self.lives();
        let mut reactions: BTreeMap<Seq, BTreeMap<String, BTreeSet<MemberId>>> = BTreeMap::new();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return reactions };
        for record in &life.records {
            if let (Event::Reacted { target, name, on, .. }, Some(by)) = (&record.event, record.by) {
                let people = reactions.entry(*target).or_default().entry(name.to_string()).or_default();
                if *on {
                    people.insert(by)
                } else {
                    people.remove(&by)
                };
            }
        }
        for names in reactions.values_mut() {
            names.retain(|_, people| !people.is_empty());
        }
        reactions.retain(|target, names| !names.is_empty() && !life.redacted.contains(target));
        reactions
    }

    /// Whether the room has said this, in any of its lives.
    pub(crate) fn has_said(&self, room: &str, seq: Seq, text: &str) -> bool {
        let lives = self.lives();
        let mut lives = lives.iter().filter(|((code, _), _)| code == room);
        lives.any(|(_, life)| {
            life.at(seq)
                .is_some_and(|record| matches!(&record.event, Event::Sent { text: said, .. } if said.as_str() == text))
        })
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.lives().values().map(|life| life.records.len()).sum()
    }

    /// What holds of every life once everybody has gone.
    pub(crate) fn check_at_the_end(&self, limits: &RoomLimits) -> Result<(), Broken> {
        for ((room, epoch), life) in &*self.lives() {
            let (is_over, members) = (life.lost || life.is_closed(), life.members(Seq(u64::MAX)));
            hold!(is_over, Promise::Lifetime, "nobody is there, and {room} {epoch} goes on with {members:?}");
            let mut keys: HashSet<(&Scope, &Key)> = HashSet::new();
            let mut scopes = BTreeMap::new();
            for record in &life.records {
                match (&record.event, record.by) {
                    (Event::Joined { scope, .. }, Some(member)) => drop(scopes.insert(member, scope)),
                    (
                        Event::Sent { keyed: Some(keyed), .. } | Event::Edited { keyed: Some(keyed), .. },
                        Some(member),
                    ) => {
                        let is_new = scopes.get(&member).is_some_and(|scope| keys.insert((scope, &keyed.key)));
                        hold!(is_new, Promise::Receipt, "{room} {epoch}: {record:?} is there twice");
                    }
                    _ => {}
                }
            }
            life.check_replay(limits)?;
        }
        Ok(())
    }

    fn stamps(&self) -> MutexGuard<'_, Stamps> {
        lock(&self.stamps)
    }

    fn graces(&self) -> MutexGuard<'_, Graces> {
        lock(&self.graces)
    }

    fn lives(&self) -> MutexGuard<'_, BTreeMap<(String, Epoch), Incarnation>> {
        lock(&self.lives)
    }
}

impl Incarnation {
    fn add(&mut self, room: &RoomCode, record: &Record, newcomers_see: NewcomersSee) -> Result<(), Broken> {
        hold!(!self.is_closed() && !self.lost, Promise::Lifetime, "{room}: {record:?} in a life that is over");
        let last = self.records.last();
        let offset = last.map_or(0, |last| last.offset.0);
        hold!(record.offset.0 == offset + 1, Promise::Dense, "{room}: {record:?} follows record {offset}");
        let seq = self.records.iter().rev().find_map(|record| record.seq).unwrap_or_default();
        let is_next = record.seq.is_none_or(|next| next == seq.next());
        hold!(is_next, Promise::Dense, "{room}: {record:?} follows number {seq}");
        let is_later = last.is_none_or(|last| last.at <= record.at);
        hold!(is_later, Promise::Dense, "{room}: time goes back to {record:?}");
        if let Event::Redacted { target } = &record.event {
            self.redacted.insert(*target);
        }
        if let (Event::Edited { target, content: Some(content), n, .. }, Some(change)) = (&record.event, record.seq) {
            let edits = self.edits.entry(*target).or_default();
            let is_next = edits.len() as u32 + 1 == *n && !self.redacted.contains(target);
            hold!(is_next, Promise::Fold, "{room}: {record:?} follows {edits:?}");
            edits.push(Edit { change, content: content.clone(), n: *n });
        }
        if let Event::Swept { member, from, to } = &record.event {
            let said = self.records.iter().filter(|said| said.event.is_message() && said.by == Some(*member));
            let swept = said.filter_map(|said| said.seq).filter(|seq| (*from..=*to).contains(seq));
            self.redacted.extend(swept);
        }
        let is_new = matches!(&record.event, Event::Joined { scope, .. } if self.persons.is_new(scope));
        let newcomers_see = self.rules.newcomers_see(newcomers_see);
        let added = self.persons.add(room, record, || floor_of_newcomer(&self.records, newcomers_see));
        let added = added.and(self.rules.add(room, record, is_new));
        let banned = self.bans.add(room, record, |member| self.persons.scope(member));
        self.records.push(record.clone());
        added.and(banned)
    }

    fn members(&self, seq: Seq) -> BTreeSet<MemberId> {
        let mut members = BTreeSet::new();
        for record in self.records.iter().take_while(|record| record.seq.is_none_or(|at| at <= seq)) {
            match (&record.event, record.by) {
                (Event::Joined { .. }, Some(member)) => drop(members.insert(member)),
                (Event::Left { .. }, Some(member)) => drop(members.remove(&member)),
                (Event::Kicked { member, .. }, _) => drop(members.remove(member)),
                _ => {}
            }
        }
        members
    }

    fn was_put_out(&self, member: MemberId) -> bool {
        let mut scopes = BTreeMap::new();
        for record in &self.records {
            if let (Event::Joined { scope, .. }, Some(by)) = (&record.event, record.by) {
                scopes.insert(by, scope);
            }
        }
        let is_own = |other: &MemberId| scopes.get(other).is_some_and(|scope| scopes.get(&member) == Some(scope));
        let exits = self.records.iter().rev().filter_map(|record| match (&record.event, record.by) {
            (Event::Left { .. }, Some(by)) => Some((by, false)),
            (Event::Kicked { member, .. }, _) => Some((*member, true)),
            _ => None,
        });
        exits.into_iter().find(|(other, _)| is_own(other)).is_some_and(|(_, is_kick)| is_kick)
    }

    fn at(&self, seq: Seq) -> Option<&Record> {
        let index = self.records.partition_point(|record| record.offset.0 < seq.0);
        self.records[index.saturating_sub(1)..].iter().find(|record| record.seq == Some(seq))
    }

    fn is_closed(&self) -> bool {
        self.records.last().is_some_and(|last| matches!(last.event, Event::Closed { .. }))
    }

    /// Replays it at once, and from a snapshot taken half way.
    fn check_replay(&self, limits: &RoomLimits) -> Result<(), Broken> {
        let (mut whole, mut resumed) = (Ledger::new(limits), None);
        for (index, record) in self.records.iter().enumerate() {
            if index == self.records.len() / 2 && index > 0 {
                let stored = serde_json::to_vec(&Snapshot::from(whole.clone()));
                let bytes = stored.expect("a ledger has string keys, and a Vec takes every write");
                let snapshot: Result<Snapshot, _> = serde_json::from_slice(&bytes);
                resumed = snapshot.ok().map(Ledger::from);
                hold!(resumed.as_ref() == Some(&whole), Promise::Replay, "a snapshot read back is another ledger");
            }
            whole.apply(record);
            if let Some(ledger) = &mut resumed {
                ledger.apply(record);
            }
        }
        let is_same = resumed.is_none_or(|ledger| ledger == whole);
        hold!(is_same, Promise::Replay, "a snapshot and the rest give another ledger than the log");
        Ok(())
    }
}

/// Up to where somebody learns nothing who joins after these records. No world has so many messages that a room forgets some.
fn floor_of_newcomer(records: &[Record], newcomers_see: NewcomersSee) -> Seq {
    let head = records.iter().rev().find_map(|record| record.seq).unwrap_or_default();
    let said: Vec<Seq> =
        records.iter().filter(|record| record.event.is_message()).filter_map(|record| record.seq).collect();
    match newcomers_see {
        NewcomersSee::All => Seq(0),
        NewcomersSee::Last(shown) if said.len() <= shown as usize => Seq(0),
        NewcomersSee::Last(shown) => said.get(said.len() - shown as usize).map_or(head, |first| Seq(first.0 - 1)),
        _ => head,
    }
}

/// The same record, or the same amended meanwhile.
fn is_same(logged: &Record, record: &Record) -> bool {
    let is_amended =
        matches!(&record.event, Event::Sent { amended: Some(_), .. } | Event::Edited { content: None, .. });
    let rest = |record: &Record| (record.offset, record.seq, record.at, record.by);
    logged == record || is_amended && rest(logged) == rest(record)
}

/// Whether everybody sees the members that the log says.
pub(crate) fn check_members(
    truth: &Truth,
    room: &str,
    epoch: Epoch,
    seq: Seq,
    entries: &[MemberEntry],
) -> Result<(), Broken> {
    let members = truth.members(room, epoch, seq);
    let shown: BTreeSet<MemberId> = entries.iter().map(|entry| entry.member).collect();
    hold!(shown == members, Promise::Fold, "{room}: members {shown:?} as of {seq}, the log says {members:?}");
    check_roles(truth, room, epoch, seq, entries)
}

/// Whether everybody sees the roles, the names and the data that the log says.
pub(crate) fn check_roles(
    truth: &Truth,
    room: &str,
    epoch: Epoch,
    seq: Seq,
    shown: &[MemberEntry],
) -> Result<(), Broken> {
    let all = truth.shown(room, epoch, seq);
    for MemberEntry { member, role, nick, data, .. } in shown {
        let said = truth.role(room, epoch, seq, *member);
        hold!(said == Some(*role), Promise::Fold, "{room}: {member} is {role:?} as of {seq}, the log says {said:?}");
        let own = (nick.clone(), data.clone());
        let is_so = all.get(member) == Some(&own);
        hold!(is_so, Promise::Screen, "{room}: {member} is {own:?} as of {seq}, the log says {:?}", all.get(member));
    }
    Ok(())
}

/// Watches one server's engine.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) truth: Arc<Truth>,
    pub(crate) has_log: bool,
    /// Which server it is.
    pub(crate) server: u64,
}

impl Observer for Witness {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::Published { room, epoch, record, .. } = event {
            if !self.has_log {
                let records = std::slice::from_ref(record);
                self.truth.decided(room, epoch, records, self.server);
                self.truth.add(room, epoch, records);
            }
            self.truth.published(room, epoch, record);
        }
    }
}
