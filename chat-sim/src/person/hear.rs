//! What people are told, and whether it may be so.

use std::time::Duration;

use chat_core::wire::{RemovalReason, RoomStatus, Status, TaggedMessage};
use chat_core::{CommandId, Position, Seq, ServerFrame};
use tokio::time::Instant;

use super::pages::ShownPage;
use super::{Asked, Outcome, Person};
use crate::embedder::rewritten;
use crate::link::Heard;
use crate::promise::{Broken, Promise, hold};
use crate::screen::Screen;
use crate::summary::summary;
use crate::transport_kind::TransportKind;
use crate::view::View;

/// Codes that a client never sees which speaks the protocol and keeps its keys apart.
const NEVER: [&str; 5] = ["bad_frame", "unknown_type", "too_long", "key_conflict", "bad_token"];
/// Codes of refusals that may pass.
const PASSING: [&str; 6] = ["rate_limited", "busy", "unavailable", "at_capacity", "draining", "not_connected"];

/// After a refusal it is asked again this much later.
const AGAIN: Duration = Duration::from_secs(1);
/// Codes of what the server could not do.
const BLAMELESS: [&str; 4] = ["at_capacity", "busy", "draining", "unavailable"];

impl Person {
    /// Something has come.
    pub(super) fn hear(&mut self, heard: Heard) -> Result<(), Broken> {
        match heard {
            Heard::Frame(frame) => {
                let transport = self.link.as_ref().map_or(TransportKind::Ws, |link| link.transport);
                self.note(format_args!("{transport}> {}", summary(&frame)));
                self.told(&frame)?;
                self.replaces();
                self.ask_for_changes();
                Ok(())
            }
            Heard::Nonsense(text) => {
                Err(Broken { promise: Promise::Protocol, how: format!("{} is told {text}", self.name) })
            }
            Heard::Cursor(cursor) => {
                self.cursor = Some(cursor);
                Ok(())
            }
            Heard::Unanswered(id) => {
                self.note(format_args!("hears nothing of #{id}"));
                self.forget(id);
                Ok(())
            }
            Heard::Ended(why) => {
                self.note(format_args!("is disconnected: {why}"));
                self.lose();
                Ok(())
            }
        }
    }

