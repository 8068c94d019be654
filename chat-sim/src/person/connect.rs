//! People connect and come back, lose their connection, take over from themselves, and stop reading.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chat_core::{CloseReason, Identity, Position, Scope, Seq, ServerFrame};
use rand::RngExt;
use tokio::time::Instant;

use super::Person;
use crate::homes::Home;
use crate::link::{Front, Heard, Hello, Link};
use crate::promise::{Broken, Promise};
use crate::summary::summary;
use crate::transport_kind::TransportKind;
use crate::view::{Stay, View};

/// A server that begins to decide for a room is told within this who is attached at others.
const TOLD_WHO_IS_WHERE: Duration = Duration::from_secs(5);

/// A connection that one has taken over from.
pub(super) struct Older {
    /// In which place its server is.
    place: usize,
    /// Where it was live, and since which join.
    stays: BTreeSet<Stay>,
    /// Since when the newer one is live in one of them.
    replaced: Arc<OnceLock<Instant>>,
}

impl Person {
    /// Connects, comes back, or takes over: with true positions, older ones, or none.
    pub(super) fn connect(&mut self) {
        let transports = &self.scene.plan.transports;
        let transport = transports[self.rng.random_range(0..transports.len())];
        let mut hello = Hello { token: self.token.clone(), pass: self.pass.clone(), ..Hello::default() };
        self.lose();
        self.named.clear();
        let cursor = self.cursor.take().filter(|_| transport == TransportKind::Sse && self.rng.random_bool(0.7));
        if let Some(cursor) = cursor {
            self.named = positions_of(&cursor);
            hello.cursor = Some(cursor);
        } else {
            let how = self.rng.random_range(0..4);
            for (room, view) in self.views.iter().filter(|(_, view)| view.has_position()) {
                let mut position = view.position();
                match how {
                    0 => continue,
                    1 => position.seq = Seq(self.rng.random_range(view.from().0.min(position.seq.0)..=position.seq.0)),
                    _ => {}
                }
                self.named.insert(room.clone(), position);
            }
            hello.positions = self.named.iter().map(|(room, at)| (room.clone(), at.to_string())).collect();
        }
        hello.catch_up = self.whims.random_bool(0.3).then(|| self.whims.random_range(0..8));
        let truth = &self.scene.truth;
        let is_much = |(room, at): &(&String, &Position)| {
            let due = truth.due(room, at.epoch, Instant::now()).0.saturating_sub(at.seq.0);
            hello.catch_up.is_some_and(|most| due > u64::from(most))
        };
        self.skips = self.named.iter().filter(is_much).map(|(room, _)| room.clone()).collect();
        self.move_house();
        let token = self.token.clone();
        let from = self.comes_from(token.as_ref());
        let front = self.choose_server();
        self.shows(token.as_ref().filter(|_| hello.cursor.is_none()));
        self.note(format_args!("connects by {transport} naming {:?} {}", hello.positions, hello.cursor.is_some()));
        self.link = Some(Link::open(
            transport,
            &front,
            &self.scene.plan,
            self.scene.phase.clone(),
            self.rng.random(),
            from,
            hello,
        ));
        (self.reads_since, self.connected) = (Instant::now(), Instant::now());
    }

    /// Where one connects to.
    fn choose_server(&mut self) -> Front {
        let (front, place) = self.draw_server();
        self.place = place;
        front
    }

    /// Any server, if there are several; and in which place.
    pub(super) fn draw_server(&mut self) -> (Front, usize) {
        let fronts = &self.scene.fronts;
        let place = if fronts.len() > 1 { self.rng.random_range(0..fronts.len()) } else { 0 };
        if fronts.len() > 1 {
            self.note(format_args!("goes to place {place}"));
        }
        (Arc::clone(&self.scene.fronts[place]), place)
    }

    /// Now and then somebody is on another network from then on.
    fn move_house(&mut self) {
        let homes = self.scene.plan.homes;
        if homes > 1 && self.whims.random_bool(0.1) {
            self.home = Home(self.whims.random_range(0..homes));
            self.note(format_args!("is at {:?}", self.home));
        }
    }

    /// The address that one connects from, to the session of this token if there is one.
    pub(super) fn comes_from(&self, token: Option<&String>) -> SocketAddr {
        if let Some(scope) = token.and_then(|token| self.scope_of(token)) {
            self.scene.truth.homes.connects(scope, self.home);
        }
        self.home.address(self.number)
    }

