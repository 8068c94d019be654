//! Whether a client is still there: socketioxide pings, and here it is judged what comes of it.
//!
//! socketioxide gives up whoever's answer has not come in time, wherever ping and answer are: behind what a slow line has still to take, or
//! unread because the process did not run. So it is told to wait for (nearly) ever, and clients are told what really holds.

use std::time::Duration;

use chat_serve::was_paused;
use tokio::time::Instant;

use super::config::SocketIoConfig;

/// How long socketioxide waits for the answer to a ping, in milliseconds. A day, in as many digits as fit what is told instead.
pub(crate) const PONG_MS: u64 = 86_400_000;
/// What comes before that number in the packet that opens a session.
const FIELD: &[u8] = br#""pingTimeout":"#;
/// Its digits.
const DIGITS: usize = PONG_MS.ilog10() as usize + 1;

/// Puts what holds into the packet that opens a session, in place of what socketioxide was told. The packet keeps its length: behind
/// a number JSON may have blanks.
pub(crate) fn announce(packet: &mut [u8], ping_timeout: Duration) {
    let Some(field) = packet.windows(FIELD.len()).position(|bytes| bytes == FIELD) else { return };
    let millis = u64::try_from(ping_timeout.as_millis()).unwrap_or(PONG_MS).min(PONG_MS);
    if let Some(number) = packet.get_mut(field + FIELD.len()..field + FIELD.len() + DIGITS) {
        number.copy_from_slice(format!("{millis:<DIGITS$}").as_bytes());
    }
}

/// When one client counts as gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepalive {
    ping_timeout: Duration,
    silence_max: Duration,
    /// Silence before this is not held against the client.
    excused: Instant,
}

impl Keepalive {
    /// Of a client that was heard just now.
    pub(crate) fn new(config: &SocketIoConfig, now: Instant) -> Self {
        let ping_timeout = config.ping_timeout;
        Self { ping_timeout, silence_max: config.ping_interval + ping_timeout, excused: now }
    }

    /// When to look again at `now`, at a client that was last heard at `heard`. Half way through the wait for its answer too: so at least the
    /// other half is left where a pause of the process lies between two looks.
    pub(crate) fn deadline(&self, now: Instant, heard: Instant) -> Instant {
        let gone = self.gone_at(heard);
        let half = gone - self.ping_timeout / 2;
        if now < half { half } else { gone }
    }

    /// Whether the client is gone, seen by a timer that was due at `due`. After a pause of the process it is pinged again first.
    pub(crate) fn is_gone(&mut self, due: Instant, now: Instant, heard: Instant) -> bool {
        if was_paused(due, now) {
            self.excused = now;
        }
        now >= self.gone_at(heard)
    }

    fn gone_at(&self, heard: Instant) -> Instant {
        heard.max(self.excused) + self.silence_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn clients_are_told_what_holds_in_a_packet_of_the_same_length() {
        let packet =
            |timeout: &str| format!(r#"0{{"sid":"x","pingInterval":25000,"pingTimeout":{timeout},"maxPayload":9}}"#);
        for (seconds, told) in [(20, "20000   "), (1, "1000    "), (1_000_000, "86400000")] {
            let mut bytes = packet("86400000").into_bytes();
            announce(&mut bytes, Duration::from_secs(seconds));
            assert_eq!(String::from_utf8(bytes).expect("text"), packet(told));
        }
        for other in ["", "3", r#"42["pingTimeout"]"#, r#"0{"pingTimeout":1}"#] {
            let mut bytes = other.as_bytes().to_vec();
            announce(&mut bytes, Duration::from_secs(20));
            assert_eq!(bytes, other.as_bytes());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_gone_after_a_ping_and_its_answer() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(&SocketIoConfig::default(), start);
        assert_eq!(keepalive.deadline(start, start), after(start, 35));
        let (half, end) = (after(start, 35), after(start, 45));
        assert!(!keepalive.is_gone(half, half, start));
        assert_eq!(keepalive.deadline(half, start), end);
        assert!(keepalive.is_gone(end, end, start));
        assert!(!keepalive.is_gone(end, end, after(start, 1)), "it was heard meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_of_the_process_there_is_time_for_another_ping() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(&SocketIoConfig::default(), start);
        let woken = after(start, 3_600);
        assert!(!keepalive.is_gone(after(start, 35), woken, start));
        assert_eq!(keepalive.deadline(woken, start), after(woken, 35));
        let end = after(woken, 45);
        assert!(keepalive.is_gone(end, end, start));
    }
}