    fn told(&mut self, frame: &ServerFrame) -> Result<(), Broken> {
        let truth = self.scene.truth.clone();
        let tells = self.scene.plan.tells;
        let is_early =
            !matches!(frame, ServerFrame::Welcome { .. } | ServerFrame::Error { .. } | ServerFrame::Closing { .. });
        hold!(self.welcomed || !is_early, Promise::Protocol, "\"{}\" before the welcome", summary(frame));
        match frame {
            ServerFrame::Welcome { resumed: true, .. } if self.loses_welcome() => {
                self.cut();
                Ok(())
            }
            ServerFrame::Welcome { session, token, resumed, rooms, .. } => {
                hold!(!self.welcomed, Promise::Protocol, "{} is welcomed twice", self.name);
                self.take_welcome(*session, token.as_ref(), *resumed)?;
                // A cursor resumes, and shows no token.
                let token = token.as_ref().or(self.token.as_ref().filter(|_| *resumed));
                let session = |token: &String| token.split('.').next().map(str::to_owned);
                let is_own = |own: &String| *resumed && token.and_then(session) == session(own);
                let is_same = token.is_some() && self.token.as_ref().is_none_or(is_own);
                hold!(is_same, Promise::Protocol, "{} is not welcomed as itself", self.name);
                self.comes_from(token);
                self.token = token.cloned();
                self.welcomed = true;
                self.reads_since = Instant::now();
                self.welcome(rooms)
            }
            ServerFrame::Resumed(status) => self.resumed(status),
            ServerFrame::Joined(joined) => {
                let after = match joined.id {
                    None => None,
                    Some(id) => match self.joins.get(&id.0).copied() {
                        Some(after) => after,
                        None => return self.wrong("a joined answers a join", frame),
                    },
                };
                self.take(joined.id);
                let view = View::joined(joined, self.views.get(&joined.room), after, &truth, tells)?;
                self.views.insert(joined.room.clone(), view);
                let screen = Screen::joined(self.screens.remove(&joined.room), joined);
                self.screens.insert(joined.room.clone(), screen);
                self.showing.remove(&joined.room);
                Ok(())
            }
            ServerFrame::Ack { id, seq, .. } => self.acked(*id, *seq, frame),
            ServerFrame::Error { id, code, .. } if !self.has_asked(*id) && self.is_refused_as_ended(code) => Ok(()),
            ServerFrame::Error { id, code, .. } => self.refused(*id, code, frame),
            ServerFrame::Ended { id, .. } => match self.take(*id) {
                Some((_, Asked::End(end))) => {
                    self.ended(end);
                    Ok(())
                }
                _ => self.wrong("nobody has asked for", frame),
            },
            ServerFrame::Token { token, .. } => {
                self.take_token(token);
                Ok(())
            }
            ServerFrame::History { id, messages, more, more_before, more_after, as_of, epoch, .. } => {
                let asked = match self.take(*id) {
                    Some((_, Asked::History(asked))) => asked,
                    Some((_, Asked::Compared(asked))) => return self.compare_on(&asked, frame),
                    _ => return self.wrong("nobody has asked for", frame),
                };
                let (Some(epoch), true) = (*epoch, more == more_before) else {
                    return self.wrong("it says two things of", frame);
                };
                if let Some(screen) = self.screens.get_mut(&asked.room).filter(|screen| screen.epoch() == epoch) {
                    screen.history(messages.iter().map(TaggedMessage::frame), *as_of);
                }
                let seqs: Vec<Seq> = messages.iter().map(|message| message.frame().seq).collect();
                let page = ShownPage { epoch, seqs, more_before: *more_before, more_after: *more_after };
                self.page_shown(&asked, &page)?;
                self.read_up();
                Ok(())
            }
            ServerFrame::Changes { id, messages, swept, through, more, as_of, epoch, .. } => {
                let Some((_, Asked::Changes { room })) = self.take(*id) else {
                    return self.wrong("nobody has asked for", frame);
                };
                let is_so = through <= as_of && *as_of <= truth.head(&room, *epoch);
                hold!(is_so, Promise::Logged, "{room}: \"{}\" up to {through} as of {as_of}", summary(frame));
                if *more && messages.is_empty() && swept.is_empty() {
                    // The log could not be read.
                    self.asks_at = Instant::now() + AGAIN;
                }
                if let Some(screen) = self.screens.get_mut(&room).filter(|screen| screen.epoch() == *epoch) {
                    screen.changes(messages, swept, *through, *as_of);
                }
                Ok(())
            }
            ServerFrame::Bans { id, bans, .. } => {
                let is_sorted = bans.is_sorted_by_key(|entry| entry.ban);
                hold!(self.take(*id).is_some() && is_sorted, Promise::Fold, "\"{}\"", summary(frame));
                Ok(())
            }
            ServerFrame::Members { id, members, .. } => {
                let is_sorted = members.is_sorted_by_key(|entry| entry.member);
                let asked = self.take(*id);
                hold!(asked.is_some() && is_sorted, Promise::Fold, "\"{}\"", summary(frame));
                match asked {
                    Some((_, Asked::Compared(asked))) => self.compare_on(&asked, frame),
                    _ => Ok(()),
                }
            }
            ServerFrame::MemberLeft { room, seq: None, .. } => {
                self.check_patience(frame)?;
                self.view(room, frame)?.left_quietly(frame, &truth)
            }
            ServerFrame::Gap { room, from, to, changed_at, members, .. } => {
                self.view(room, frame)?.gap(frame, &truth, tells)?;
                if let Some(screen) = self.screens.get_mut(room) {
                    screen.gap(*from, *to, *changed_at, members);
                }
                Ok(())
            }
            ServerFrame::RoomClosed { room, epoch, .. } => {
                let may_miss = self.is_cut_off() || self.has_just_learned();
                self.view(room, frame)?.closed(*epoch, &truth, may_miss)?;
                self.views.remove(room);
                Ok(())
            }
            ServerFrame::Typing { room, members } => {
                self.showing.entry(room.clone()).or_default().typing(members);
                Ok(())
            }
            ServerFrame::Live { room, .. } | ServerFrame::Signals { room, .. } => {
                self.view(room, frame)?;
                self.shown(room, frame)
            }
            // Another device of the same person has read on.
            ServerFrame::Read { id: None, room, read, .. } => {
                // Also once their own leaving was answered: what comes down a stream may have been on its way.
                self.view(room, frame)?;
                let is_so = self.pass.is_some() && read.through <= read.as_of;
                hold!(is_so, Promise::Read, "{} is told \"{}\"", self.name, summary(frame));
                Ok(())
            }
            ServerFrame::Read { id, read, .. } => match self.take(*id) {
                // What a room has not stored goes with it where its log fails, or its server does.
                Some((_, Asked::Read(_))) if self.loses_reads() => Ok(()),
                Some((_, Asked::Read(reading))) => {
                    // A question that was held up may be about another life of the room by now.
                    let life = self.views.get(reading.room()).map(|view| view.position().epoch);
                    if life == Some(reading.epoch()) { truth.reads.answered(reading, read) } else { Ok(()) }
                }
                _ => self.wrong("nobody has asked for", frame),
            },
            ServerFrame::Presence { room, members, online } => {
                self.view(room, frame)?.presence(*members, *online);
                Ok(())
            }
            ServerFrame::Closing { code, .. } => self.closed(*code),
            frame => match frame.numbered() {
                Some((room, seq)) => {
                    self.check_patience(frame)?;
                    self.view(room, frame)?.event(seq, frame, &truth)?;
                    if let Some(screen) = self.screens.get_mut(room) {
                        screen.event(seq, frame);
                    }
                    self.showing.entry(room.to_owned()).or_default().event(frame);
                    Ok(())
                }
                None => {
                    let how = format!("{} is told \"{}\"", self.name, summary(frame));
                    Err(Broken { promise: Promise::Protocol, how })
                }
            },
        }
    }

