//! When servers could not be reached by others: what people at them may be told then that they are not told else.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Since when, or from when to when, each place has been in trouble.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<usize, Place>);

#[derive(Debug, Default)]
struct Place {
    /// How many troubles there are now, and since when there is one.
    now: Option<(u32, Instant)>,
    past: Vec<(Instant, Instant)>,
}

impl Troubles {
    pub(super) fn begin(&mut self, place: usize) {
        let place = self.0.entry(place).or_default();
        place.now = Some(place.now.map_or((1, Instant::now()), |(count, since)| (count + 1, since)));
    }

    pub(super) fn end(&mut self, place: usize) {
        let place = self.0.entry(place).or_default();
        match place.now {
            Some((1, since)) => {
                place.past.push((since, Instant::now()));
                place.now = None;
            }
            Some((count, since)) => place.now = Some((count - 1, since)),
            None => {}
        }
    }

    /// For how long of the last `time` a place was in trouble.
    pub(super) fn within(&self, place: usize, time: Duration) -> Duration {
        let Some(Place { now, past }) = self.0.get(&place) else { return Duration::ZERO };
        let end = Instant::now();
        let all = past.iter().copied().chain(now.map(|(_, since)| (since, end)));
        all.map(|(since, until)| {
            let before = (end - until).min(time);
            (end - since).min(time) - before
        })
        .sum()
    }
}
