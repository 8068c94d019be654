//! From the feed to the backend, page by page: rooms over lanes, each delivery until it is confirmed, and then the page is done.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chat_core::{AppendError, DeliveryOutcome, Feed, FeedDeliveries, FeedError, FeedEvent, FeedPage, Wall};
use chat_http::EndpointError;
use futures_util::future::join_all;
use rand::RngExt;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::endpoint::{Backend, Connection, Failed, Head};
use crate::secret::Secret;
use crate::stats::StatsReader;

/// Sends what a feed tells to one URL.
#[derive(Debug)]
pub struct Webhook {
    backend: Backend,
    secret: Secret,
    config: Config,
    stats: StatsReader,
}

/// A request: its id, and its body.
struct Delivery {
    id: String,
    body: Bytes,
    events: usize,
}

/// What a delivery is a part of.
#[derive(Clone, Copy)]
struct Of<'a> {
    feed: &'a Feed,
    page: &'a FeedPage,
    deliveries: &'a FeedDeliveries,
}

/// Another server has the feed by now, and delivers the page.
#[derive(Debug, PartialEq, Eq)]
struct Left;

impl Webhook {
    /// Deliveries to this URL, which begins with `https://` or `http://`.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn new(url: &str, secret: Secret, config: Config) -> Result<Self, EndpointError> {
        let backend = Backend::new(url, &config)?;
        Ok(Self { backend, secret, config, stats: StatsReader::default() })
    }

    /// What is counted while it runs.
    pub fn stats(&self) -> StatsReader {
        self.stats.clone()
    }

    /// Delivers everything that the feed tells, and has each page done once all of it is confirmed; for ever, unless the feed cannot be read on:
    /// then it says why. To drop the future loses nothing.
    ///
    /// Where servers share a log, run it on all of them, over the feed of one [name](chat_core::Engine::feed_of): one delivers at a time, and when that is
    /// gone another goes on.
    pub async fn run(self, mut feed: Feed) -> FeedError {
        let mut lanes: Vec<Connection> = (0..self.config.lanes.max(1)).map(|_| None).collect();
        loop {
            let page = match feed.next().await {
                Ok(page) => page,
                Err(error) => return error,
            };
            self.stats.behind(page.behind);
            if self.deliver_page(&feed, &page, &mut lanes).await.is_err() {
                continue;
            }
            let mut pause = self.config.pause.0;
            while let Err(error) = feed.done(&page).await {
                if error == FeedError::Write(AppendError::Deposed) {
                    // Another server delivers from here on, and delivers this page again.
                    break;
                }
                if !matches!(error, FeedError::Read(_) | FeedError::Write(_)) {
                    return error;
                }
                tracing::warn!(%error, "how far deliveries have come cannot be stored");
                self.rest(&mut pause, None).await;
            }
        }
    }

    async fn deliver_page(&self, feed: &Feed, page: &FeedPage, lanes: &mut [Connection]) -> Result<(), Left> {
        let deliveries = feed.deliveries();
        let of = Of { feed, page, deliveries: &deliveries };
        if let Some(gap) = page.gap {
            self.stats.missed(gap.batches);
            let delivery = Delivery::gap(gap.batches, page.restored, &page.cursor.to_string());
            self.deliver(&mut lanes[0], &delivery, of).await?;
        }
        let mut events: Vec<Vec<&FeedEvent>> = vec![Vec::new(); lanes.len()];
        for event in &page.events {
            events[lane_of(event, lanes.len())].push(event);
        }
        let sending = lanes.iter_mut().zip(events).map(|(lane, events)| async move {
            for batch in events.chunks(self.config.batch_max.max(1)) {
                self.deliver(lane, &Delivery::of(batch, page.restored), of).await?;
            }
            Ok(())
        });
        join_all(sending).await.into_iter().collect()
    }

    /// Tries until it is confirmed, for as long as this server has the page. A request that is under way while the feed moves to another server is not
    /// taken back: of each lane that one may come late.
    async fn deliver(&self, lane: &mut Connection, delivery: &Delivery, of: Of<'_>) -> Result<(), Left> {
        let Delivery { id, body, events } = delivery;
        let (mut pause, mut failures) = (self.config.pause.0, 0_u32);
        loop {
            if !of.feed.has(of.page) {
                self.stats.left();
                of.deliveries.count(DeliveryOutcome::Left, Duration::ZERO);
                tracing::info!(id, failures, "the delivery is left to another server, which has the feed by now");
                return Err(Left);
            }
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let signature = self.secret.sign(id, timestamp, body);
            let head = Head { id, timestamp, signature: &signature };
            let begun = Instant::now();
            let asked = self.backend.post(lane, &head, body, self.config.timeout).await;
            let outcome = if asked.is_ok() { DeliveryOutcome::Done } else { DeliveryOutcome::Failed };
            of.deliveries.count(outcome, begun.elapsed());
            let Err(error) = asked else { break };
            self.stats.failed();
            failures += 1;
            if failures == 1 {
                tracing::warn!(%error, id, "a delivery is not confirmed, and is tried again");
            }
            let wait = if let Failed::Status { retry_after, .. } = error { retry_after } else { None };
            self.rest(&mut pause, wait).await;
        }
        if failures > 0 {
            tracing::info!(id, failures, "the delivery is confirmed");
        }
        self.stats.delivered(*events);
        Ok(())
    }

    /// Waits between a half and the whole of a pause, and no less than was asked for; the next is twice as long.
    async fn rest(&self, pause: &mut Duration, asked: Option<Duration>) {
        let longest = self.config.pause.1;
        let drawn = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        tokio::time::sleep(drawn.max(asked.unwrap_or_default()).min(longest)).await;
        *pause = (*pause * 2).min(longest);
    }
}

/// The lane of a room: always the same while this runs.
fn lane_of(event: &FeedEvent, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    event.room.hash(&mut hasher);
    (hasher.finish() % lanes as u64) as usize
}

impl Delivery {
    fn of(events: &[&FeedEvent], restored: u64) -> Self {
        let (first, last) = (events[0], events[events.len() - 1]);
        let place = |event: &FeedEvent| format!("{}_{}", event.epoch, event.offset.0);
        // Of a log that was put back other events have the places that were told before.
        let (of, field) = match restored {
            0 => (String::new(), String::new()),
            restored => (format!("{restored:016x}_"), format!("\"restored\":\"{restored:016x}\",")),
        };
        let id = format!("evt_{of}{}_{}_{}", place(first), place(last), events.len());
        let data = events.iter().map(|event| event.json.as_str()).collect::<Vec<_>>().join(",");
        let body = format!(
            "{{\"type\":\"room.events\",\"timestamp\":\"{}\",\"data\":{{{field}\"events\":[{data}]}}}}",
            last.at
        );
        Self { id, body: body.into(), events: events.len() }
    }

    fn gap(batches: u64, restored: u64, cursor: &str) -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let at = Wall(millis);
        let body = format!("{{\"type\":\"room.gap\",\"timestamp\":\"{at}\",\"data\":{{\"batches\":{batches}}}}}");
        // A cursor may be longer than servers take headers.
        let digest = Sha256::digest(format!("{restored} {cursor}"));
        let id = digest[..16].iter().fold("gap_".to_owned(), |id, byte| id + &format!("{byte:02x}"));
        Self { id, body: body.into(), events: 0 }
    }
}