    fn loses_reads(&self) -> bool {
        let plan = &self.scene.plan;
        plan.wrong.log_fails > 0.0 || plan.parts.is_some()
    }

    /// What a member shows, or does not any more.
    fn shown(&mut self, room: &str, frame: &ServerFrame) -> Result<(), Broken> {
        let mut showing = self.showing.remove(room).unwrap_or_default();
        // Somebody whose leaving was answered is not held to what was on its way.
        if let Some(place) = self.place(room) {
            match frame {
                ServerFrame::Live { target, text, .. } => showing.live(&place, *target, text.as_ref())?,
                ServerFrame::Signals { signals, .. } => showing.signals(&place, signals)?,
                _ => {}
            }
        }
        self.showing.insert(room.to_owned(), showing);
        Ok(())
    }

    fn welcome(&mut self, rooms: &[RoomStatus]) -> Result<(), Broken> {
        // What was shown on another connection is told again, as far as it is still there.
        self.showing.clear();
        self.views.values_mut().for_each(View::reconnected);
        for status in rooms {
            self.check_status(status)?;
            let named: Option<Position> = self.named.get(&status.room).copied();
            if let Some(view) = self.views.get_mut(&status.room)
                && !view.resumed(status, named)?
            {
                self.views.remove(&status.room);
            }
            self.expect_skip(&status.room)?;
        }
        let is_stated = |room: &String| rooms.iter().any(|status| status.room == *room);
        let all = self.named.keys().all(is_stated);
        hold!(all, Promise::Protocol, "{} named {:?} and hears of {rooms:?}", self.name, self.named);
        // What was not named and is not stated has ended, and the frame that said so was lost on its way.
        self.views.retain(|room, view| !view.is_open() || is_stated(room));
        Ok(())
    }

    /// A room that was too slow for the welcome.
    fn resumed(&mut self, status: &RoomStatus) -> Result<(), Broken> {
        self.check_status(status)?;
        let named = self.named.get(&status.room).copied();
        if let Some(view) = self.views.get_mut(&status.room)
            && !view.resumed_late(status, named)?
        {
            self.views.remove(&status.room);
        }
        self.expect_skip(&status.room)
    }

    /// Where more was due than was wanted a gap is the next that comes, if one goes on from where one was.
    fn expect_skip(&mut self, room: &str) -> Result<(), Broken> {
        match self.views.get_mut(room).filter(|view| view.is_live()) {
            Some(view) if self.skips.remove(room) => view.expect_skip(),
            _ => {}
        }
        Ok(())
    }

    /// Whether what is said of a membership that has ended is so; and from now on the room may be asked to wait.
    fn check_status(&self, status: &RoomStatus) -> Result<(), Broken> {
        let (truth, room) = (&self.scene.truth, &status.room);
        let Some(view) = self.views.get(room) else { return Ok(()) };
        let (epoch, member) = (view.position().epoch, view.member());
        let limits = &self.scene.plan.limits.session;
        if status.status == Status::Unavailable && limits.misses_per_second == 0 && !self.is_cut_off() {
            truth.turned_away(room, epoch, member, self.connected);
        }
        if status.epoch == Some(epoch) {
            let is_so = match status.status {
                Status::Closed => truth.is_over(room, epoch),
                Status::Left => !truth.is_member(room, epoch, member) || truth.has_left(room, epoch, member),
                _ => true,
            };
            hold!(is_so, Promise::Lifetime, "{}: as {member} it is told {status:?}", self.name);
        }
        // The other device may have been put out, or come in again, since this was said.
        if status.reason == Some(RemovalReason::Kicked) && status.epoch == Some(epoch) && !self.scene.plan.pairs {
            let is_so = truth.was_put_out(room, epoch, member);
            hold!(is_so, Promise::Fold, "{room}: {} was not put out when {member} last left", self.name);
        }
        if status.reason == Some(RemovalReason::Banned) && status.epoch == Some(epoch) && !self.scene.plan.pairs {
            let is_so = truth.was_banned(room, epoch, member);
            hold!(is_so, Promise::Banned, "{room}: {} hears that it was banned, and {member} was not", self.name);
        }
        Ok(())
    }

