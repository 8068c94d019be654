//! Where a room meets its log: reading it back, appending, and finding out what became of an append that failed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::backlog::Segment;
use super::engine::Shared;
use super::life::Life;
use super::room_cell::{Letter, RoomCell};
use super::room_task::{RoomState, Round, Subscriber};
use super::subscription::End;
use crate::messages::{CloseCause, Recorded};
use crate::ports::{AppendError, Fact, Log, ReadError, Tail};
use crate::room::{Ledger, Note, Snapshot};
use crate::wire;
use crate::words::{Offset, Reject, RejectCode, Seq};

/// Records read at once.
const PAGE: usize = 1_024;
/// First and longest pause before a log that failed is asked again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Records after which a snapshot of the ledger is stored: what a recovery replays at most, beside the backlog.
const SNAPSHOT_EVERY: usize = 1_000;

/// What a log says about a room.
struct Loaded {
    ledger: Ledger,
    tail: Tail,
    /// The newest told records, for the backlog.
    recent: VecDeque<Recorded>,
}

pub(crate) fn unavailable() -> Reject {
    Reject::new(RejectCode::Unavailable, "the room's log cannot be reached now").retry_after(Duration::from_secs(1))
}

/// Reads a room back when its code is first used. `false` where the log cannot be read now.
pub(crate) async fn recover(shared: &Arc<Shared>, cell: &RoomCell, state: &mut RoomState) -> bool {
    let log = shared.log.clone().expect("only rooms with a log are recovered");
    match load(shared, &*log, cell).await {
        Err(error) => {
            fault(shared, cell, &error);
            false
        }
        Ok(None) => {
            state.recovered = true;
            true
        }
        Ok(Some(loaded)) => {
            let now = shared.clock.now();
            let epoch = loaded.ledger.epoch().expect("a room that is loaded has a life");
            state.room = crate::room::Room::from_ledger(loaded.ledger, Arc::clone(&shared.room_limits));
            state.room.note(now, Note::Recovered);
            let head = state.room.head();
            let first = loaded.recent.front().and_then(|record| record.seq).unwrap_or(head.next());
            let life = Arc::new(Life::new(cell.code.clone(), epoch, Seq(first.0 - 1), &shared.limits.room));
            publish_records(&life, loaded.recent.iter());
            state.life = Some(life);
            state.tail = loaded.tail;
            state.recovered = true;
            true
        }
    }
}

