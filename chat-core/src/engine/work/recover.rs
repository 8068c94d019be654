//! Where a room meets its log: reading it back, appending, and finding out what became of an append that failed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::feed::life::Life;
use crate::engine::feed::segment::Segment;
use crate::engine::feed::taken_back::Scrub;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::cell::{Letter, RoomCell};
use crate::engine::rooms::round::Round;
use crate::engine::rooms::state::RoomState;
use crate::engine::session::subscription::End;
use crate::engine::shared::{Shared, unavailable};
use crate::messages::{CloseCause, Event, Recorded};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::ports::{AppendError, Fact, Log, ReadError, Tail};
use crate::room::{Ledger, Note, Room, Snapshot, Unreadable};
use crate::wire;
use crate::words::{Body, Generation, Offset, Seq, SessionId};

/// Records read at once.
const PAGE: usize = 1_024;

/// What became of a round's append.
pub(crate) enum Appended {
    /// The log has it.
    Done(Round),
    /// Somebody else has written: the letters are to be decided again, by what the room is now.
    Again(VecDeque<Letter>),
    /// The log has none of it, and everybody who asked has been told.
    Refused,
}

/// What a log says about a room.
struct Loaded {
    ledger: Ledger,
    tail: Tail,
    /// The newest told records, for the backlog.
    recent: VecDeque<Recorded>,
    /// How many of its records the stored snapshot does not cover.
    unsaved: usize,
}

/// What the log holds behind the published tail.
enum Found {
    /// The round, whole.
    Ours(Tail),
    /// Nothing.
    Nothing,
    /// Something else.
    Others,
}

/// What has happened while the room waited for its log.
#[derive(Default)]
struct Meanwhile {
    /// Who has lost their connection.
    gone: Vec<(SessionId, Generation)>,
    /// Whoever wanted to come back in this time was refused.
    has_refused: bool,
}

impl Meanwhile {
    /// Takes in who has gone: their letters have been read, and nobody writes them again. Graces begin again where nobody could
    /// come back.
    fn end(&mut self, shared: &Shared, state: &mut RoomState) {
        let now = shared.clock.now();
        for (session, generation) in self.gone.drain(..) {
            state.forget_reader(now, session, generation);
        }
        #[cfg(feature = "planted")]
        if planted::is(Bug::RunGracesOut) {
            return;
        }
        if std::mem::take(&mut self.has_refused) {
            state.room.note(now, Note::Recovered);
        }
    }
}

/// Reads a room back when its code is first used. `false` where the log cannot be read now.
pub(crate) async fn recover(shared: &Arc<Shared>, cell: &RoomCell, state: &mut RoomState) -> bool {
    let log = shared.log.clone().expect("only rooms with a log are recovered");
    let now = shared.clock.now();
    if now.mono < state.backoff.until() {
        return false;
    }
    match load(shared, &*log, cell).await {
        Err(error) => {
            fault(shared, cell, &error);
            state.backoff.failed(now.mono);
            false
        }
        Ok(loaded) => {
            state.backoff = Backoff::default();
            install(shared, cell, state, loaded);
            true
        }
    }
}

/// Puts what the log says in the place of whatever the room was; nobody is attached.
fn install(shared: &Shared, cell: &RoomCell, state: &mut RoomState, loaded: Option<Loaded>) {
    let now = shared.clock.now();
    state.recovered = true;
    state.tail = Tail::default();
    // What was owed was owed for another life.
    (state.unscrubbed, state.unsaved) = (VecDeque::new(), 0);
    state.room = Room::new(Arc::clone(&shared.room_limits));
    let Some(Loaded { ledger, tail, recent, unsaved }) = loaded else { return };
    state.unsaved = unsaved;
    let epoch = ledger.epoch().expect("a room that is loaded has a life");
    state.room = Room::from_ledger(ledger, Arc::clone(&shared.room_limits));
    state.room.note(now, Note::Recovered);
    let first = recent.front().and_then(|record| record.seq).unwrap_or(state.room.head().next());
    let life = Arc::new(shared.new_life(&cell.code, epoch, Seq(first.0 - 1)));
    publish_records(&life, recent.iter());
    state.life = Some(life);
    state.tail = tail;
}

