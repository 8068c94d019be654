//! One room of which a person is erased: it is looked at in the log, and asked, until nothing is left of them there.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::engine::engine::Engine;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::host_view::HostAnswer;
use crate::engine::shared::Shared;
use crate::ports::{Erasure, Log, ReadError};
use crate::room::{Answer, Input, Ledger, Snapshot, Traces, Unreadable};
use crate::types::{Identity, Offset, RejectCode, RoomCode};

/// Records read at once: what one task holds.
const PAGE: usize = 256;
/// Steps in one room in one pass, each of which erases up to [`Event::ERASED_NUMBERS_MAX`](crate::Event::ERASED_NUMBERS_MAX) numbers. 64: more than a thousand
/// numbers. What comes after that is left to another pass.
const STEPS_MAX: usize = 64;
/// How often a room is asked that has still to make its log forget, or cannot be asked now, before it counts as one that failed. 60, with pauses of up to
/// 5 s: about five minutes.
const TRIES_MAX: usize = 60;
/// How often a room in memory that has too much to do is asked whether its log has all of it, before it counts as one that failed. 4: another pass comes.
const READY_TRIES_MAX: usize = 4;

/// The engine, as long as it takes something new.
pub(super) fn working(engine: &Weak<Shared>) -> Option<Arc<Shared>> {
    engine.upgrade().filter(|shared| !shared.draining.load(Ordering::Acquire))
}

/// What came of a look at one room.
pub(super) enum Found {
    Nothing,
    Erased,
    Failed,
    Ended,
}

/// Has a person erased from a room, until its log tells nothing of them.
pub(super) async fn erase_from(engine: &Weak<Shared>, job: &Erasure, code: &RoomCode) -> Found {
    let mut found = Found::Nothing;
    if let Err(found) = await_under_way(engine, job, code).await {
        return found;
    }
    for _ in 0..STEPS_MAX {
        let Some(shared) = working(engine) else { return Found::Ended };
        let erase = |members, is_told_of| Input::Erase {
            identity: job.identity.clone(),
            alias: job.alias,
            members,
            is_told_of,
        };
        let ask = match &shared.log {
            None => erase(Vec::new(), false),
            Some(log) => match look(&**log, code, &job.identity).await {
                Ok(traces) if traces.are_there() => erase(traces.members().to_vec(), true),
                Ok(traces) if traces.is_owed(job.alias) => Input::Erased { alias: job.alias },
                Ok(_) => return found,
                Err(_) => return Found::Failed,
            },
        };
        let has_log = shared.log.is_some();
        drop(shared);
        match ask_until_done(engine, job, code, ask).await {
            Found::Erased => found = Found::Erased,
            Found::Nothing if has_log => return found,
            other => return other,
        }
        if !has_log {
            return found;
        }
    }
    Found::Failed
}

/// Waits until the log has what the room was asked before, where that is in memory here: somebody may be just coming in. Where another server decides, and
/// nobody is in the room here, only what its log has by now is found.
async fn await_under_way(engine: &Weak<Shared>, job: &Erasure, code: &RoomCode) -> Result<(), Found> {
    let mut backoff = Backoff::default();
    for _ in 0..READY_TRIES_MAX {
        let Some(shared) = working(engine) else { return Err(Found::Ended) };
        if shared.log.is_none() || shared.registry.room(code).is_none() {
            return Ok(());
        }
        // It is answered behind all that, and changes nothing.
        match (Engine { shared }).room(code).ask(Input::Erased { alias: job.alias }).await {
            Ok(_) => return Ok(()),
            Err(reject) if reject.code == RejectCode::Busy => tokio::time::sleep(backoff.next()).await,
            // It is not there any more, or its owner cannot be asked: what its log has by now is all there is to find.
            Err(_) => return Ok(()),
        }
    }
    Err(Found::Failed)
}

/// What a log tells of a person in one room. The room itself is not read, and does not come into memory.
async fn look(log: &dyn Log, code: &RoomCode, identity: &Identity) -> Result<Traces, ReadError> {
    let mut traces = Traces::new(identity.clone());
    let Some(epoch) = log.read(code, None, Offset(0), 0).await?.tail.epoch else { return Ok(traces) };
    let mut covered = None;
    if let Some((through, stored)) = log.load_snapshot(code, epoch).await? {
        covered = Some(through);
        match Snapshot::read(&stored).map(Ledger::from) {
            Ok(ledger) if ledger.epoch() == Some(epoch) => traces.look_at(&ledger),
            Ok(_) | Err(Unreadable::Damaged(_)) => {}
            Err(Unreadable::Later { .. }) => {
                return Err(ReadError::Unavailable("a later program wrote what is stored".into()));
            }
        }
    }
    let mut after = Offset(0);
    loop {
        let page = log.read(code, Some(epoch), after, PAGE).await?;
        let Some(last) = page.records.last().map(|last| last.offset) else { return Ok(traces) };
        let is_gap = |covered: Offset| page.records.first().is_some_and(|first| first.offset > covered.next());
        if covered.take().is_some_and(is_gap) {
            return Err(ReadError::Unavailable("it was stored and cut meanwhile".into()));
        }
        page.records.iter().for_each(|record| traces.read(record));
        after = last;
    }
}

/// Asks a room to erase a person, and then until its log has been made to forget them.
async fn ask_until_done(engine: &Weak<Shared>, job: &Erasure, code: &RoomCode, mut ask: Input) -> Found {
    let (mut backoff, mut found) = (Backoff::default(), Found::Nothing);
    for _ in 0..TRIES_MAX {
        let Some(shared) = working(engine) else { return Found::Ended };
        let room = Engine { shared }.room(code);
        let answer = room.ask(ask.clone()).await;
        drop(room);
        match answer {
            Ok(HostAnswer::Told(Answer::Erased { is_owed: true })) => {
                found = Found::Erased;
                ask = Input::Erased { alias: job.alias };
            }
            Ok(HostAnswer::Told(Answer::Erased { is_owed: false })) => {
                return if matches!(ask, Input::Erased { .. }) { Found::Erased } else { found };
            }
            Ok(_) => return Found::Failed,
            // It is over, and with it all that it held.
            Err(reject) if reject.code == RejectCode::RoomNotFound => return found,
            Err(_) => {}
        }
        tokio::time::sleep(backoff.next()).await;
    }
    Found::Failed
}
