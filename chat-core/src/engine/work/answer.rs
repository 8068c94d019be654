//! From a verdict to the frame that tells it: the room names, this fills in.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::feed::life::Life;
use crate::engine::feed::page::Page;
use crate::engine::rooms::cell::{Entrance, Letter};
use crate::engine::rooms::round::{Entering, Verdict};
use crate::engine::session::answers::{Opening, Read};
use crate::engine::session::charge::Charge;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::subscription::Subscription;
use crate::engine::shared::Shared;
use crate::room::{Answer, Budget, Entered, Entry, HistorySlice, Input, Member, Repeated, Room};
use crate::wire::{self, FrameKind, JoinedParts, MemberLine, MemberList, RoomStatus, Status};
use crate::words::{MemberId, Reject, RejectCode, RoomCode};

/// What is fixed of somebody's coming in, as the room is at this moment.
pub(crate) fn admit(
    shared: &Shared,
    room: &Room,
    entered: Entered,
    subscription: Arc<Subscription>,
    members_bytes_max: usize,
) -> Entering {
    let page = shared.limits.room.members_page_max;
    let you = room.member(entered.member).expect("who has entered is a member");
    let others = room.members().filter(|member| member.id != entered.member);
    let shown = std::iter::once(you).chain(others.take(page.saturating_sub(1)));
    let shown = shown.map(|member| line(room, member));
    let (members, _) = MemberList::of(shown, page.min(room.members_total()), members_bytes_max);
    Entering {
        parts: JoinedParts {
            id: None,
            epoch: subscription.life.epoch,
            seq: entered.from,
            members,
            members_total: room.members_total(),
            topic: room.topic().as_str().to_owned(),
            notices: room.notices(),
        },
        history: entered.history,
        subscription,
        continues: entered.entry == Entry::Continued,
    }
}

fn line<'a>(room: &Room, member: &'a Member) -> MemberLine<'a> {
    let Member { id, nick, color, role, .. } = member;
    MemberLine { member: *id, nick: nick.as_str(), color: *color, role: *role, online: room.is_online(*id) }
}

/// As many of these members as a page holds, and the last of them.
pub(crate) fn members_page(room: &Room, page: &[MemberId], bytes_max: usize) -> (MemberList, Option<MemberId>) {
    let lines = page.iter().filter_map(|&id| room.member(id)).map(|member| line(room, member));
    MemberList::of(lines, page.len(), bytes_max)
}

/// The room as of now, for readers that fell behind.
pub(crate) fn gap_snapshot(shared: &Shared, room: &Room) -> Bytes {
    let page = shared.limits.room.members_page_max;
    let lines = room.members().take(page).map(|member| line(room, member));
    let bytes_max = shared.limits.session.page_bytes_max;
    let (members, _) = MemberList::of(lines, page.min(room.members_total()), bytes_max);
    wire::gap_snapshot(&members, room.members_total(), room.topic().as_str(), room.notices())
}

/// Tells a verdict to whoever asked. What it speaks of has been published.
pub(crate) fn deliver(
    shared: &Arc<Shared>,
    code: &RoomCode,
    life: Option<&Arc<Life>>,
    letter: Letter,
    verdict: Verdict,
) {
    match (letter, verdict) {
        (letter, Verdict::Rejected(reject)) => refuse(shared, code, life, letter, reject),
        (Letter::Host { answer, .. }, verdict) => {
            let seq = match verdict {
                Verdict::Answer(Answer::Done { seq } | Answer::Left { seq }) => seq,
                _ => life.map(|life| life.backlog.head()).unwrap_or_default(),
            };
            // The embedder may have stopped waiting.
            let _ = answer.send(Ok(seq));
        }
        (Letter::Command { reply, .. }, Verdict::Members { page, total, more }) => {
            let json = wire::members_page(reply.id(), code, &page, total, more);
            reply.answer(FrameKind::Members, json);
        }
        (Letter::Command { reply, input }, Verdict::Answer(answer)) => match answer {
            Answer::Sent { seq, at, repeated } => {
                let was_paid = matches!(input, Input::Send { budget: Budget::Paid, .. });
                if repeated == Repeated::Retry && was_paid {
                    shared.pay_back(&input, &reply);
                }
                reply.ack(code, seq, Some(at));
            }
            Answer::Left { seq } | Answer::Done { seq } => reply.ack(code, seq, None),
            Answer::History(slice) => {
                let life = Arc::clone(life.expect("a history belongs to a life"));
                if reply.is_mailbox() {
                    reply.history(Read::new(life, slice));
                } else {
                    send_page(shared, life, slice, reply);
                }
            }
            // An id and a tag both say that somebody waits for the answer.
            Answer::Nothing if reply.is_mailbox() && reply.id().is_none() && reply.tag().is_none() => reply.nothing(),
            _ => reply.ack(code, life.map(|life| life.backlog.head()).unwrap_or_default(), None),
        },
        (Letter::Enter { entrance, .. }, Verdict::Entered(entering)) => enter(shared, entrance, *entering),
        _ => {}
    }
}

