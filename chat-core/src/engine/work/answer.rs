//! From an outcome to the frame that tells it: the room names, this fills in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::Role;
use crate::engine::feed::page::{Page, PageSlice};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::batch::{AdmittedJoin, Outcome};
use crate::engine::rooms::host_view::HostReply;
use crate::engine::rooms::inbox::{InboxItem, JoinRequest};
use crate::engine::session::answers::{PendingJoined, Read, encoder};
use crate::engine::session::appointing::Appointing;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::rooms::Arrival;
use crate::engine::session::shared_allowance::SharedAllowance;
use crate::engine::session::subscription::Subscription;
use crate::engine::shared::Shared;
use crate::engine::work::host;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::{
    Actor, Answer, BanLine, Caller, Entered, Entry, Input, Member, OwnerSeat, Repeated, Room, SendPermit,
};
#[cfg(feature = "fault_injection")]
use crate::types::Seq;
use crate::types::{Generation, MemberId, Position, Reject, RejectCode, RoomCode, SessionId};
use crate::wire::{self, BanEntry, FrameKind, JoinedParts, MemberLine, MemberList, RoomStatus, Status};

/// The parts of a join's answer that are fixed at this moment.
pub(crate) fn admit(
    shared: &Shared,
    room: &Room,
    entered: Entered,
    subscription: Arc<Subscription>,
    members_bytes_max: usize,
) -> AdmittedJoin {
    let page = shared.limits.room.members_page_max;
    let you = room.member(entered.member).expect("who has entered is a member");
    let others = room.members().filter(|member| member.id != entered.member);
    let shown = std::iter::once(you).chain(others.take(page.saturating_sub(1)));
    let shown = shown.map(|member| line(room, member));
    let (members, _) = MemberList::of(shown, page.min(room.members_total()), members_bytes_max);
    AdmittedJoin {
        parts: JoinedParts {
            id: None,
            epoch: subscription.feed.epoch,
            seq: entered.from,
            entered: you.entered,
            sees: you.sees,
            members,
            members_total: room.members_total(),
            topic: room.topic().as_str().to_owned(),
            notices: room.notices(),
            settings: room.settings().into(),
            changed_at: room.changed_at(),
            read: room.read_position(&you.scope).unwrap_or_default().into(),
        },
        history: entered.history,
        subscription,
        continues: entered.entry == Entry::Continued,
        // Who has said of no position that they were there has missed nothing.
        due: if entered.is_named { room.head().0.saturating_sub(entered.from.0) } else { 0 },
        member: you.id,
        role: you.role,
        has_owner: room.owner_seat() != OwnerSeat::Free,
    }
}

/// Has somebody leave who may not be here any more.
fn send_away(shared: &Arc<Shared>, code: &RoomCode, cell: &SessionCell, generation: Generation) {
    let identity = cell.lock().identity.clone();
    let by = Caller { session: cell.id, generation, identity, network: None, named: None };
    shared.enqueue(code, InboxItem::End { by, whole: true });
}

/// How long a room has to give somebody a role before it is looked at whether it could, and asked again where it could not. 5 s: as long as the longest
/// pause before a log that fails is asked again.
const ROLE_PATIENCE: Duration = Duration::from_secs(5);

/// Has the host give somebody who came in the role that the policy says, as far as the room has it to give. What they are `now` may be an older
/// truth at a server that does not decide: there it is asked for whatever it is.
pub(crate) fn appoint(
    shared: &Arc<Shared>,
    code: &RoomCode,
    (cell, connection): (&Arc<SessionCell>, &Arc<ConnectionState>),
    said: Role,
    (member, now): (MemberId, Role),
    has_owner: bool,
    is_decided_here: bool,
) {
    let role = if said == Role::Owner && has_owner { Role::Moderator } else { said };
    if now == Role::Owner || is_decided_here && now == role {
        return;
    }
    // Where the rules of the room are against it they are what they were, and nobody waits to hear so.
    let appointing = connection.admitted.as_ref().map(|admitted| Appointing::begin(&admitted.appointments));
    let answer = appointing.map_or(HostReply::Nobody, HostReply::Appointing);
    shared.enqueue(code, InboxItem::Host { input: Input::SetRole { by: Actor::Host, member, role }, answer });
    shared.look_at_roles(cell, connection);
}

