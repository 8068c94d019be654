//! The deadlines of one connection: when to ping, when the peer counts as gone, when a stalled socket is given up.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "fault_injection")]
use chat_core::fault_injection::{self, Bug};
use chat_serve::was_paused;
use tokio::time::Instant;

use super::config::WsConfig;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepaliveAction {
    /// Nothing yet.
    Rest,
    /// Send a ping.
    Ping,
    /// Nothing came for longer than a ping and its pong may take.
    PeerGone,
    /// The socket took nothing for the stall timeout.
    Stalled,
}

/// What all peers have in common.
#[derive(Debug)]
pub(crate) struct Rhythm {
    ping_interval: Duration,
    silence_max: Duration,
    stall_timeout: Duration,
}

/// When one peer was last heard, and when it is to be pinged.
#[derive(Debug)]
pub(crate) struct Keepalive {
    rhythm: Arc<Rhythm>,
    heard: Instant,
    ping_at: Instant,
    /// When to look half way through the wait for an answer, once a ping is out: so at least the other half is left where a pause of the
    /// process lies between two looks.
    look_at: Option<Instant>,
}

impl Rhythm {
    /// As it is configured.
    pub(crate) fn new(config: &WsConfig, stall_timeout: Duration) -> Self {
        let ping_interval = config.ping_interval;
        let pong_timeout = config.pong_timeout;
        #[cfg(feature = "fault_injection")]
        let pong_timeout = match fault_injection::is(Bug::ExpectPongAtOnce) {
            true => Duration::from_secs(1),
            false => pong_timeout,
        };
        Self { ping_interval, silence_max: ping_interval + pong_timeout, stall_timeout }
    }
}

impl Keepalive {
    /// A peer that was heard just now.
    pub(crate) fn new(rhythm: Arc<Rhythm>, now: Instant) -> Self {
        let ping_at = now + rhythm.ping_interval;
        Self { rhythm, heard: now, ping_at, look_at: None }
    }

    /// Something came; or nothing could come, because nothing was read.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When to look again, with a socket that has been taking nothing since `stalled`.
    pub(crate) fn deadline(&self, stalled: Option<Instant>) -> Instant {
        let given_up = stalled.map(|since| since + self.rhythm.stall_timeout);
        let gone = self.heard + self.rhythm.silence_max;
        self.ping_at.min(gone).min(given_up.unwrap_or(gone)).min(self.look_at.unwrap_or(gone))
    }

    /// What is to be done at `now`, seen by a timer that was due at `due`.
    ///
    /// Where the process was paused, the answer to the last ping may lie unread, or there was no ping: the peer is pinged, and has as long to
    /// answer as ever. The caller takes a stall to begin anew.
    pub(crate) fn on_timer(&mut self, due: Instant, now: Instant, stalled: Option<Instant>) -> KeepaliveAction {
        if was_paused(due, now) {
            self.heard = self.heard.max(now - self.rhythm.ping_interval);
            return self.ping(now);
        }
        self.look_at.take_if(|at| now >= *at);
        if stalled.is_some_and(|since| now >= since + self.rhythm.stall_timeout) {
            return KeepaliveAction::Stalled;
        }
        if now >= self.heard + self.rhythm.silence_max {
            return KeepaliveAction::PeerGone;
        }
        if now >= self.ping_at {
            return self.ping(now);
        }
        KeepaliveAction::Rest
    }

    fn ping(&mut self, now: Instant) -> KeepaliveAction {
        self.ping_at = now + self.rhythm.ping_interval;
        self.look_at = Some(now + (self.rhythm.silence_max - self.rhythm.ping_interval) / 2);
        KeepaliveAction::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    fn start() -> (Instant, Keepalive) {
        let now = Instant::now();
        (now, Keepalive::new(Arc::new(Rhythm::new(&WsConfig::default(), STALL)), now))
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// By a timer that fires in time.
    fn at(keepalive: &mut Keepalive, now: Instant, stalled: Option<Instant>) -> KeepaliveAction {
        keepalive.on_timer(now, now, stalled)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_pinged_and_then_given_up() {
        let (now, mut keepalive) = start();
        assert_eq!(keepalive.deadline(None), after(now, 25));
        assert_eq!(at(&mut keepalive, after(now, 24), None), KeepaliveAction::Rest);
        assert_eq!(at(&mut keepalive, after(now, 25), None), KeepaliveAction::Ping);
        assert_eq!(keepalive.deadline(None), after(now, 35));
        assert_eq!(at(&mut keepalive, after(now, 35), None), KeepaliveAction::Rest);
        assert_eq!(keepalive.deadline(None), after(now, 45));
        assert_eq!(at(&mut keepalive, after(now, 45), None), KeepaliveAction::PeerGone);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_is_pinged_again() {
        let (now, mut keepalive) = start();
        assert_eq!(at(&mut keepalive, after(now, 25), None), KeepaliveAction::Ping);
        keepalive.heard(after(now, 26));
        assert_eq!(at(&mut keepalive, after(now, 35), None), KeepaliveAction::Rest);
        assert_eq!(keepalive.deadline(None), after(now, 50));
        assert_eq!(at(&mut keepalive, after(now, 50), None), KeepaliveAction::Ping);
        assert_eq!(at(&mut keepalive, after(now, 60), None), KeepaliveAction::Rest);
        assert_eq!(keepalive.deadline(None), after(now, 71));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_socket_is_given_up_however_much_the_peer_talks() {
        let (now, mut keepalive) = start();
        let stalled = Some(after(now, 10));
        assert_eq!(at(&mut keepalive, after(now, 25), stalled), KeepaliveAction::Ping);
        keepalive.heard(after(now, 39));
        assert_eq!(at(&mut keepalive, after(now, 39), stalled), KeepaliveAction::Rest);
        assert_eq!(keepalive.deadline(stalled), after(now, 40));
        assert_eq!(at(&mut keepalive, after(now, 40), stalled), KeepaliveAction::Stalled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_process_is_no_silence_of_the_peer() {
        // Before a ping, and with one on its way; as far as a timer was due.
        for (due, pinged) in [(25, false), (35, true), (45, true)] {
            let (now, mut keepalive) = start();
            if pinged {
                assert_eq!(at(&mut keepalive, after(now, 25), None), KeepaliveAction::Ping);
            }
            let woken = after(now, 3_600);
            assert_eq!(keepalive.on_timer(after(now, due), woken, Some(after(now, 20))), KeepaliveAction::Ping);
            assert_eq!(keepalive.deadline(None), after(woken, 10));
            assert_eq!(at(&mut keepalive, after(woken, 10), None), KeepaliveAction::Rest);
            assert_eq!(keepalive.deadline(None), after(woken, 20));
            assert_eq!(
                at(&mut keepalive, after(woken, 20), None),
                KeepaliveAction::PeerGone,
                "it does not answer either"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_a_little_late_means_nothing() {
        let (now, mut keepalive) = start();
        assert_eq!(keepalive.on_timer(after(now, 25), after(now, 26), None), KeepaliveAction::Ping);
        assert_eq!(keepalive.on_timer(after(now, 45), after(now, 46), None), KeepaliveAction::PeerGone);
    }
}