async fn load(shared: &Shared, log: &dyn Log, cell: &RoomCell) -> Result<Option<Loaded>, ReadError> {
    let code = &cell.code;
    let tail = log.read(code, Offset(0), 0).await?.tail;
    let Some(epoch) = tail.epoch else { return Ok(None) };
    let stored = log.load_snapshot(code, epoch).await?;
    let ledger = stored.and_then(|(_, bytes)| {
        // A snapshot only saves time: one of another version is left alone, and the log replayed from its start.
        serde_json::from_slice::<Snapshot>(&bytes).ok().map(Ledger::from)
    });
    let mut ledger = ledger.unwrap_or_else(|| Ledger::new(&shared.limits.room));
    let keep = shared.limits.room.backlog_events_max;
    let backlog_start = Offset(tail.offset.0.saturating_sub(keep as u64));
    let mut after = ledger.last_offset().min(backlog_start);
    let mut recent = VecDeque::new();
    loop {
        let stretch = log.read(code, after, PAGE).await?;
        let Some(last) = stretch.records.last() else {
            return Ok(Some(Loaded { ledger, tail: stretch.tail, recent }));
        };
        after = last.offset;
        for record in stretch.records {
            if record.offset > ledger.last_offset() {
                ledger.apply(&record);
            }
            if record.seq.is_some() {
                recent.push_back(record);
                if recent.len() > keep {
                    recent.pop_front();
                }
            }
        }
        if after >= stretch.tail.offset {
            if ledger.epoch().is_none() {
                // It was closed, and the process ended before it was deleted.
                log.delete(code, epoch).await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
                return Ok(None);
            }
            return Ok(Some(Loaded { ledger, tail: stretch.tail, recent }));
        }
    }
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

/// Appends a round's records. Comes back when the log has the records of the round it returns: the same one, or what could be
/// decided anew after somebody else's, or none of it with everybody answered.
pub(crate) async fn append(shared: &Arc<Shared>, cell: &Arc<RoomCell>, state: &mut RoomState, round: Round) -> Round {
    let log = shared.log.clone().expect("only rooms with a log append");
    let mut round = round;
    // Once as decided, and once more after a failure; then the callers are told, and may try again themselves.
    for attempt in 0..2 {
        let error = match log.append(&cell.code, &state.tail, &round.records).await {
            Ok(tail) => {
                state.tail = tail;
                return round;
            }
            Err(error) => error,
        };
        fault(shared, cell, &error);
        let found = find_out(shared, cell, state, &round.records).await;
        if found.starts_with(&round.records) {
            // It was written after all; only the answer was lost.
            state.tail = read_tail(shared, cell, state).await;
            return round;
        }
        let somebody_else = !found.is_empty();
        if !somebody_else && attempt == 0 && !matches!(error, AppendError::Conflict) {
            continue;
        }
        let letters = roll_back(shared, cell, state, round).await;
        round = Round::default();
        let now = shared.clock.now();
        for letter in letters {
            if somebody_else && attempt == 0 {
                state.take(shared, cell, now, letter, &mut round);
            } else {
                letter.refuse(&cell.code, None, unavailable());
            }
        }
        if round.records.is_empty() {
            return round;
        }
    }
    round
}

/// What the log holds after the published tail; asks until it can be read. Meanwhile the room refuses commands, and goes on
/// noting who comes and goes.
async fn find_out(shared: &Arc<Shared>, cell: &RoomCell, state: &mut RoomState, ours: &[Recorded]) -> Vec<Recorded> {
    let log = shared.log.clone().expect("only rooms with a log ask it");
    let mut pause = BACKOFF.0;
    loop {
        match log.read(&cell.code, state.tail.offset, PAGE.max(ours.len())).await {
            // A log that ends before what was published cannot have been read right: members have seen more than it holds.
            Ok(stretch) if stretch.tail.offset >= state.tail.offset => return stretch.records,
            Ok(stretch) => fault(shared, cell, &format!("ends at {:?}, before {:?}", stretch.tail, state.tail)),
            Err(error) => fault(shared, cell, &error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
        for letter in cell.take_letters(usize::MAX) {
            match letter {
                Letter::Detach { session, generation } => {
                    state.room.note(shared.clock.now(), Note::Detached { session, generation });
                    if state.subscribers.get(&session).is_some_and(|reader| reader.connection.generation <= generation)
                    {
                        state.subscribers.remove(&session);
                    }
                }
                letter => letter.refuse(&cell.code, None, unavailable()),
            }
        }
    }
}

async fn read_tail(shared: &Arc<Shared>, cell: &RoomCell, state: &RoomState) -> Tail {
    let log = shared.log.clone().expect("only rooms with a log ask it");
    let mut pause = BACKOFF.0;
    loop {
        match log.read(&cell.code, state.room.last_offset(), 0).await {
            Ok(stretch) => return stretch.tail,
            Err(error) => fault(shared, cell, &error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Undoes a round: the ledger is read again, attendance stays, and what others have logged is published. Gives back the round's
/// letters.
async fn roll_back(shared: &Arc<Shared>, cell: &Arc<RoomCell>, state: &mut RoomState, round: Round) -> Vec<Letter> {
    let log = shared.log.clone().expect("only rooms with a log roll back");
    for session in &round.begun {
        state.subscribers.remove(session);
    }
    // Who left in this round has not; the room forgot their attachments with the leave.
    let mut back = Vec::new();
    for (session, reader, ..) in round.ends {
        if !round.begun.contains(&session) {
            back.push((session, reader.connection.generation, reader.subscription.member));
            state.subscribers.insert(session, reader);
        }
    }
    let mut pause = BACKOFF.0;
    let loaded = loop {
        match load(shared, &*log, cell).await {
            Ok(loaded) => break loaded,
            Err(error) => fault(shared, cell, &error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    };
    let now = shared.clock.now();
    let published = state.tail.offset;
    let same_life = |loaded: &Loaded| state.life.as_ref().is_some_and(|life| loaded.ledger.epoch() == Some(life.epoch));
    match loaded {
        Some(loaded) if same_life(&loaded) => {
            let life = Arc::clone(state.life.as_ref().expect("it has this life"));
            let ledger = loaded.ledger;
            state.room.replace_ledger(now, ledger);
            for (session, generation, member) in back {
                state.room.note(now, Note::Attached { session, generation, member });
            }
            state.tail = loaded.tail;
            publish_records(&life, loaded.recent.iter().filter(|record| record.offset > published));
            let room = &state.room;
            state.subscribers.retain(|_, reader| {
                let stays = room.member(reader.subscription.member).is_some();
                if !stays {
                    reader.subscription.end(life.backlog.head(), End::Membership);
                }
                reader.connection.wake.wake();
                stays
            });
        }
        // The life was never there, or is over for everyone.
        _ => end_life(shared, state),
    }
    round.verdicts.into_iter().map(|(letter, _)| letter).collect()
}

fn end_life(shared: &Shared, state: &mut RoomState) {
    if let Some(life) = state.life.take() {
        let _ = life.closed.set(CloseCause::Host);
        for (_, Subscriber { connection, subscription }) in std::mem::take(&mut state.subscribers) {
            subscription.end(life.backlog.head(), End::Life);
            connection.wake.wake();
        }
    }
    state.room = crate::room::Room::new(Arc::clone(&shared.room_limits));
    state.tail = Tail::default();
    state.recovered = false;
}

/// What the log is owed once a batch is out: texts scrubbed, lives deleted, snapshots stored. None of it holds up a reader.
pub(crate) async fn after_publish(
    shared: &Shared,
    log: &Arc<dyn Log>,
    cell: &RoomCell,
    state: &mut RoomState,
    life: &Life,
    redacted: &[Seq],
    closed: Option<CloseCause>,
) {
    for &seq in redacted {
        if let Err(error) = log.scrub(&cell.code, life.epoch, seq).await {
            fault(shared, cell, &error);
        }
    }
    if closed.is_some() {
        if let Err(error) = log.delete(&cell.code, life.epoch).await {
            fault(shared, cell, &error);
        }
        return;
    }
    state.unsaved += 1;
    if state.unsaved >= SNAPSHOT_EVERY {
        state.unsaved = 0;
        let snapshot = Snapshot::from(state.room.ledger().clone());
        let bytes = serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
        if let Err(error) = log.save_snapshot(&cell.code, life.epoch, state.room.last_offset(), &bytes).await {
            fault(shared, cell, &error);
        }
    }
}

fn fault(shared: &Shared, cell: &RoomCell, error: &dyn std::fmt::Display) {
    shared.observe(Fact::LogFault { room: &cell.code, error: error.to_string() });
}
