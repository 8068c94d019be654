//! A visit to a room that nobody asks for: it is read, does what time has brought, and is put away again.

use std::sync::Weak;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::Shared;
use crate::engine::work::evict;
use crate::room::Input;
use crate::types::{RejectCode, RoomCode};

/// What became of a visit.
pub(crate) enum Visit {
    /// The room keeps its own deadlines from now on; or there is none any more.
    Done,
    /// It could not be read.
    Failed,
    /// As many rooms as may be are in memory.
    NoPlace,
    /// The engine is gone, or goes down.
    Ended,
}

/// Has a room brought into memory, and waits until it has done what is due.
pub(crate) async fn visit(engine: &Weak<Shared>, code: &RoomCode) -> Visit {
    let answered = {
        let Some(shared) = engine.upgrade().filter(|shared| !shared.draining.load(Ordering::Acquire)) else {
            return Visit::Ended;
        };
        // Asked here, so that no refusal is counted that nobody was told of.
        if shared.registry.room(code).is_none() && shared.is_full() {
            evict::make_place(&shared);
            return Visit::NoPlace;
        }
        let (answer, answered) = oneshot::channel();
        shared.enqueue(code, InboxItem::Host { input: Input::Elapsed, answer: answer.into() });
        answered
    };
    match answered.await {
        Ok(Err(reject)) if reject.code == RejectCode::Unavailable => Visit::Failed,
        Ok(Err(reject)) if reject.code == RejectCode::AtCapacity => Visit::NoPlace,
        _ => Visit::Done,
    }
}

/// Whether somebody wants something of the room, or has just been in it. A visit is nobody's, and neither is a look at it or what time brings.
pub(crate) fn is_of_somebody(item: &InboxItem) -> bool {
    match item {
        InboxItem::Host {
            input: Input::Elapsed | Input::Look | Input::Erase { .. } | Input::Erased { .. }, ..
        }
        | InboxItem::Evict(_)
        | InboxItem::Tick
        | InboxItem::Peer(_) => false,
        InboxItem::Command { .. }
        | InboxItem::Enter { .. }
        | InboxItem::Host { .. }
        | InboxItem::Asked(_)
        | InboxItem::Detach { .. }
        | InboxItem::End { .. }
        | InboxItem::Readmitted { .. }
        | InboxItem::GapView => true,
    }
}
