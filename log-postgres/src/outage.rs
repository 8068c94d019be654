//! What is said of a database that is away: once at once, then once a minute, and once when it is back.

use std::time::Duration;

use tokio::time::Instant;

/// How often it is said that a database is still away.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How long a database has been away, and when that was said last.
#[derive(Debug, Default)]
pub(crate) struct Outage(Option<Span>);

#[derive(Debug)]
struct Span {
    since: Instant,
    said: Instant,
}

impl Outage {
    /// It is away: for how long, where that is to be said now.
    pub(crate) fn goes_on(&mut self) -> Option<Duration> {
        let now = Instant::now();
        match &mut self.0 {
            None => {
                self.0 = Some(Span { since: now, said: now });
                Some(Duration::ZERO)
            }
            Some(span) if now - span.said >= SAID_EVERY => {
                span.said = now;
                Some(now - span.since)
            }
            Some(_) => None,
        }
    }

    /// It is there: how long it was away, where it was.
    pub(crate) fn ends(&mut self) -> Option<Duration> {
        self.0.take().map(|span| span.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_at_once_then_once_a_minute_and_when_it_is_over() {
        let mut outage = Outage::default();
        assert_eq!(outage.ends(), None);
        let mut said = Vec::new();
        for _ in 0..150 {
            said.extend(outage.goes_on());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [0, 60, 120].map(Duration::from_secs));
        assert_eq!(outage.ends(), Some(Duration::from_secs(150)));
        assert_eq!(outage.ends(), None);
        assert_eq!(outage.goes_on(), Some(Duration::ZERO), "the next one is another");
    }
}
