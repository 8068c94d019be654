//! What really happened, as the log took it: the measure of what everybody is told.

mod banned;
mod fed;
mod incarnation;
mod members;
mod said;
mod witness;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chat_core::wire::RoomSettings;
use chat_core::{Epoch, Event, Key, MemberId, Record, RoomAbout, RoomCode, RoomLimits, Scope, Seq};
use tokio::time::Instant;

pub(crate) use self::banned::Knock;
use self::incarnation::Incarnation;
pub(crate) use self::members::{check_members, check_roles};
pub(crate) use self::witness::Witness;
use crate::agreement::Agreement;
use crate::clock::WorldClock;
use crate::endings::{Endings, Moment};
use crate::graces::Graces;
use crate::homes::Homes;
use crate::locks::lock;
use crate::promise::{Broken, Promise, hold};
use crate::reads::Reads;
use crate::slots::Slots;
use crate::stamps::{Made, Stamps};
use crate::writers::Writers;

/// Every record of every life.
#[derive(Debug)]
pub(crate) struct Truth {
    lives: Mutex<BTreeMap<(String, Epoch), Incarnation>>,
    grace: Duration,
    limits: RoomLimits,
    graces: Mutex<Graces>,
    stamps: Mutex<Stamps>,
    clock: Arc<WorldClock>,
    /// Since when the log can be reached; `None` while it cannot.
    log_back: Mutex<Option<Instant>>,
    /// The first promise that was broken where nobody could be told.
    broken: Mutex<Option<Broken>>,
    pub(crate) endings: Endings,
    pub(crate) homes: Homes,
    pub(crate) reads: Reads,
    pub(crate) slots: Slots,
    pub(crate) writers: Writers,
    pub(crate) agreement: Agreement,
}

impl Truth {
    /// Now, and what the wall clock should say.
    pub(crate) fn moment(&self) -> Moment {
        Moment { at: Instant::now(), wall: self.clock.right() }
    }

    /// Of a world whose rooms have these limits, and whose servers may lose each other, and have clocks that are apart.
    pub(crate) fn new(limits: &RoomLimits, clock: Arc<WorldClock>, are_apart: bool) -> Self {
        Self {
            grace: limits.grace,
            limits: limits.clone(),
            clock,
            log_back: Mutex::new(Some(Instant::now())),
            lives: Mutex::default(),
            graces: Mutex::default(),
            stamps: Mutex::new(Stamps::new(are_apart)),
            broken: Mutex::default(),
            endings: Endings::default(),
            homes: Homes::default(),
            reads: Reads::default(),
            slots: Slots::default(),
            writers: Writers::default(),
            agreement: Agreement::default(),
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
                .add(room, record, &self.limits, &self.homes)
                .and(life.roles.add(room, record, &self.limits))
                .and(life.people.add(room, record, &self.limits))
                .and_then(|()| self.stamps().logged(room, epoch, record));
            if let Err(broken) = added {
                self.note(broken);
            }
        }
    }

    /// What the log is told of the room with its last records is what they amount to. Whoever tells it nothing says nothing wrong.
    pub(crate) fn check_known(&self, room: &RoomCode, epoch: Epoch, about: &[u8]) {
        if about.is_empty() {
            return;
        }
        let broken = match serde_json::from_slice::<RoomAbout>(about) {
            Ok(about) => {
                let lives = self.lives();
                let life = lives.get(&(room.as_str().to_owned(), epoch));
                life.and_then(|life| life.check_known(room, &about).err())
            }
            Err(error) => Some(Broken { promise: Promise::Fold, how: format!("{room}: what is known of it: {error}") }),
        };
        if let Some(broken) = broken {
            self.note(broken);
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

    /// A room of this server has decided this.
    pub(crate) fn decided(&self, room: &RoomCode, epoch: Epoch, records: &[Record], made: Made) {
        let stamped = self.stamps().decided(room, epoch, records, made, self.clock.right());
        let decided = self.graces().decided(room, epoch, records, self.grace, made.at);
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

    /// The lives that a room has had.
    pub(crate) fn epochs(&self, room: &str) -> Vec<Epoch> {
        self.lives().keys().filter(|(code, _)| code == room).map(|(_, epoch)| *epoch).collect()
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

    /// The last number that members could be told at this time.
    pub(crate) fn due(&self, room: &str, epoch: Epoch, at: Instant) -> Seq {
        let lives = self.lives();
        let due = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.due);
        due.iter().rev().find(|(since, _)| *since <= at).map(|(_, seq)| *seq).unwrap_or_default()
    }

    /// The last number of a life of which nothing was published for so long.
    pub(crate) fn settled(&self, room: &str, epoch: Epoch, time: Duration) -> Option<Seq> {
        let lives = self.lives();
        let (last, seq) = *lives.get(&(room.to_owned(), epoch))?.due.last()?;
        Some(seq).filter(|_| last.elapsed() >= time)
    }

    /// What is set for the room as of a number.
    pub(crate) fn settings(&self, room: &str, epoch: Epoch, seq: Seq) -> RoomSettings {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.rules.told(seq)).unwrap_or_default()
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
            let mut of_host: HashSet<&Key> = HashSet::new();
            for record in &life.records {
                match (&record.event, record.by) {
                    (Event::Sent { keyed: Some(keyed), .. }, None) => {
                        hold!(
                            of_host.insert(&keyed.key),
                            Promise::Receipt,
                            "{room} {epoch}: the host says {record:?} again"
                        );
                    }
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

/// The same record, or the same amended meanwhile.
fn is_same(logged: &Record, record: &Record) -> bool {
    let is_amended =
        matches!(&record.event, Event::Sent { amended: Some(_), .. } | Event::Edited { content: None, .. });
    let rest = |record: &Record| (record.offset, record.seq, record.at, record.by);
    logged == record || is_amended && rest(logged) == rest(record)
}