    /// Who one is to a room: a guest is known by their session alone.
    pub(super) fn scope_of(&self, token: &str) -> Option<Scope> {
        match &self.pass {
            Some(pass) => Identity::new(pass).map(Scope::Identity),
            None => token.split('.').next().and_then(|session| session.parse().ok()).map(Scope::Session),
        }
    }

    /// The connection is gone, with whatever was under way.
    pub(super) fn lose(&mut self) -> Option<Link> {
        for id in self.asked.keys().copied().collect::<Vec<_>>() {
            self.forget(id);
        }
        self.welcomed = false;
        self.stalled = false;
        self.older = None;
        self.link.take()
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
    pub(super) fn forget_all(&mut self) {
        self.cut();
        self.leave_behind();
    }

    /// Connects while the older connection is still there.
    pub(super) fn take_over(&mut self) {
        let older = self.link.take();
        let (stays, place) = (self.live_stays(), self.place);
        let reads = !self.stalled && !self.is_rough();
        self.connect();
        self.note("takes over");
        if let Some(older) = older {
            let (name, truth) = (self.name.clone(), Arc::clone(&self.scene.truth));
            let (patience, may_fail) = (self.late(), self.scene.plan.parts.is_some());
            let replaced = Arc::<OnceLock<Instant>>::default();
            self.older = reads.then(|| Older { place, stays, replaced: Arc::clone(&replaced) });
            tokio::spawn(async move {
                // One that was cut off before it was welcomed replaces nobody.
                let listens = Duration::from_secs(10).max(patience + Duration::from_secs(5));
                let heard = tokio::time::timeout(listens, hear_the_end(older, may_fail)).await;
                if let Ok(Err(how)) = &heard {
                    truth.note(Broken { promise: Promise::Protocol, how: format!("{name}, replaced: {how}") });
                }
                if heard.is_err() && replaced.get().is_some_and(|since| since.elapsed() > patience) {
                    let how = format!("{name} has two connections, and is not told that the older one is replaced");
                    truth.note(Broken { promise: Promise::Replaced, how });
                }
            });
        }
    }

    /// Once the newer connection is live where the older one was, the older one is over. In another stay the room does not know the older one; where
    /// its server cannot be reached, it is told once that can be, if the newer one is still there; and so it is where a server has just begun to
    /// decide, and has not heard yet who is where.
    pub(super) fn replaces(&mut self) {
        let Some(Older { stays, place, .. }) = self.older.as_ref().filter(|_| self.welcomed) else { return };
        let known = if self.scene.plan.parts.is_some() { TOLD_WHO_IS_WHERE } else { Duration::ZERO };
        let live = self.views.values().filter(|view| view.is_live_for(known)).map(View::stay);
        if !live.collect::<BTreeSet<Stay>>().is_disjoint(stays)
            && !self.was_cut_off(*place)
            && let Some(older) = self.older.take()
        {
            older.replaced.get_or_init(Instant::now);
        }
    }

    fn live_stays(&self) -> BTreeSet<Stay> {
        self.views.values().filter(|view| view.is_live()).map(View::stay).collect()
    }

    pub(super) fn stall(&mut self) {
        let Some(link) = &self.link else { return };
        self.stalled = !self.stalled;
        link.stall(self.stalled);
        self.read_on = Some(Instant::now());
        self.reads_since = Instant::now();
        self.note(if self.stalled { "stops reading" } else { "reads on" });
    }
}

/// Reads a connection that was replaced or ended to its end, or whose server may have lost its room: at most one `closing`, with a fitting reason, and nothing after it.
pub(super) async fn hear_the_end(mut link: Link, may_fail: bool) -> Result<(), String> {
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
                    use CloseReason::{Draining, Ended, Fault, Flooding, PeerTimeout, Replaced, SlowConsumer};
                    let mut fits = vec![Replaced, Draining, SlowConsumer, Flooding, PeerTimeout, Ended];
                    fits.extend(may_fail.then_some(Fault));
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

/// What a cursor says: `CREDENTIAL~CODE:EPOCH:SEQ,...`.
fn positions_of(cursor: &str) -> BTreeMap<String, Position> {
    let list = cursor.split_once('~').map_or("", |(_, list)| list);
    let position = |item: &str| {
        let (code, position) = item.split_once(':')?;
        Some((code.to_owned(), position.parse().ok()?))
    };
    list.split(',').filter_map(position).collect()
}
