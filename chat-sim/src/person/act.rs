//! What people do: talk, come and go, lose their connection, stop reading, take over from themselves.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{CloseReason, Seq, ServerFrame};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Asked, Outcome, Person, Said};
use crate::link::{Heard, Link};
use crate::plan::ROOMS;
use crate::promise::{Broken, Promise};
use crate::summary::summary;
use crate::transport_kind::TransportKind;
use crate::view::View;

/// Messages that may be said again; fewer than a room remembers of one person.
const REPEATABLE: usize = 16;
/// Messages after which nobody asks any more what became of one: with what is repeated, still fewer than a room remembers.
const FINDABLE: usize = 40;

/// What rooms ask newcomers for; few, so that people know them.
const SECRETS: [&str; 2] = ["swordfish", "two words"];

/// What people react with; few, so that they meet.
const REACTIONS: [&str; 2] = ["+1", "\u{1F44D}"];

/// Messages that are reacted to: as long as they are among so many that are shown.
const NEWEST: usize = 4;

/// How many are said again at once when the storm is over.
const AT_A_TIME: usize = 4;

impl Person {
    /// One thing, drawn; and when to do the next.
    pub(super) fn act(&mut self) {
        let pause = u64::try_from(self.scene.plan.pause.as_millis()).unwrap_or(1);
        let mut wait = self.rng.random_range(0..=pause);
        let room = self.room();
        let wrong = self.scene.plan.wrong;
        match (&self.link, self.rng.random_range(0..100)) {
            (None, _) => self.connect(),
            (Some(_), _) if !self.welcomed => {
                // A server that is silent is given up after a while.
                if self.reads_since.elapsed() > Duration::from_secs(20) {
                    self.lose();
                }
            }
            (Some(_), 0..50) if self.stalled => self.stall(),
            (_, 0..9) if self.scene.plan.sets => self.set(room),
            (_, 0..6) if self.scene.plan.takes_back => self.take_back(room),
            (_, 6..12) if self.scene.plan.takes_back => self.edit(room),
            (_, 12..18) if self.scene.plan.takes_back => self.react(room),
            (_, 0..20) if self.scene.plan.kicks && !self.views.get(room).is_some_and(View::is_open) => self.enter(room),
            (_, 0..36) => self.say_some(room),
            (_, 36..44) => self.say_again(),
            (_, 44..62) => {
                let room = ROOMS[self.rng.random_range(0..ROOMS.len())];
                self.enter(room);
            }
            (_, 62..65) => {
                self.leave(room);
                if !self.scene.plan.tells && self.rng.random_bool(0.5) {
                    self.create(room);
                }
            }
            (_, 65) => self.ask(json!({"type": "typing", "room": room, "on": true}), Asked::Other),
            (_, 66) => self.grow(room),
            (_, 67) => self.signal(room),
            (_, 68) => self.edit(room),
            (_, 69) => self.react(room),
            (_, 70..72) => self.look_back(room),
            (_, 72) => self.ask(json!({"type": "members", "room": room}), Asked::Other),
            (_, 73) => self.be_called(room),
            (_, 74..77) => self.moderate(room),
            (_, 77..82) if wrong.cuts => self.cut(),
            (_, 82..85) if wrong.cuts => self.take_over(),
            (_, 85..90) if wrong.stalls => {
                self.stall();
                wait *= 4;
            }
            (_, 90..91) if wrong.cuts => self.forget_all(),
            // A pause, at times so long that the grace runs out.
            (_, 91..92) => wait += self.rng.random_range(0..12_000),
            (_, 92..94) if wrong.cuts => self.end(),
            (_, 94) => self.try_ended(),
            (_, 95) => self.be_called(room),
            (_, 96..98) => self.read_on(room),
            (_, 98) => self.grow(room),
            _ => wait *= 2,
        }
        if self.link.is_none() && self.rng.random_bool(self.scene.plan.away) {
            wait += self.rng.random_range(0..15_000);
        }
        self.next = Instant::now() + Duration::from_millis(wait.max(1));
    }

