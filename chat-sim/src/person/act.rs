//! What people do: draw the next thing, talk, come and go; and once the storm is over, find out what became of everything.

use std::time::Duration;

use chat_core::Seq;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Asked, Outcome, Person, Said};
use crate::plan::ROOMS;
use crate::view::View;

/// Messages that may be said again; fewer than a room remembers of one person.
const REPEATABLE: usize = 16;
/// Messages after which nobody asks any more what became of one: with what is repeated, still fewer than a room remembers.
const FINDABLE: usize = 40;

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
            (_, 0..9) if self.scene.plan.bans => self.keep_order(room),
            (_, 9..20) if self.scene.plan.bans && !self.views.get(room).is_some_and(View::is_open) => self.enter(room),
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
        if std::mem::take(&mut self.gathers) {
            return self.enter_all();
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
    pub(super) fn attach(&mut self, frame: &mut Value) {
        if self.rng.random_bool(0.4) {
            frame["data"] = json!({"n": self.next_id, "of": self.name});
            if self.rng.random_bool(0.2) {
                frame["text"] = "".into();
            }
        }
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

    pub(super) fn leave(&mut self, room: &str) {
        let asked = Asked::Leave { room: room.to_owned() };
        self.ask(json!({"type": "leave", "room": room}), asked);
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

    /// Some message: mostly one's own, where there is one.
    pub(super) fn target(&mut self, room: &str) -> u64 {
        let own = self.said.iter().rev().find_map(|said| match said.outcome {
            Outcome::Acked(seq) if said.room == room => Some(seq.0),
            _ => None,
        });
        own.filter(|_| self.rng.random_bool(0.7)).unwrap_or_else(|| self.rng.random_range(1..60))
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
