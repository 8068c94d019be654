//! A pause that grows with every failure.

use std::time::Duration;

use crate::types::Mono;

/// First and longest pause before a log that failed is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The longest pause before a server is asked again that is about to know more. 400 ms: nobody waits much longer than it takes.
const MOMENT: Duration = Duration::from_millis(400);

/// A pause that grows with every failure.
#[derive(Default, PartialEq)]
pub(crate) struct Backoff {
    pause: Duration,
    until: Mono,
}

impl Backoff {
    /// Nothing has failed.
    pub(crate) const NONE: Self = Self { pause: Duration::ZERO, until: Mono(0) };

    /// When it may be tried again.
    pub(crate) fn until(&self) -> Mono {
        self.until
    }

    /// When nothing of it matters any more: a failure later than that is a first one again.
    pub(crate) fn is_over_at(&self) -> Mono {
        self.until.after(self.pause)
    }

    /// It has failed once more.
    pub(crate) fn failed(&mut self, now: Mono) {
        self.until = now.after(self.next());
    }

    /// It has failed once more, and what is waited for comes soon, if it comes.
    pub(crate) fn failed_for_a_moment(&mut self, now: Mono) {
        self.pause = self.next().min(MOMENT);
        self.until = now.after(self.pause);
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        self.pause = (self.pause * 2).clamp(PAUSE.0, PAUSE.1);
        self.pause
    }
}