impl Shared {
    /// Looks after a while at what rooms say that were asked for a role.
    pub(crate) fn look_at_roles(&self, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        let at = self.clock.now().mono.after(ROLE_PATIENCE);
        if connection.admitted.as_ref().is_some_and(|admitted| admitted.looks_at_roles(at)) {
            self.timers.look_at_admission(at, cell, connection);
        }
    }
}

/// Has the room do something of which nobody waits to hear, and which its inbox does not refuse.
pub(crate) fn have_done(shared: &Arc<Shared>, code: &RoomCode, input: Input) {
    shared.enqueue(code, InboxItem::Host { input, answer: HostReply::Nobody });
}

fn line<'a>(room: &Room, member: &'a Member) -> MemberLine<'a> {
    let Member { id, nick, color, role, data, .. } = member;
    let online = room.is_online(*id);
    MemberLine { member: *id, nick: nick.as_str(), color: *color, role: *role, online, data: data.as_ref() }
}

/// As many of these members as a page holds, and the last of them.
pub(crate) fn members_page(room: &Room, page: &[MemberId], bytes_max: usize) -> (MemberList, Option<MemberId>) {
    let lines = page.iter().filter_map(|&id| room.member(id)).map(|member| line(room, member));
    MemberList::of(lines, page.len(), bytes_max)
}

fn ban(line: BanLine) -> BanEntry {
    let BanLine { ban, member, nick, by, at, until, network, .. } = line;
    let nick = nick.map(|nick| nick.as_str().to_owned());
    BanEntry { member, nick, by, at, until, network, ..BanEntry::of(ban) }
}

/// The room as of now, for readers that fell behind.
pub(crate) fn gap_view(shared: &Shared, room: &Room) -> Bytes {
    let page = shared.limits.room.members_page_max;
    let lines = room.members().take(page).map(|member| line(room, member));
    #[cfg(feature = "fault_injection")]
    let lines = lines.map(|line| match fault_injection::is(Bug::HideMemberData) {
        true => MemberLine { data: None, ..line },
        false => line,
    });
    let bytes_max = shared.limits.session.page_bytes_max;
    let (members, _) = MemberList::of(lines, page.min(room.members_total()), bytes_max);
    let changed_at = room.changed_at();
    #[cfg(feature = "fault_injection")]
    let is_hidden = fault_injection::is(Bug::HideChange)
        || fault_injection::is(Bug::HideReaction) && changed_at > room.ledger().last_taken_back();
    #[cfg(feature = "fault_injection")]
    let changed_at = if is_hidden { Seq(0) } else { changed_at };
    let (topic, notices) = (room.topic().as_str(), room.notices());
    wire::gap_view(&members, room.members_total(), topic, notices, &room.settings().into(), changed_at)
}

/// Somebody who was let in and has gone meanwhile, or was given up.
pub(crate) struct Stray {
    pub(crate) session: SessionId,
    pub(crate) generation: Generation,
    pub(crate) subscription: Arc<Subscription>,
}