    /// Mostly one of those one is in, where there are any.
    fn room(&mut self) -> &'static str {
        let own = |room: &&str| self.views.get(*room).is_some_and(View::is_open);
        let own: Vec<&'static str> = ROOMS.into_iter().filter(own).collect();
        match own.is_empty() || self.rng.random_bool(0.2) {
            true => ROOMS[self.rng.random_range(0..ROOMS.len())],
            false => own[self.rng.random_range(0..own.len())],
        }
    }

    /// Nothing goes wrong any more: comes back, finds out what became of everything, and says a last word.
    pub(super) fn come_back(&mut self) {
        self.next = Instant::now() + Duration::from_secs(1);
        // Of two connections under way nobody knows which arrives first.
        let has_place = !self.scene.plan.has_few_rooms();
        let gives_up = self.welcomed && has_place && self.views.values().any(|view| view.is_parked() && !view.waits());
        let is_silent = !self.welcomed && self.reads_since.elapsed() > Duration::from_secs(20);
        if self.link.is_none() || gives_up || is_silent {
            return self.connect();
        }
        if !self.welcomed {
            return;
        }
        let under_way: Vec<usize> = self.sends_under_way();
        let first = self.said.len().saturating_sub(FINDABLE);
        for said in self.said[..first].iter_mut().filter(|said| said.outcome == Outcome::Open) {
            said.outcome = Outcome::GivenUp;
        }
        // A few at a time: with all of them again and again it would flood.
        let mut left = AT_A_TIME;
        for number in first..self.said.len() {
            let said = &self.said[number];
            let is_open = said.outcome == Outcome::Open && self.views.get(&said.room).is_some_and(View::is_live);
            if is_open && left > 0 && !under_way.contains(&number) {
                left -= 1;
                self.send(number);
            }
        }
        if self.last_words > 0 {
            self.last_words -= 1;
            for room in
                ROOMS.into_iter().filter(|room| self.views.get(*room).is_some_and(View::is_live)).collect::<Vec<_>>()
            {
                self.say_some(room);
            }
        }
        if self.asked.is_empty() && self.last_words == 0 {
            // Nothing is left to be found out: whoever is cut off now has time.
            self.next = Instant::now() + Duration::from_secs(4);
        }
    }

    /// One message, or a few in one breath.
    fn say_some(&mut self, room: &str) {
        let most = if self.rng.random_bool(0.3) { self.scene.plan.breath } else { 1 };
        for _ in 0..self.rng.random_range(1..=most) {
            self.say(room);
        }
    }

    fn say(&mut self, room: &str) {
        let number = self.said.len();
        let key = format!("{}-{number}", self.name);
        let text = format!("{key} {}", "x".repeat(self.rng.random_range(0..60)));
        if self.rng.random_bool(0.1) {
            let mut frame = json!({"type": "send", "room": room, "text": text});
            self.attach(&mut frame);
            if self.rng.random_bool(0.5) {
                frame["reply_to"] = self.rng.random_range(1..60).into();
            }
            self.ask(frame, Asked::Other);
            return;
        }
        self.said.push(Said { room: room.to_owned(), text, key, outcome: Outcome::Open });
        self.send(number);
    }

    /// What a program adds to a message: seldom alone.
    fn attach(&mut self, frame: &mut Value) {
        if self.rng.random_bool(0.4) {
            frame["data"] = json!({"n": self.next_id, "of": self.name});
            if self.rng.random_bool(0.2) {
                frame["text"] = "".into();
            }
        }
    }

    /// Says something else in a message: mostly in one's own.
    fn edit(&mut self, room: &str) {
        let key = format!("{}-edit-{}", self.name, self.next_id);
        let target = self.target(room);
        let mut frame = json!({"type": "edit", "room": room, "target": target, "text": format!("{key} of {target}")});
        self.attach(&mut frame);
        if self.rng.random_bool(0.5) {
            frame["key"] = key.into();
        }
        self.ask(frame, Asked::Other);
    }

    /// A retry of something that may have been said already, or not.
    fn say_again(&mut self) {
        let first = self.said.len().saturating_sub(REPEATABLE);
        if first < self.said.len() {
            let number = self.rng.random_range(first..self.said.len());
            self.send(number);
        }
    }

    fn send(&mut self, number: usize) {
        let Said { room, text, key, .. } = &self.said[number];
        let frame = json!({"type": "send", "room": room, "text": text, "key": key});
        self.ask(frame, Asked::Send { number });
    }

    fn sends_under_way(&self) -> Vec<usize> {
        let numbers = self.asked.values().filter_map(|(_, asked)| match asked {
            Asked::Send { number } => Some(*number),
            _ => None,
        });
        numbers.collect()
    }

    fn enter(&mut self, room: &str) {
        // Who asks to come in where they are, and loses the connection over it, cannot know what a position they name is of.
        if self.views.get(room).is_some_and(View::is_open) {
            return;
        }
        let after = self.views.get(room).map(View::position).filter(|_| self.rng.random_bool(0.5));
        if self.rng.random_bool(0.5) {
            return self.create(room);
        }
        let mut frame = json!({"type": "join", "room": room, "nick": self.name});
        if let Some(after) = after {
            frame["after"] = after.to_string().into();
        }
        if self.scene.plan.sets && self.rng.random_bool(0.7) {
            frame["secret"] = SECRETS[self.rng.random_range(0..SECRETS.len())].into();
        }
        if self.rng.random_bool(0.3) {
            frame["history"] = self.rng.random_range(0..20).into();
        }
        if self.whims.random_bool(0.3) {
            frame["catch_up"] = self.whims.random_range(0..8).into();
        }
        self.joins.insert(self.next_id + 1, after);
        self.ask(frame, Asked::Join);
    }

    fn create(&mut self, room: &str) {
        self.joins.insert(self.next_id + 1, None);
        self.ask(json!({"type": "create", "room": room, "nick": self.name}), Asked::Join);
    }

    /// Changes name, data, or both: to few values, so that people meet in them.
    fn be_called(&mut self, room: &str) {
        let mut frame = json!({"type": "me", "room": room});
        let what = self.rng.random_range(0..4);
        if what > 0 {
            frame["nick"] = [&self.name, "Kim", "kim"][self.rng.random_range(0..3)].into();
        }
        if what < 2 {
            frame["data"] = [json!(null), json!({"id": 1}), json!({"id": 2})][self.rng.random_range(0..3)].clone();
        }
        self.ask(frame, Asked::Other);
    }

    pub(super) fn leave(&mut self, room: &str) {
        let asked = Asked::Leave { room: room.to_owned() };
        self.ask(json!({"type": "leave", "room": room}), asked);
    }

    /// Reacts to one of the newest messages that are shown, or takes that back; seldom, to any number.
    fn react(&mut self, room: &str) {
        let shown = self.screens.get(room).map(|screen| screen.newest(NEWEST)).unwrap_or_default();
        let target = match shown.is_empty() || self.rng.random_bool(0.1) {
            true => self.rng.random_range(1..60),
            false => shown[self.rng.random_range(0..shown.len())].0,
        };
        let name = REACTIONS[self.rng.random_range(0..REACTIONS.len())];
        let on = self.rng.random_bool(0.75);
        self.ask(json!({"type": "react", "room": room, "target": target, "name": name, "on": on}), Asked::Other);
    }

    /// Says that everything was read, or some of it.
    fn read_on(&mut self, room: &str) {
        let Some(position) = self.views.get(room).filter(|view| view.is_live()).map(View::position) else { return };
        let through = Seq(self.rng.random_range(0..=position.seq.0));
        let person = self.pass.clone().unwrap_or_else(|| self.name.clone());
        let reading = self.scene.truth.reads.begin(room, position.epoch, &person, through);
        self.ask(json!({"type": "read", "room": room, "through": through}), Asked::Read(reading));
    }

    /// Shows what a message of one's own says so far, a few times in a row; or that it does not grow any more.
    fn grow(&mut self, room: &str) {
        if !self.views.get(room).is_some_and(View::is_live) {
            return;
        }
        let target = self.target(room);
        for _ in 0..self.rng.random_range(1..4) {
            let mut frame = json!({"type": "live", "room": room, "target": target, "text": null});
            if !self.rng.random_bool(0.15) {
                let text = format!("{}-{} {}", self.name, self.next_id, "y".repeat(self.rng.random_range(0..60)));
                frame["text"] = text.as_str().into();
                self.scene.truth.slots.grows(room, Seq(target), text);
            }
            self.ask(frame, Asked::Other);
        }
    }

    /// Shows something of oneself, or nothing any more.
    fn signal(&mut self, room: &str) {
        if !self.views.get(room).is_some_and(View::is_live) {
            return;
        }
        let name = ["hand", "look", "mood"][self.rng.random_range(0..3)];
        let mut frame = json!({"type": "signal", "room": room, "name": name, "data": null});
        if !self.rng.random_bool(0.2) {
            let data = json!({"by": self.name, "n": self.rng.random_range(0..5)});
            frame["data"] = data.clone();
            self.scene.truth.slots.shows(room, name, data);
        }
        self.ask(frame, Asked::Other);
    }

    /// Asks what was changed in what was missed, one question for each room at a time.
    pub(super) fn ask_for_changes(&mut self) {
        if !self.welcomed || self.stalled || Instant::now() < self.asks_at {
            return;
        }
        for (room, after) in self.missing() {
            let is_asked = |asked: &Asked| matches!(asked, Asked::Changes { room: of } if *of == room);
            if !self.asked.values().any(|(_, asked)| is_asked(asked)) {
                let frame = json!({"type": "changes", "room": room, "after": after});
                self.ask(frame, Asked::Changes { room });
            }
        }
    }

    /// The rooms in which something was changed that is not known, and after which event.
    fn missing(&self) -> Vec<(String, Seq)> {
        let screens = self.screens.iter().filter_map(|(room, screen)| Some((room, screen, screen.asks_after()?)));
        let live = screens.filter(|(room, screen, _)| {
            let view = self.views.get(*room).filter(|view| view.is_live());
            view.is_some_and(|view| view.position().epoch == screen.epoch())
        });
        live.map(|(room, _, after)| (room.clone(), after)).collect()
    }

    fn take_back(&mut self, room: &str) {
        let frame = json!({"type": "redact", "room": room, "target": self.target(room)});
        self.ask(frame, Asked::Other);
    }

    fn moderate(&mut self, room: &str) {
        let frame = match self.rng.random_range(0..13) {
            0..4 => return self.take_back(room),
            4 => self.sweep(room),
            5 => self.ban(room),
            6 => self.unban(room),
            7 | 8 => json!({"type": "kick", "room": room, "member": self.rng.random_range(1..8)}),
            9..12 => self.appoint(room),
            _ => json!({"type": "topic", "room": room, "topic": format!("topic of {}", self.name)}),
        };
        self.ask(frame, Asked::Other);
    }

    /// Sets one thing for the room, or takes everything out of people's way.
    fn set(&mut self, room: &str) {
        let mut frame = json!({"type": "settings", "room": room});
        let is_so = self.rng.random_bool(0.6);
        match self.rng.random_range(0..7) {
            0 => frame["slow_ms"] = [0, 300, 2_000][self.rng.random_range(0..3)].into(),
            1 => frame["locked"] = is_so.into(),
            2 => frame["read_only"] = is_so.into(),
            3 => frame["secret"] = SECRETS[self.rng.random_range(0..SECRETS.len())].into(),
            4 => frame["history"] = [json!("none"), json!(2), json!("all")][self.rng.random_range(0..3)].clone(),
            5 => frame["listed"] = is_so.into(),
            _ => {
                let open = json!({"slow_ms": 0, "locked": false, "read_only": false, "secret": null});
                frame.as_object_mut().expect("an object").extend(open.as_object().expect("an object").clone());
            }
        }
        self.ask(frame, Asked::Other);
    }

    /// Says who is what, which is mostly not for this person to say.
    fn appoint(&mut self, room: &str) -> Value {
        let roles = ["moderator", "moderator", "member", "owner"];
        let role = roles[self.rng.random_range(0..roles.len())];
        json!({"type": "role", "room": room, "member": self.rng.random_range(1..8), "role": role})
    }

    /// Takes back all that somebody said: mostly oneself.
    fn sweep(&mut self, room: &str) -> Value {
        let own = self.views.get(room).map(|view| view.member().0);
        let member = own.filter(|_| self.rng.random_bool(0.7)).unwrap_or_else(|| self.rng.random_range(1..8));
        let mut frame = json!({"type": "redact_all", "room": room, "member": member});
        if self.rng.random_bool(0.3) {
            frame["from"] = self.rng.random_range(1..60).into();
        }
        frame
    }

    /// Keeps somebody out: mostly for a while.
    fn ban(&mut self, room: &str) -> Value {
        let mut frame = json!({"type": "ban", "room": room, "member": self.rng.random_range(1..8)});
        if self.rng.random_bool(0.8) {
            frame["minutes"] = 1.into();
        }
        if self.rng.random_bool(0.5) {
            frame["sweep"] = true.into();
        }
        frame
    }

    /// Lets somebody in again, or looks who is kept out.
    fn unban(&mut self, room: &str) -> Value {
        match self.rng.random_bool(0.5) {
            true => json!({"type": "unban", "room": room, "ban": self.rng.random_range(1..4)}),
            false => json!({"type": "bans", "room": room}),
        }
    }

    /// Some message: mostly one's own, where there is one.
    fn target(&mut self, room: &str) -> u64 {
        let own = self.said.iter().rev().find_map(|said| match said.outcome {
            Outcome::Acked(seq) if said.room == room => Some(seq.0),
            _ => None,
        });
        own.filter(|_| self.rng.random_bool(0.7)).unwrap_or_else(|| self.rng.random_range(1..60))
    }

    /// Loses the connection: seen by both, by the client alone, or politely.
    pub(super) fn cut(&mut self) {
        let Some(link) = self.lose() else { return };
        match self.rng.random_range(0..3) {
            0 => {
                self.note("is cut off");
                link.cut();
            }
            1 => {
                self.note("vanishes");
                link.vanish();
            }
            _ => self.note("hangs up"),
        }
    }

    /// Is gone for good, and another one begins here.
    fn forget_all(&mut self) {
        self.cut();
        self.leave_behind();
    }

    /// Connects while the older connection is still there.
    fn take_over(&mut self) {
        let older = self.link.take();
        self.connect();
        self.note("takes over");
        if let Some(older) = older {
            let (name, truth) = (self.name.clone(), Arc::clone(&self.scene.truth));
            tokio::spawn(async move {
                // One that was cut off before it was welcomed replaces nobody.
                let heard = tokio::time::timeout(Duration::from_secs(10), hear_the_end(older)).await;
                if let Ok(Err(how)) = heard {
                    truth.note(Broken { promise: Promise::Protocol, how: format!("{name}, replaced: {how}") });
                }
            });
        }
    }

    fn stall(&mut self) {
        let Some(link) = &self.link else { return };
        self.stalled = !self.stalled;
        link.stall(self.stalled);
        self.read_on = Some(Instant::now());
        self.reads_since = Instant::now();
        self.note(if self.stalled { "stops reading" } else { "reads on" });
    }

    /// Hands in a command with a number.
    pub(super) fn ask(&mut self, mut frame: Value, asked: Asked) {
        self.next_id += 1;
        frame["id"] = self.next_id.into();
        if let Some(link) = &self.link {
            self.note(format_args!("says {frame}"));
            link.say(frame);
            self.asked.insert(self.next_id, (Instant::now(), asked));
        }
    }
}