async fn load(shared: &Shared, log: &dyn Log, cell: &RoomCell) -> Result<Option<Loaded>, ReadError> {
    let code = &cell.code;
    let tail = log.read(code, Offset(0), 0).await?.tail;
    let Some(epoch) = tail.epoch else { return Ok(None) };
    let stored = log.load_snapshot(code, epoch).await?;
    // Where the log is whole, a snapshot only saves time: one that cannot be read is left alone, and the log replayed from its start.
    let (snapshot, unread) = match stored.map(|(_, bytes)| Snapshot::read(&bytes)) {
        Some(Err(why)) => (None, Some(why)),
        read => (read.and_then(Result::ok), None),
    };
    let is_cut = |how: String| without_snapshot(shared, how, unread.as_ref());
    let mut ledger = snapshot
        .map(Ledger::from)
        .filter(|ledger| ledger.epoch() == Some(epoch) && ledger.last_offset() <= tail.offset)
        .unwrap_or_else(|| Ledger::new(&shared.limits.room));
    let covered = ledger.last_offset();
    let keep = shared.limits.room.backlog_events_max;
    let backlog_start = Offset(tail.offset.0.saturating_sub(keep as u64));
    let start = ledger.last_offset().min(backlog_start);
    let mut after = start;
    let mut recent: VecDeque<Recorded> = VecDeque::new();
    let mut redacted = Vec::new();
    let tail = loop {
        let stretch = log.read(code, after, PAGE).await?;
        if stretch.tail.epoch != Some(epoch) {
            return Err(ReadError::Unavailable("the life that was being read is over".into()));
        }
        let before = after;
        for record in stretch.records {
            // A log that keeps only so much may begin later than it was asked for, or let go of more while it is read; but
            // never of what the ledger does not know.
            if record.offset != after.next() {
                if record.offset <= after || record.offset > ledger.last_offset().next() {
                    return Err(is_cut(format!("record {} follows record {}", record.offset.0, after.0)));
                }
                recent.clear();
            }
            after = record.offset;
            if record.offset > ledger.last_offset() {
                ledger.apply(&record);
            }
            if let Event::Redacted { target } = record.event {
                redacted.push(target);
            }
            if record.seq.is_some() {
                recent.push_back(record);
                if recent.len() > keep {
                    recent.pop_front();
                }
            }
        }
        if after >= stretch.tail.offset {
            break stretch.tail;
        }
        if after == before {
            let end = stretch.tail.offset.0;
            return Err(is_cut(format!("nothing follows record {}, and record {end} is the last", after.0)));
        }
    };
    if ledger.epoch().is_none() {
        // It was closed, and the process ended before it was deleted.
        log.delete(code, epoch).await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        return Ok(None);
    }
    take_back(log, cell, epoch, &redacted, &mut recent).await?;
    let unsaved = usize::try_from(tail.offset.0.saturating_sub(covered.0)).unwrap_or(usize::MAX);
    Ok(Some(Loaded { ledger, tail, recent, unsaved }))
}

/// A log that lacks records: what would have stood for them is the stored snapshot, where that could not be read.
fn without_snapshot(shared: &Shared, how: String, unread: Option<&Unreadable>) -> ReadError {
    match unread {
        Some(&Unreadable::Later { version, readable_from }) => {
            shared.unreadable.fetch_add(1, Ordering::Relaxed);
            ReadError::Later { version, readable_from, reads: Snapshot::VERSION }
        }
        Some(Unreadable::Damaged(what)) => {
            ReadError::Damaged(format!("{how}; what is stored instead is no snapshot: {what}"))
        }
        None => ReadError::Damaged(how),
    }
}

