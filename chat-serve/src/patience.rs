//! Waits that count only the time in which the process ran: after a pause a peer is asked again, and nobody is given up for it.
//!
//! A process that is stopped for a while (a signal, a frozen group, a virtual machine that moves) finds all its deadlines over when it goes
//! on, and what its peers said meanwhile still unread. It cannot tell a pause from the clock; but each of its timers fires late.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Sleep as HyperSleep, Timer};
use tokio::time::{Instant, Sleep, sleep_until};

/// How late a timer fires where the process did not run. 2 s: a runtime with more to do than it can is late by less, and what a peer
/// may be silent for is ten times as long.
const PAUSE_MIN: Duration = Duration::from_secs(2);

/// Whether the process seems to have been paused, as a timer that was due at `due` fires no sooner than `now`.
pub fn was_paused(due: Instant, now: Instant) -> bool {
    now.saturating_duration_since(due) >= PAUSE_MIN
}

/// A wait that begins anew where the process was paused meanwhile.
///
/// It has a timer in the middle as well: a pause that begins and ends between two timers is shorter than half of the wait, so that the
/// peer had at least the other half.
#[derive(Debug)]
pub struct Patience {
    length: Duration,
    end: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Patience {
    /// A wait of this length, from now on.
    pub fn new(length: Duration) -> Self {
        let now = Instant::now();
        Self { length, end: now + length, sleep: Box::pin(sleep_until(now + length / 2)) }
    }

    /// Waits as long again from now on. Its timer is set anew only when it fires, so that this costs next to nothing.
    pub fn restart(&mut self) {
        self.end = Instant::now() + self.length;
    }

    /// Whether its timer has fired and was not set again since.
    pub fn has_fired(&self) -> bool {
        self.sleep.is_elapsed()
    }

    /// Ready once the wait is over.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let (due, now) = (self.sleep.deadline(), Instant::now());
            if was_paused(due, now) {
                self.begin(now, self.length);
            } else if due >= self.end {
                return Poll::Ready(());
            } else {
                let middle = self.end - self.length / 2;
                self.sleep.as_mut().reset(if now < middle { middle } else { self.end });
            }
        }
    }

    /// Begins anew at this moment, with another length.
    pub(crate) fn begin(&mut self, now: Instant, length: Duration) {
        (self.length, self.end) = (length, now + length);
        self.sleep.as_mut().reset(now + length / 2);
    }
}

/// What `act` comes to; nothing where it takes longer than `length`, as a [`Patience`] counts that. Costs no timer where `act` need not
/// wait.
pub async fn within<T>(length: Duration, act: impl Future<Output = T>) -> Option<T> {
    let (mut act, mut patience) = (pin!(act), None);
    poll_fn(|cx| match act.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => patience.get_or_insert_with(|| Patience::new(length)).poll(cx).map(|()| None),
    })
    .await
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Self::poll(&mut self, cx)
    }
}

impl HyperSleep for Patience {}

/// Times hyper's waits: for heads, and for the answers to pings of HTTP/2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatientTimer;

impl Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Patience::new(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn HyperSleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn HyperSleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Patience>() {
            Some(patience) => {
                let now = Instant::now();
                patience.get_mut().begin(now, deadline.saturating_duration_since(now.into()));
            }
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_wait_takes_as_long_as_it_says() {
        let start = Instant::now();
        Patience::new(WAIT).await;
        assert_eq!(start.elapsed(), WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_restarted_takes_as_long_again() {
        let mut wait = Patience::new(WAIT);
        for before in [3, 9, 12, 19] {
            assert!(timeout(Duration::from_secs(before), &mut wait).await.is_err(), "not yet");
            wait.restart();
        }
        let restarted = Instant::now();
        wait.await;
        assert_eq!(restarted.elapsed(), WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_in_which_the_process_was_paused_begins_anew() {
        for (before, pause) in [(0, 19), (5, 27), (15, 3_600)] {
            let mut wait = Patience::new(WAIT);
            let before = Duration::from_secs(before);
            assert!(timeout(before, &mut wait).await.is_err(), "not yet");
            // As a pause does: time is over, and nothing has run in it.
            advance(Duration::from_secs(pause)).await;
            let resumed = Instant::now();
            wait.await;
            assert_eq!(resumed.elapsed(), WAIT, "after {before:?} and a pause of {pause} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_while_the_process_is_paused_has_as_long_again() {
        let mut act = pin!(within(WAIT, std::future::pending::<()>()));
        assert!(timeout(WAIT / 2, act.as_mut()).await.is_err(), "not yet");
        advance(5 * WAIT).await;
        let resumed = Instant::now();
        assert_eq!(act.await, None);
        assert_eq!(resumed.elapsed(), WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_no_timer_notices_leaves_half_of_the_wait() {
        let wait = Patience::new(WAIT);
        advance(Duration::from_secs(9)).await;
        let resumed = Instant::now();
        wait.await;
        assert!(resumed.elapsed() >= WAIT / 2);
    }
}
