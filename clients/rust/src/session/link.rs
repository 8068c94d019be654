//! The connection of a session, as far as that can be said without a socket: when one is opened, when it counts as lost, and when another is.

use std::time::{Duration, Instant};

use chat_core::CloseReason;

use super::{Link, Outbound, Session, Status, Step};
use crate::error::{ABNORMAL, Error, NORMAL, is_final, is_unexplained};
use crate::membership::Membership;
use crate::options::Why;

/// A connection that held for so long was a good one: the next loss starts from the first wait again.
const STEADY: Duration = Duration::from_secs(5);
/// The first wait is up to this, and each further one up to twice as long.
const BACKOFF_MIN: Duration = Duration::from_millis(500);

impl Session {
    pub(crate) fn step(&self, now: Instant) -> Step {
        match self.link {
            Link::Waiting { at } if at > now => Step::Wait(at),
            Link::Waiting { .. } => Step::Connect,
            Link::Opening { .. } | Link::Open { .. } => Step::Run,
            Link::Closed => Step::Stop,
        }
    }

    /// The connection that is opened now, and why credentials are asked for.
    pub(crate) fn begin(&mut self, now: Instant) -> (u64, Why) {
        self.generation += 1;
        self.link = Link::Opening { until: now + self.bounds.connect_wait };
        self.refusal = None;
        self.status.send_replace(Status::Connecting);
        (self.generation, std::mem::replace(&mut self.why, Why::Connect))
    }

    /// Nothing of an earlier connection counts.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        self.generation == generation && self.step(self.heard_at) == Step::Run
    }

    /// The credentials are there, the socket is open, or the like: the next step has as long again.
    pub(crate) fn advance(&mut self, now: Instant) {
        if matches!(self.link, Link::Opening { .. }) {
            self.heard_at = now;
            self.link = Link::Opening { until: now + self.bounds.connect_wait };
        }
    }

    /// The connection may take as long as credentials may, before it begins.
    pub(crate) fn wait_for_credentials(&mut self, now: Instant) {
        self.link = Link::Opening { until: now + self.bounds.credentials_wait + self.bounds.connect_wait };
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let link = match self.link {
            Link::Waiting { at } => Some(at),
            Link::Opening { until } => Some(until),
            Link::Open { .. } => self.probed_until.or(Some(self.heard_at + self.bounds.silence)),
            Link::Closed => None,
        };
        let rooms = self.rooms.iter().filter_map(Membership::deadline).min();
        [link, self.requests.deadline(), rooms].into_iter().flatten().min()
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        if self.requests.deadline().is_some_and(|at| at <= now) {
            self.lost(ABNORMAL, "no answer came", now);
        }
        match self.link {
            Link::Opening { until } if until <= now => self.lost(ABNORMAL, "no welcome came", now),
            Link::Open { .. } => self.probe(now),
            _ => {}
        }
        for room in &mut self.rooms {
            room.tick(now);
        }
        self.settle(now);
    }

    /// Asks a silent connection whether it lives: any server answers a ping.
    pub(super) fn probe(&mut self, now: Instant) {
        match self.probed_until {
            Some(until) if until <= now => self.lost(ABNORMAL, "silent", now),
            None if self.heard_at + self.bounds.silence <= now => {
                self.probed_until = Some(now + self.bounds.probe_wait);
                self.outbound.push_back(Outbound::Ping);
            }
            _ => {}
        }
    }

    /// Something has come, whatever it is.
    pub(crate) fn heard(&mut self, now: Instant) {
        (self.heard_at, self.probed_until) = (now, None);
    }

    /// The connection is lost, or could not be opened.
    pub(crate) fn lost(&mut self, code: u16, reason: &str, now: Instant) {
        let was_open = match self.link {
            Link::Open { since } => Some(since),
            Link::Opening { .. } => None,
            Link::Waiting { .. } | Link::Closed => return,
        };
        let told = self.closing.take();
        let (code, reason, wait) = match &told {
            Some((code, reason, wait)) => (*code, reason.as_str(), *wait),
            None => (code, reason, None),
        };
        if is_final(code) {
            return self.close(code, reason, now);
        }
        if was_open.is_some_and(|since| now.duration_since(since) >= STEADY) {
            self.attempts = 0;
        }
        let retry = wait.unwrap_or_else(|| self.backoff());
        self.drop_connection(code, now);
        self.link = Link::Waiting { at: now + retry };
        self.status.send_replace(Status::Waiting { retry, code, reason: reason.to_owned() });
        self.settle(now);
    }

    /// Full jitter: clients that lost one server come back spread out.
    pub(super) fn backoff(&mut self) -> Duration {
        let most = BACKOFF_MIN.saturating_mul(1 << self.attempts.min(16)).min(self.bounds.backoff_max);
        self.attempts += 1;
        most.mul_f64((self.chance)().clamp(0.0, 1.0))
    }

    /// Gives the connection up for another one, at once.
    pub(crate) fn restart(&mut self, now: Instant) {
        if self.link != Link::Closed {
            self.drop_connection(NORMAL, now);
            self.link = Link::Waiting { at: now };
            let reason = "dropped".to_owned();
            self.status.send_replace(Status::Waiting { retry: Duration::ZERO, code: NORMAL, reason });
        }
    }

    /// The client does not come back.
    pub(crate) fn close(&mut self, code: u16, reason: &str, now: Instant) {
        if self.link == Link::Closed {
            return;
        }
        self.drop_connection(code, now);
        self.link = Link::Closed;
        self.status.send_replace(Status::Closed { code, reason: reason.to_owned() });
        let error = Error::Closed { code, reason: reason.to_owned(), refusal: self.refusal.clone() };
        for room in &mut self.rooms {
            room.closed(&error);
        }
        self.rooms.clear();
    }

    pub(super) fn drop_connection(&mut self, code: u16, now: Instant) {
        self.generation += 1;
        (self.outbound_bytes, self.probed_until, self.closing, self.wants_credentials) = (0, None, None, false);
        self.outbound.clear();
        if code == CloseReason::AuthExpired.code() {
            self.why = Why::Expired;
        }
        for room in &mut self.rooms {
            room.disconnected(is_unexplained(code));
        }
        for purpose in self.requests.close() {
            self.answered(purpose, Err(Error::Disconnected), now);
        }
    }
}