    fn acked(&mut self, id: Option<CommandId>, seq: Seq, frame: &ServerFrame) -> Result<(), Broken> {
        match self.take(id) {
            Some((_, Asked::Send { number })) => {
                let said = &mut self.said[number];
                let room = &said.room;
                let rewrites = self.scene.plan.embedder.is_some_and(|temper| temper.rewrites);
                let instead = if rewrites { rewritten(&said.text) } else { None };
                let text = instead.as_ref().unwrap_or(&said.text);
                let is_said = self.scene.truth.has_said(room, seq, text);
                hold!(is_said, Promise::Receipt, "{room}: {seq} is acknowledged, and the log has no {text}");
                said.outcome = Outcome::Acked(seq);
                Ok(())
            }
            Some((_, Asked::Leave { room })) => {
                if let Some(view) = self.views.get_mut(&room) {
                    view.left();
                }
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.wrong("nobody has asked for", frame),
        }
    }

    fn refused(&mut self, id: Option<CommandId>, code: &str, frame: &ServerFrame) -> Result<(), Broken> {
        // It was not said, and by the time at which it may be there is something else to say.
        let is_slowed = matches!(frame, ServerFrame::Error { message, .. } if message.contains("slow mode"));
        // What is sent in a request of its own to a session that was ended meanwhile is told so.
        let is_over = code == "bad_token" && self.may_be_ended();
        hold!(is_over || !NEVER.contains(&code), Promise::Protocol, "{} is told \"{}\"", self.name, summary(frame));
        if !BLAMELESS.contains(&code) {
            self.refused.push(Instant::now());
        }
        match self.take(id) {
            Some((asked, Asked::Send { number })) => {
                self.check_membership(&self.said[number].room, asked, code)?;
                let said = &mut self.said[number];
                if (is_slowed || !PASSING.contains(&code)) && said.outcome == Outcome::Open {
                    said.outcome = Outcome::Refused;
                }
                Ok(())
            }
            Some((_, Asked::Changes { room })) => {
                self.asks_at = Instant::now() + AGAIN;
                if code == "out_of_reach"
                    && let Some(screen) = self.screens.get_mut(&room)
                {
                    screen.forget();
                }
                Ok(())
            }
            Some((_, Asked::History(_))) => {
                self.page_refused();
                Ok(())
            }
            Some((_, Asked::Compared(asked))) if PASSING.contains(&code) => {
                self.to_compare.push_back(asked);
                Ok(())
            }
            Some((_, Asked::Join(Some(knock)))) if code == "banned" => {
                let ServerFrame::Error { until, .. } = frame else { unreachable!("a refusal") };
                self.scene.truth.check_refused(&knock, *until)
            }
            Some(_) => Ok(()),
            // Who is not let in is told so, and has asked for nothing.
            None if !self.welcomed => Ok(()),
            None => self.wrong("nobody has asked for", frame),
        }
    }

    /// Whether this is the number of a command that is not answered yet. A greeting has one that no command has.
    fn has_asked(&self, id: Option<CommandId>) -> bool {
        id.is_some_and(|id| self.asked.contains_key(&id.0))
    }

    fn take(&mut self, id: Option<CommandId>) -> Option<(tokio::time::Instant, Asked)> {
        let asked = self.asked.remove(&id?.0);
        if asked.is_some() {
            self.answered = tokio::time::Instant::now();
        }
        asked
    }

    fn view(&mut self, room: &str, frame: &ServerFrame) -> Result<&mut View, Broken> {
        let name = &self.name;
        self.views.get_mut(room).ok_or_else(|| {
            let how = format!("{name}: \"{}\" of {room} before its joined", summary(frame));
            Broken { promise: Promise::Interval, how }
        })
    }

    fn wrong(&self, what: &str, frame: &ServerFrame) -> Result<(), Broken> {
        Err(Broken { promise: Promise::Protocol, how: format!("{}: {what} \"{}\"", self.name, summary(frame)) })
    }
}