/// Tells an outcome to whoever asked. What it speaks of has been published. Gives back who was let in and is not there to be told.
pub(crate) fn deliver(
    shared: &Arc<Shared>,
    code: &RoomCode,
    feed: Option<&Arc<RoomFeed>>,
    item: InboxItem,
    outcome: Outcome,
) -> Option<Stray> {
    match (item, outcome) {
        (item, Outcome::Rejected(reject)) => refuse(shared, code, feed, item, reject),
        (InboxItem::Host { answer, .. }, outcome) => host::deliver(shared, feed, outcome, answer),
        (InboxItem::Command { reply, .. }, Outcome::Members { page, total, more }) => {
            let json = wire::members_page(reply.id(), code, &page, total, more);
            reply.answer(FrameKind::Members, json);
        }
        (InboxItem::Command { reply, .. }, Outcome::Bans { page, more, bytes_max }) => {
            let json = wire::bans_page(reply.id(), code, page.into_iter().map(ban), more, bytes_max);
            reply.answer(FrameKind::Bans, json);
        }
        (InboxItem::Command { reply, input }, Outcome::Answer(answer)) => match answer {
            Answer::Nothing | Answer::Read(_) if reply.wants_nothing() => reply.nothing(),
            Answer::Read(position) => {
                let json = wire::read(reply.id(), code, position);
                reply.answer(FrameKind::Read, json);
            }
            Answer::Sent { seq, at, repeated } => {
                let was_paid = matches!(
                    input,
                    Input::Send { permit: SendPermit::Paid, .. } | Input::Edit { permit: SendPermit::Paid, .. }
                );
                if repeated == Repeated::Retry && was_paid {
                    shared.pay_back(&input, &reply);
                }
                reply.ack(code, seq, Some(at));
            }
            Answer::Left { seq } | Answer::Done { seq } => reply.ack(code, seq, None),
            Answer::History(slice) => show(shared, feed, PageSlice::History(slice), reply),
            Answer::Changes(slice) => show(shared, feed, PageSlice::Changes(slice), reply),
            _ => reply.ack(code, feed.map(|feed| feed.backlog.head()).unwrap_or_default(), None),
        },
        (InboxItem::Enter { request, catch_up, .. }, Outcome::Entered(admitted)) => {
            return enter(shared, request, *admitted, catch_up).err();
        }
        _ => {}
    }
    None
}

/// A page is read when its reader can take it.
fn show(shared: &Arc<Shared>, feed: Option<&Arc<RoomFeed>>, slice: PageSlice, reply: ReplyTo) {
    let feed = Arc::clone(feed.expect("what can be shown belongs to a feed"));
    if reply.is_mailbox() {
        reply.history(Read::new(feed, slice));
    } else {
        send_page(shared, feed, slice, reply);
    }
}

/// A page for who waits at the other end of a channel: they can take it now, where they are in the room still.
fn send_page(shared: &Arc<Shared>, feed: Arc<RoomFeed>, slice: PageSlice, reply: ReplyTo) {
    let (kind, encode) = encoder(&slice);
    let answer = move |shared: &Shared, feed: &RoomFeed, reply: ReplyTo, page: &Page| {
        let json = encode(reply.id(), feed, page);
        // Asked once the page is as it is told: who was put out meanwhile learns nothing of what was said, or changed, since.
        match reply.sees(feed) {
            Ok(()) => reply.answer(kind, json),
            Err(reject) => {
                shared.count_reject(reject.code);
                reply.reject(Some(&feed.code), reject);
            }
        }
    };
    let bytes_max = shared.limits.session.page_bytes_max;
    match Page::at_hand(&feed, &slice, bytes_max, shared.log.is_some()) {
        Some(page) => answer(shared, &feed, reply, &page),
        None => {
            let shared_then = Arc::clone(shared);
            shared.spawn(async move {
                let mut page = shared_then.read_page(&feed, &slice).await;
                while page.mask(&feed).is_err() {
                    page = shared_then.read_page(&feed, &slice).await;
                }
                answer(&shared_then, &feed, reply, &page);
            });
        }
    }
}

fn refuse(shared: &Arc<Shared>, code: &RoomCode, feed: Option<&Arc<RoomFeed>>, item: InboxItem, reject: Reject) {
    shared.count_reject(reject.code);
    match item {
        InboxItem::Enter { request: JoinRequest::Drawn { by, nick, data, reply }, .. }
            if reject.code == RejectCode::NameTaken =>
        {
            shared.create_drawn(by, nick, data, reply);
        }
        item => item.refuse(code, feed.map(|feed| feed.epoch), reject),
    }
}