/// A process may have ended between logging that a message is taken back and scrubbing it.
async fn take_back(
    log: &dyn Log,
    cell: &RoomCell,
    epoch: crate::words::Epoch,
    redacted: &[Seq],
    recent: &mut VecDeque<Recorded>,
) -> Result<(), ReadError> {
    let oldest = recent.front().and_then(|record| record.seq);
    // Whether those before the backlog have their text still is not looked at: to take it twice is no harm.
    let mut owed: Vec<Seq> = redacted.iter().copied().filter(|seq| oldest.is_none_or(|oldest| *seq < oldest)).collect();
    for record in recent.iter_mut().filter(|record| record.seq.is_some_and(|seq| redacted.contains(&seq))) {
        if let Event::Sent { text, .. } = &mut record.event
            && !text.as_str().is_empty()
        {
            *text = Body::scrubbed();
            owed.extend(record.seq);
        }
    }
    for seq in owed {
        let scrubbed = log.scrub(&cell.code, epoch, seq).await;
        scrubbed.map_err(|error| ReadError::Unavailable(error.to_string()))?;
    }
    Ok(())
}

fn publish_records<'a>(life: &Life, records: impl Iterator<Item = &'a Recorded>) {
    let mut segment: Option<Segment> = None;
    for record in records {
        let Some(seq) = record.seq else { continue };
        let open = segment.get_or_insert_with(|| Segment::new(seq));
        if let Some(kind) = wire::encode_event(&life.code, record, open.buffer()) {
            open.close_event(kind);
        }
        if life.backlog.is_full(open) {
            life.backlog.publish(segment.take().expect("it is open"));
        }
    }
    if let Some(open) = segment {
        life.backlog.publish(open);
    }
}

/// Appends a round's records; after a failure that wrote nothing, once more.
pub(crate) async fn append(
    shared: &Arc<Shared>,
    cell: &Arc<RoomCell>,
    state: &mut RoomState,
    round: Round,
) -> Appended {
    let log = shared.log.clone().expect("only rooms with a log append");
    let mut meanwhile = Meanwhile::default();
    let mut others = false;
    for attempt in 0..2 {
        let error = match log.append(&cell.code, &state.tail, &round.records).await {
            Ok(tail) => {
                state.tail = tail;
                meanwhile.end(shared, state);
                return Appended::Done(round);
            }
            Err(error) => error,
        };
        fault(shared, cell, &error);
        match find_out(shared, cell, state, &round.records, &mut meanwhile).await {
            Found::Ours(tail) => {
                // Only the answer was lost.
                state.tail = tail;
                meanwhile.end(shared, state);
                return Appended::Done(round);
            }
            Found::Nothing if attempt == 0 && error != AppendError::Conflict => {}
            Found::Nothing => break,
            Found::Others => {
                others = true;
                break;
            }
        }
    }
    let letters = roll_back(shared, cell, state, round, &mut meanwhile).await;
    if others {
        return Appended::Again(letters);
    }
    letters.into_iter().for_each(|letter| letter.refuse(&cell.code, None, unavailable()));
    Appended::Refused
}

/// Asks the log what it holds, until it can be read.
async fn find_out(
    shared: &Arc<Shared>,
    cell: &RoomCell,
    state: &mut RoomState,
    ours: &[Recorded],
    meanwhile: &mut Meanwhile,
) -> Found {
    let log = shared.log.clone().expect("only rooms with a log ask it");
    let last = ours.last().expect("a round that is appended has records").offset;
    let mut backoff = Backoff::default();
    loop {
        match log.read(&cell.code, state.tail.offset, ours.len()).await {
            #[cfg(feature = "planted")]
            Ok(stretch) if planted::is(Bug::MistakeOthers) && stretch.records.len() == ours.len() => {
                return Found::Ours(Tail { offset: last, ..stretch.tail });
            }
            Ok(stretch) if stretch.records.starts_with(ours) => {
                // What somebody else has put behind it is found by the next append.
                return Found::Ours(Tail { offset: last, ..stretch.tail });
            }
            Ok(stretch) if stretch.tail.epoch != state.tail.epoch => return Found::Others,
            Ok(stretch) if stretch.tail.offset > state.tail.offset => return Found::Others,
            Ok(stretch) if stretch.tail.offset == state.tail.offset => return Found::Nothing,
            // Members have seen more of this life than it holds: it cannot have been read right.
            Ok(stretch) => fault(shared, cell, &format!("ends at {:?}, before {:?}", stretch.tail, state.tail)),
            Err(error) => fault(shared, cell, &error),
        }
        wait(cell, state, &mut backoff, meanwhile).await;
    }
}

