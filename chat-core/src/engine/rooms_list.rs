//! All rooms, page by page: what is known of each without reading any of them from the log.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::engine::engine::Engine;
use crate::engine::rooms::host_view::{HostAnswer, RoomInfo};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::unavailable;
use crate::ports::RoomAbout;
use crate::room::Input;
use crate::types::{Reject, RejectCode, RoomCode};

/// The most rooms of one page: each that is in memory is asked what it is like.
const PAGE_MAX: usize = 1_000;

/// Rooms in the order of their codes, one page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomsPage {
    /// Those of this page.
    pub rooms: Vec<RoomEntry>,
    /// Where the next page begins: after this code. `None` where this was the last.
    pub next: Option<RoomCode>,
}

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomEntry {
    /// Its code.
    pub code: RoomCode,
    /// The room as it is, where it is in memory.
    pub info: Option<RoomInfo>,
    /// What is known of it without that: as it is, where it is in memory, and else as its log was told with the last append. `None` where that was by
    /// a program that told nothing, or the log keeps nothing of the kind.
    pub about: Option<RoomAbout>,
}

impl Engine {
    /// Rooms in the order of their codes, with what is known of each: those after `after`, at most `max` of them, and no more than 1,000; in memory
    /// and in the log, listed or not. No room is read for it, and none stays in memory longer. Costs a look at every code in memory; where it is to be shown to people,
    /// [`Settings::listed`](crate::Settings::listed) says whether it may be.
    ///
    /// # Errors
    /// `unavailable` when the log cannot say which rooms it has.
    pub async fn rooms_page(&self, after: Option<&RoomCode>, max: usize) -> Result<RoomsPage, Reject> {
        let (shared, max) = (&self.shared, max.clamp(1, PAGE_MAX));
        let in_memory = shared.registry.codes().into_iter().filter(|code| after.is_none_or(|after| code > after));
        let mut known: BTreeMap<RoomCode, Option<RoomAbout>> = in_memory.map(|code| (code, None)).collect();
        if let Some(log) = &shared.log {
            let logged = log.rooms_with(None, after, max + 1).await.map_err(|_| unavailable())?;
            known.extend(logged.into_iter().map(|room| (room.code, room.about.as_deref().and_then(RoomAbout::read))));
        }
        let has_more = known.len() > max;
        let page: Vec<_> = known.into_iter().take(max).collect();
        let next = page.last().filter(|_| has_more).map(|(code, _)| code.clone());
        // All are asked before the first has answered.
        let asked: Vec<_> = page.into_iter().map(|(code, about)| (self.look(&code), code, about)).collect();
        let mut rooms = Vec::with_capacity(asked.len());
        for (answered, code, about) in asked {
            let info = match answered {
                None => None,
                Some(answered) => match answered.await {
                    Ok(Ok(HostAnswer::Info(info))) => Some(info),
                    // A code that is only asked for, or a room that has just ended.
                    Ok(Err(reject)) if reject.code == RejectCode::RoomNotFound => continue,
                    _ => None,
                },
            };
            let about = info.as_ref().map(about_of).or(about);
            rooms.push(RoomEntry { code, info, about });
        }
        Ok(RoomsPage { rooms, next })
    }

    /// Asks a room what it is like, if it is in memory.
    fn look(&self, code: &RoomCode) -> Option<oneshot::Receiver<Result<HostAnswer, Reject>>> {
        self.shared.registry.room(code)?;
        let (answer, answered) = oneshot::channel();
        self.shared.enqueue(code, InboxItem::Host { input: Input::Look, answer: answer.into() });
        Some(answered)
    }
}

fn about_of(info: &RoomInfo) -> RoomAbout {
    RoomAbout {
        topic: RoomAbout::beginning(&info.topic).to_owned(),
        members: info.members,
        last_at: info.last_at,
        is_listed: info.settings.listed,
        is_kept: info.is_kept,
    }
}