/// Lets somebody in whose membership is decided and published, if they are still there.
fn enter(
    shared: &Arc<Shared>,
    mut request: JoinRequest,
    mut admitted: AdmittedJoin,
    catch_up: Option<u32>,
) -> Result<(), Stray> {
    let subscription = admitted.subscription;
    let feed = Arc::clone(&subscription.feed);
    let (stands, has_owner) = ((admitted.member, admitted.role), admitted.has_owner);
    let (cell, connection) = (Arc::clone(request.cell()), Arc::clone(request.connection()));
    let (arrival, due) =
        arrive(shared, &connection, &subscription, catch_up.is_some_and(|most| admitted.due > u64::from(most)));
    admitted.parts.id = match &request {
        JoinRequest::Command(reply) | JoinRequest::Drawn { reply, .. } => reply.id(),
        JoinRequest::Resume(_) => None,
    };
    let (seq, read) = (admitted.parts.seq, admitted.parts.read);
    let mut charge = match &mut request {
        JoinRequest::Command(reply) | JoinRequest::Drawn { reply, .. } => reply.charge.take(),
        JoinRequest::Resume(resuming) => resuming.charge.take(),
    };
    if let Some(charge) = charge.as_mut().filter(|_| !admitted.continues) {
        charge.pay(admitted.parts.weight());
    }
    {
        let is_resume = matches!(request, JoinRequest::Resume(_));
        let state = cell.lock_for(&connection).filter(|state| !is_resume || state.comes_back_to(&feed.code));
        let Some(mut state) = state else {
            // The connection was lost or replaced meanwhile, and nobody told the room, which was not yet known to be entered.
            return Err(Stray { session: cell.id, generation: connection.generation, subscription });
        };
        let (tag, answers) = match &mut request {
            JoinRequest::Command(reply) | JoinRequest::Drawn { reply, .. } => {
                reply.enters_no_more(&mut state);
                (reply.tag(), reply.is_mailbox())
            }
            JoinRequest::Resume(_) => (None, false),
        };
        let pending = (!admitted.continues).then(|| {
            let read = Read { charge, ..Read::new(Arc::clone(&feed), PageSlice::History(Box::new(admitted.history))) };
            PendingJoined { parts: admitted.parts, read, tag, answers }
        });
        if let Some(shared_allowance) = &connection.shared_allowance {
            shared_allowance.answer(u32::try_from(due).unwrap_or(u32::MAX));
        }
        state.enter(Arc::clone(&subscription), pending, arrival);
        if let JoinRequest::Resume(resuming) = &mut request {
            let position = Position { epoch: feed.epoch, seq: subscription.from };
            let status = if arrival == Arrival::InTime { Status::Live } else { Status::Gap };
            state.stands(RoomStatus { read: Some(read), ..RoomStatus::silent(&feed.code, Some(position), status) });
            resuming.is_answered = true;
        }
    }
    match request {
        JoinRequest::Command(reply) | JoinRequest::Drawn { reply, .. } => {
            if reply.is_mailbox() {
                reply.answered_by_frames();
            } else {
                reply.ack(&feed.code, seq, None);
            }
        }
        JoinRequest::Resume(_) => {}
    }
    connection.wake.wake();
    if connection.may_enter(Some(&feed.code)).is_err() {
        // Another admission has come while this was on its way, and found nobody here who had to leave.
        send_away(shared, &feed.code, &cell, connection.generation);
    } else if let Some(said) = connection.role() {
        appoint(shared, &feed.code, (&cell, &connection), said, stands, has_owner, true);
    }
    Ok(())
}

/// How somebody comes in, and how many bytes that makes due at once beside a `joined` or a gap: the events after their position, and what the
/// slots show.
///
/// Who owes too much for what was shown already is told a gap in place of what is longer than one: of many that come back at once, all are let
/// in before the first has been shown anything.
fn arrive(shared: &Shared, connection: &ConnectionState, subscription: &Subscription, skips: bool) -> (Arrival, usize) {
    let Subscription { feed, from, sees, .. } = subscription;
    let backlog = &feed.backlog;
    let shown = feed.shown_bytes(*sees);
    let now = || shared.clock.now().mono;
    if skips {
        return (Arrival::CatchingUp(now()), shown);
    }
    // A gap reaches to the middle of what is kept, at least.
    let is_late = from.next() < backlog.oldest();
    let missed = backlog.bytes_after(if is_late { backlog.middle() } else { *from });
    let owes_too_much =
        |shared_allowance: &Arc<SharedAllowance>| shared_allowance.may_come_back(&shared.limits.engine, now()).is_err();
    if missed > shared.limits.session.page_bytes_max && connection.shared_allowance.as_ref().is_some_and(owes_too_much)
    {
        return (Arrival::CatchingUp(now()), shown);
    }
    (if is_late { Arrival::Late } else { Arrival::InTime }, shown + missed)
}