/// Waits before the log is asked again. Meanwhile the room refuses what it is asked, and remembers who has gone.
async fn wait(cell: &RoomCell, state: &mut RoomState, backoff: &mut Backoff, meanwhile: &mut Meanwhile) {
    tokio::time::sleep(backoff.next()).await;
    meanwhile.has_refused = true;
    for letter in cell.take_letters(usize::MAX) {
        match letter {
            Letter::Detach { session, generation } => meanwhile.gone.push((session, generation)),
            Letter::Tick => state.disarm(),
            Letter::Evict(eviction) => state.give_back(cell, eviction),
            letter => cell.refuse(letter, unavailable()),
        }
    }
}

/// Undoes a round: the ledger is read again, attendance stays, and what others have logged is published. Gives back the round's
/// letters.
async fn roll_back(
    shared: &Arc<Shared>,
    cell: &Arc<RoomCell>,
    state: &mut RoomState,
    mut round: Round,
    meanwhile: &mut Meanwhile,
) -> VecDeque<Letter> {
    let log = shared.log.clone().expect("only rooms with a log roll back");
    let mut backoff = Backoff::default();
    let loaded = loop {
        match load(shared, &*log, cell).await {
            Ok(loaded) => break loaded,
            Err(error) => fault(shared, cell, &error),
        }
        wait(cell, state, &mut backoff, meanwhile).await;
    };
    let now = shared.clock.now();
    // Who came in has not come in, and who left has not left.
    for (session, generation) in &round.begun {
        state.subscribers.remove(session);
        state.room.note(now, Note::Detached { session: *session, generation: *generation });
    }
    let life = state.life.clone().filter(|life| {
        let epoch = loaded.as_ref().and_then(|loaded| loaded.ledger.epoch());
        epoch == Some(life.epoch)
    });
    match (loaded, life) {
        (Some(loaded), Some(life)) => {
            let published = state.tail.offset;
            state.room.replace_ledger(now, loaded.ledger);
            for (session, reader, ..) in round.ends.drain(..) {
                let (generation, member) = (reader.connection.generation, reader.subscription.member);
                state.room.note(now, Note::Attached { session, generation, member });
                state.subscribers.insert(session, reader);
            }
            state.tail = loaded.tail;
            let others: Vec<_> = loaded.recent.iter().filter(|record| record.offset > published).collect();
            publish_records(&life, others.iter().copied());
            for record in &others {
                if let Event::Redacted { target } = record.event {
                    // Reading the room back has made the log forget it.
                    life.taken_back.add(&[target], Scrub::Done);
                    life.backlog.redact(target);
                }
            }
            let room = &state.room;
            state.subscribers.retain(|session, reader| {
                let stays = room.sessions_of(reader.subscription.member).contains(session);
                if !stays {
                    let exit = others.iter().rev().find(|record| record.leaver() == Some(reader.subscription.member));
                    match exit.and_then(|record| record.seq) {
                        Some(until) => reader.end(until, End::Membership),
                        None => reader.end(life.backlog.head(), End::Quiet),
                    }
                }
                reader.connection.wake.wake();
                stays
            });
        }
        (loaded, _) => {
            // The life was never there, or is over for everyone.
            for (session, reader, ..) in round.ends.drain(..) {
                state.subscribers.insert(session, reader);
            }
            state.end_life(CloseCause::Host);
            install(shared, cell, state, loaded);
        }
    }
    meanwhile.gone.splice(0..0, round.gone);
    // Whatever ran out with this round has not: graces begin again, also where the log was not waited for.
    meanwhile.has_refused = true;
    meanwhile.end(shared, state);
    round.verdicts.into_iter().map(|(letter, _)| letter).collect()
}

pub(crate) fn fault(shared: &Shared, cell: &RoomCell, error: &dyn std::fmt::Display) {
    shared.observe(Fact::LogFault { room: &cell.code, error: error.to_string() });
}
