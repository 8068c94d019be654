//! A person with one session: does random things, reads at random, and knows what must come.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Waker};

use bytes::BytesMut;
use chat_core::{Command, CommandId, Engine, FrameRef, Framing, Position, Reply, Seq, ServerFrame, TypingState};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::ROOMS;
use crate::support::*;
use crate::truth::Truth;
use crate::view::View;

/// Sends that may be repeated; fewer than a room remembers of one person.
const REPEATABLE: usize = 16;

pub(crate) struct Person {
    name: String,
    token: Option<String>,
    client: Option<Client>,
    views: BTreeMap<String, View>,
    /// What was asked on this connection and not yet answered.
    asked: BTreeMap<u64, Asked>,
    next: u64,
    said: VecDeque<(&'static str, String)>,
    /// A frame of which the socket has taken only a part.
    half: Option<ServerFrame>,
    /// The positions named with the last hello.
    named: BTreeMap<String, Position>,
    /// Whether to print what it does and what it is told.
    traced: bool,
}

enum Asked {
    Send { room: &'static str, text: String },
    Join { after: Option<Position> },
    Leave { room: &'static str },
    Other,
}

/// Frames one after the other, and where each ends.
#[derive(Default)]
struct Ends {
    frames: Vec<(usize, ServerFrame)>,
}

impl Framing for Ends {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        self.frames.push((out.len(), parse(frame.json)));
    }
}

impl Person {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: format!("Person {number}"),
            token: None,
            client: None,
            views: BTreeMap::new(),
            asked: BTreeMap::new(),
            next: 0,
            said: VecDeque::new(),
            half: None,
            named: BTreeMap::new(),
            traced: std::env::var_os("CHAT_TRACE").is_some(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// Connects, comes back, or takes over: with true positions, stale ones, or none.
    pub(crate) async fn connect(&mut self, engine: &Engine, truth: &Truth, rng: &mut StdRng) {
        let Some(token) = self.token.clone() else {
            let client = Client::new(engine).await;
            self.token = Some(client.token());
            self.client = Some(client);
            return;
        };
        let older = self.client.take();
        self.half = None;
        self.asked.clear();
        self.named.clear();
        let how = rng.random_range(0..3);
        for (room, view) in self.views.iter().filter(|(_, view)| view.has_position()) {
            let mut position = view.position();
            match how {
                0 => continue,
                1 => position.seq = Seq(rng.random_range(view.from().0..=position.seq.0)),
                _ => {}
            }
            self.named.insert(room.clone(), position);
        }
        self.trace(if older.is_some() { "takes over" } else { "comes back" }, &self.named);
        let positions: Vec<(&str, Position)> = self.named.iter().map(|(room, at)| (room.as_str(), *at)).collect();
        self.client = Some(Client::with_hello(engine, resume(&token, &positions)).await);
        if let Some(older) = older {
            let told: Vec<String> = older.take().iter().map(summary).collect();
            assert_eq!(told, ["closing 4501"], "nothing else for who was replaced");
            if rng.random_bool(0.5) {
                self.read_all(truth);
            }
        }
    }

    /// The connection is lost, with whatever was under way.
    pub(crate) fn cut(&mut self) {
        self.trace("is cut off", &());
        self.client = None;
        self.half = None;
        self.asked.clear();
    }

    pub(crate) fn say(&mut self, room: &'static str, rng: &mut StdRng) {
        let text = format!("{} of {}", self.next, "x".repeat(rng.random_range(0..50)));
        // The number names the message for ever: it is its key, too.
        let key = format!("{}-{}", self.name.replace(' ', "-"), self.next);
        let text = format!("{key} {text}");
        if self.said.len() == REPEATABLE {
            self.said.pop_front();
        }
        self.said.push_back((room, text.clone()));
        self.send(room, text);
    }

    /// A retry of something that may have been said already, or not.
    pub(crate) fn say_again(&mut self, rng: &mut StdRng) {
        if !self.said.is_empty() {
            let (room, text) = self.said[rng.random_range(0..self.said.len())].clone();
            self.send(room, text);
        }
    }

    pub(crate) fn enter(&mut self, room: &'static str, rng: &mut StdRng) {
        // Who asks to come in where they are, and loses the connection over it, cannot know what a position they name is of.
        if self.views.get(room).is_some_and(View::is_open) {
            return;
        }
        let after = self.views.get(room).map(View::position).filter(|_| rng.random_bool(0.5));
        let command = match rng.random_bool(0.4) {
            true => create(room, &self.name),
            false => Command::join(code(room), nick(&self.name)).with_position(after),
        };
        self.ask(command, Asked::Join { after });
    }

    pub(crate) fn leave(&mut self, room: &'static str) {
        self.ask(leave(room), Asked::Leave { room });
    }

    pub(crate) fn type_something(&mut self, room: &'static str) {
        self.ask(Command::typing(code(room), TypingState::On), Asked::Other);
    }

    /// Reads a few frames one by one, or as a socket that takes only so much.
    pub(crate) fn read_some(&mut self, truth: &Truth, rng: &mut StdRng) {
        let Some(client) = &self.client else { return };
        let mut frames: Vec<ServerFrame> = self.half.take().into_iter().collect();
        if rng.random_bool(0.5) {
            for _ in 0..rng.random_range(0..5) {
                let Some(frame) = client.session.peek() else { break };
                client.session.commit(frame.mark);
                frames.push(parse(&frame.json));
            }
        } else {
            let (mut ends, mut out) = (Ends::default(), BytesMut::new());
            let cx = Context::from_waker(Waker::noop());
            if client.session.poll_fill(&cx, &mut ends, &mut out).is_ready() {
                let taken = rng.random_range(0..=out.len());
                let end = client.session.written(taken);
                for (at, frame) in ends.frames {
                    if at <= taken {
                        frames.push(frame);
                    } else if at == end {
                        self.half = Some(frame);
                    }
                }
            }
        }
        frames.iter().for_each(|frame| self.told(frame, truth));
    }

    pub(crate) fn read_all(&mut self, truth: &Truth) {
        let Some(client) = &self.client else { return };
        let frames: Vec<ServerFrame> = self.half.take().into_iter().chain(client.take()).collect();
        frames.iter().for_each(|frame| self.told(frame, truth));
    }

    pub(crate) fn check_at_the_end(&self, truth: &Truth) {
        self.views.values().for_each(|view| view.check_at_the_end(truth));
        assert!(self.asked.is_empty(), "every command is answered");
    }

    fn send(&mut self, room: &'static str, text: String) {
        let key = text.split(' ').next().expect("a text begins with its key").to_owned();
        self.ask(send_keyed(room, &text, &key), Asked::Send { room, text });
    }

    fn ask(&mut self, command: Command, asked: Asked) {
        let Some(client) = &self.client else { return };
        self.trace("asks", &command);
        self.next += 1;
        let reply = Reply::mailbox(Some(CommandId(self.next)));
        // Too many commands in flight: it was not taken.
        if client.session.submit(command, reply).is_ok() {
            self.asked.insert(self.next, asked);
        }
    }

    fn trace(&self, what: &str, which: &dyn std::fmt::Debug) {
        if self.traced {
            eprintln!("{}: {what} {which:?}", self.name);
        }
    }

    /// One frame has arrived.
    fn told(&mut self, frame: &ServerFrame, truth: &Truth) {
        self.trace("is told", frame);
        match frame {
            ServerFrame::Welcome { rooms, .. } => {
                self.views.values_mut().for_each(View::reconnected);
                for status in rooms {
                    let named = self.named.get(&status.room).copied();
                    if let Some(view) = self.views.get_mut(&status.room)
                        && !view.resumed(status, named)
                    {
                        self.views.remove(&status.room);
                    }
                }
                let is_stated = |room: &String| rooms.iter().any(|status| status.room == *room);
                assert!(self.named.keys().all(is_stated), "every room named has its status: {rooms:?}");
                // What was not named and is not stated has ended, and the frame that said so was lost on its way.
                self.views.retain(|room, view| !view.is_open() || is_stated(room));
            }
            ServerFrame::Joined(joined) => {
                let asked = joined.id.and_then(|id| self.asked.remove(&id.0));
                let after = match asked {
                    Some(Asked::Join { after }) => after,
                    Some(_) => panic!("a joined answers a join"),
                    None => None,
                };
                let view = View::joined(joined, self.views.get(&joined.room), after, truth);
                self.views.insert(joined.room.clone(), view);
            }
            ServerFrame::Ack { id, seq, .. } => {
                let id = id.expect("everything here is asked with a number");
                match self.asked.remove(&id.0) {
                    Some(Asked::Send { room, text }) => {
                        assert!(truth.has_said(room, *seq, &text), "{room}: what is acked was said: {seq} {text}");
                    }
                    Some(Asked::Leave { room }) => {
                        if let Some(view) = self.views.get_mut(room) {
                            view.left();
                        }
                    }
                    _ => {}
                }
            }
            ServerFrame::Error { id, .. } => {
                assert!(self.asked.remove(&id.expect("asked with a number").0).is_some(), "{frame:?}");
            }
            ServerFrame::MemberLeft { room, seq: None, .. } => self.view(room, frame).left_quietly(frame),
            ServerFrame::Gap { room, .. } => self.view(room, frame).gap(frame, truth),
            ServerFrame::Resumed(_) => panic!("no room is slow: {frame:?}"),
            ServerFrame::RoomClosed { room, epoch, .. } => {
                self.view(room, frame).closed(*epoch, truth);
                self.views.remove(room);
            }
            ServerFrame::Typing { room, .. } | ServerFrame::Presence { room, .. } => {
                assert!(ROOMS.contains(&room.as_str()));
            }
            frame => match frame.numbered() {
                Some((room, seq)) => self.view(room, frame).event(seq, frame, truth),
                None => panic!("nobody has asked for {frame:?}"),
            },
        }
    }

    fn view(&mut self, room: &str, frame: &ServerFrame) -> &mut View {
        self.views.get_mut(room).unwrap_or_else(|| panic!("nothing of a room before its joined: {frame:?}"))
    }
}