/// A history for who waits at the other end of a channel: they can take it now.
fn send_page(shared: &Arc<Shared>, life: Arc<Life>, slice: HistorySlice, reply: ReplyTo) {
    let answer = |life: &Life, reply: ReplyTo, page: &Page| {
        let json = wire::history(reply.id(), &life.code, page.iter(), page.more);
        reply.answer(FrameKind::History, json);
    };
    let bytes_max = shared.limits.session.page_bytes_max;
    match Page::at_hand(&life, &slice, bytes_max, shared.log.is_some()) {
        Some(page) => answer(&life, reply, &page),
        None => {
            let shared_then = Arc::clone(shared);
            shared.spawn(async move {
                let mut page = shared_then.read_page(&life, &slice).await;
                while page.mask(&life).is_err() {
                    page = shared_then.read_page(&life, &slice).await;
                }
                answer(&life, reply, &page);
            });
        }
    }
}

fn refuse(shared: &Arc<Shared>, code: &RoomCode, life: Option<&Arc<Life>>, letter: Letter, reject: Reject) {
    shared.count_reject(reject.code);
    match letter {
        Letter::Enter { entrance: Entrance::Drawn { by, nick, reply }, .. } if reject.code == RejectCode::NameTaken => {
            shared.create_drawn(by, nick, reply);
        }
        letter => letter.refuse(code, life.map(|life| life.epoch), reject),
    }
}

/// Lets somebody in whose membership is decided and published.
fn enter(shared: &Arc<Shared>, mut entrance: Entrance, mut entering: Entering) {
    let subscription = entering.subscription;
    let life = Arc::clone(&subscription.life);
    let came_late = subscription.from.next() < life.backlog.oldest();
    let (cell, connection) = (Arc::clone(entrance.cell()), Arc::clone(entrance.connection()));
    entering.parts.id = match &entrance {
        Entrance::Command(reply) | Entrance::Drawn { reply, .. } => reply.id(),
        Entrance::Resume(_) => None,
    };
    let seq = entering.parts.seq;
    let mut charge = match &mut entrance {
        Entrance::Command(reply) | Entrance::Drawn { reply, .. } => reply.charge.take(),
        Entrance::Resume(_) => connection.purse.as_ref().map(Charge::owed),
    };
    if let Some(charge) = charge.as_mut().filter(|_| !entering.continues) {
        charge.pay(entering.parts.weight());
    }
    {
        let Some(mut state) = cell.lock_for(&connection) else {
            // The connection was lost or replaced meanwhile, and nobody told the room, which was not yet known to be entered.
            let letter = Letter::Detach { session: cell.id, generation: connection.generation };
            return shared.post(&life.code, letter);
        };
        let (tag, answers) = match &mut entrance {
            Entrance::Command(reply) | Entrance::Drawn { reply, .. } => {
                reply.enters_no_more(&mut state);
                (reply.tag(), reply.is_mailbox())
            }
            Entrance::Resume(_) => (None, false),
        };
        let opening = (!entering.continues).then(|| {
            let read = Read { charge, ..Read::new(Arc::clone(&life), entering.history) };
            Opening { parts: entering.parts, read, tag, answers }
        });
        state.enter(Arc::clone(&subscription), opening, came_late);
    }
    match entrance {
        Entrance::Command(reply) | Entrance::Drawn { reply, .. } => {
            if reply.is_mailbox() {
                reply.answered_by_frames();
            } else {
                reply.ack(&life.code, seq, None);
            }
        }
        Entrance::Resume(resuming) => {
            let status = RoomStatus {
                room: life.code.as_str().to_owned(),
                epoch: Some(life.epoch),
                seq: Some(subscription.from),
                status: if came_late { Status::Gap } else { Status::Live },
                reason: None,
            };
            // The connect that asked may have been given up.
            let _ = resuming.status.send(status);
        }
    }
    connection.wake.wake();
}
