//! What the host is shown of a room: its state as of the answer, and pages of what was said.

use std::sync::Arc;

use crate::engine::feed::page::{Page, PageSlice};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::batch::Outcome;
use crate::engine::rooms::host_view::{HistoryPage, HostAnswer, HostReply, MembersPage, RoomInfo, RoomMember};
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::task::RoomTask;
use crate::room::{Answer, Input, Member, Room};
use crate::types::{MemberId, Reject, Scope};

impl RoomTask {
    /// What the host is shown for what it asked, as of now; nothing where the answer says all.
    ///
    /// # Errors
    /// `unavailable`, where the room has gone meanwhile from here: it is decided elsewhere, and not known well enough.
    pub(crate) fn host_view(&self, input: &Input, answer: &Answer) -> Result<Option<HostAnswer>, Reject> {
        let room = &self.state.room;
        match (input, answer) {
            (Input::Look, _) => info(room).map(|info| Some(HostAnswer::Info(info))).ok_or_else(unavailable),
            (Input::Members { after, .. }, Answer::Members { page, total }) => {
                Ok(Some(HostAnswer::Members(members(room, *after, page, *total))))
            }
            _ => Ok(None),
        }
    }
}

fn info(room: &Room) -> Option<RoomInfo> {
    Some(RoomInfo {
        epoch: room.epoch()?,
        seq: room.head(),
        topic: room.topic().clone(),
        settings: *room.settings(),
        notices: room.notices(),
        members: room.members_total(),
        online: room.online(),
        owner: room.owner_seat(),
        is_protected: room.is_protected(),
        is_kept: room.is_kept(),
        last_at: room.ledger().last_at(),
    })
}

fn members(room: &Room, after: Option<MemberId>, page: &[MemberId], total: usize) -> MembersPage {
    let last = page.last().copied().or(after);
    let members = page.iter().filter_map(|&id| room.member(id)).map(|member| shown(room, member)).collect();
    MembersPage { members, total, more: room.members_after(last).next().is_some() }
}

fn shown(room: &Room, member: &Member) -> RoomMember {
    let (identity, session) = match &member.scope {
        Scope::Identity(identity) => (Some(identity.clone()), None),
        Scope::Session(session) => (None, Some(*session)),
    };
    RoomMember {
        member: member.id,
        identity,
        session,
        nick: member.nick.clone(),
        color: member.color,
        role: member.role,
        data: member.data.clone(),
        online: room.is_online(member.id),
        since: member.since,
    }
}

/// Tells the host what has come of what it asked. It may have stopped waiting.
pub(crate) fn deliver(shared: &Arc<Shared>, feed: Option<&Arc<RoomFeed>>, outcome: Outcome, answer: HostReply) {
    let shown = match outcome {
        Outcome::Shown(view) => *view,
        Outcome::Answer(Answer::History(slice)) => {
            let feed = Arc::clone(feed.expect("what can be shown belongs to a feed"));
            return send_page(shared, feed, PageSlice::History(slice), answer);
        }
        Outcome::Answer(
            shown @ (Answer::Done { .. }
            | Answer::Sent { .. }
            | Answer::Bans { .. }
            | Answer::Invited { .. }
            | Answer::Erased { .. }),
        ) => HostAnswer::Told(shown),
        _ => HostAnswer::Told(Answer::Done { seq: feed.map(|feed| feed.backlog.head()).unwrap_or_default() }),
    };
    answer.send(Ok(shown));
}

/// A page is read for whoever waits for it: the host takes it now.
fn send_page(shared: &Arc<Shared>, feed: Arc<RoomFeed>, slice: PageSlice, answer: HostReply) {
    let bytes_max = shared.limits.session.page_bytes_max;
    if let Some(page) = Page::at_hand(&feed, &slice, bytes_max, shared.log.is_some()) {
        answer.send(Ok(HostAnswer::History(history(&feed, &page))));
        return;
    }
    let shared_then = Arc::clone(shared);
    shared.spawn(async move {
        let mut page = shared_then.read_page(&feed, &slice).await;
        while page.mask(&feed).is_err() {
            page = shared_then.read_page(&feed, &slice).await;
        }
        answer.send(Ok(HostAnswer::History(history(&feed, &page))));
    });
}

fn history(feed: &RoomFeed, page: &Page) -> HistoryPage {
    let messages = page.iter().filter_map(|json| serde_json::from_slice(json).ok()).collect();
    let (more_before, more_after) = (page.more, page.more_after);
    HistoryPage { epoch: feed.epoch, messages, more_before, more_after, as_of: page.as_of }
}