/// Reads a connection that was replaced or ended to its end: at most one `closing`, with a fitting reason, and nothing after it.
pub(super) async fn hear_the_end(mut link: Link) -> Result<(), String> {
    let mut is_over = false;
    loop {
        match link.hear().await {
            Heard::Ended(_) => return Ok(()),
            Heard::Nonsense(text) => return Err(text),
            // Where answers go another way than the stream, as that of a POST, or an acknowledgement, one may come after it.
            Heard::Frame(frame) if is_over && (link.transport == TransportKind::Ws || !is_answer(&frame)) => {
                return Err(format!("\"{}\" after the closing", summary(&frame)));
            }
            Heard::Frame(frame) => {
                if let ServerFrame::Closing { code, .. } = *frame {
                    use CloseReason::{Draining, Ended, Flooding, PeerTimeout, Replaced, SlowConsumer};
                    let fits = [Replaced, Draining, SlowConsumer, Flooding, PeerTimeout, Ended];
                    if !fits.iter().any(|reason| reason.code() == code) {
                        return Err(format!("closed with {code}"));
                    }
                    is_over = true;
                }
            }
            Heard::Cursor(_) | Heard::Unanswered(_) => {}
        }
    }
}

/// Whether a frame answers a command, and so may come beside the stream.
fn is_answer(frame: &ServerFrame) -> bool {
    use ServerFrame::{Ack, Bans, Changes, Ended, Error, History, Members, Read};
    let is_page = matches!(frame, History { .. } | Changes { .. } | Members { .. } | Bans { .. });
    match frame {
        Read { id, .. } => id.is_some(),
        _ => is_page || matches!(frame, Ack { .. } | Ended { .. } | Error { .. }),
    }
}
