//! From a verdict to the frame that tells it: the room names, this fills in.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::feed::life::Life;
use crate::engine::feed::page::Page;
use crate::engine::rooms::cell::{Entrance, Letter};
use crate::engine::rooms::round::{Entering, Verdict};
use crate::engine::session::answers::{Opening, Read};
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::subscription::Subscription;
use crate::engine::shared::Shared;
use crate::room::{Answer, Budget, Entered, Entry, HistorySlice, Input, Member, Repeated, Room};
use crate::wire::{self, FrameKind, JoinedParts, MemberLine, MemberList, RoomStatus, Status};
use crate::words::{Generation, MemberId, Position, Reject, RejectCode, RoomCode, SessionId};

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

/// Somebody who was let in and has gone meanwhile, or was given up.
pub(crate) struct Stray {
    pub(crate) session: SessionId,
    pub(crate) generation: Generation,
    pub(crate) subscription: Arc<Subscription>,
}

/// Tells a verdict to whoever asked. What it speaks of has been published. Gives back who was let in and is not there to be told.
pub(crate) fn deliver(
    shared: &Arc<Shared>,
    code: &RoomCode,
    life: Option<&Arc<Life>>,
    letter: Letter,
    verdict: Verdict,
) -> Option<Stray> {
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
        (Letter::Enter { entrance, .. }, Verdict::Entered(entering)) => return enter(entrance, *entering).err(),
        _ => {}
    }
    None
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

/// Lets somebody in whose membership is decided and published, if they are still there.
fn enter(mut entrance: Entrance, mut entering: Entering) -> Result<(), Stray> {
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
        Entrance::Resume(resuming) => resuming.charge.take(),
    };
    if let Some(charge) = charge.as_mut().filter(|_| !entering.continues) {
        charge.pay(entering.parts.weight());
    }
    {
        let is_resume = matches!(entrance, Entrance::Resume(_));
        let state = cell.lock_for(&connection).filter(|state| !is_resume || state.comes_back_to(&life.code));
        let Some(mut state) = state else {
            // The connection was lost or replaced meanwhile, and nobody told the room, which was not yet known to be entered.
            return Err(Stray { session: cell.id, generation: connection.generation, subscription });
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
        if let Entrance::Resume(resuming) = &mut entrance {
            let position = Position { epoch: life.epoch, seq: subscription.from };
            let status = if came_late { Status::Gap } else { Status::Live };
            state.stands(RoomStatus::silent(&life.code, Some(position), status));
            resuming.is_answered = true;
        }
    }
    match entrance {
        Entrance::Command(reply) | Entrance::Drawn { reply, .. } => {
            if reply.is_mailbox() {
                reply.answered_by_frames();
            } else {
                reply.ack(&life.code, seq, None);
            }
        }
        Entrance::Resume(_) => {}
    }
    connection.wake.wake();
    Ok(())
}
