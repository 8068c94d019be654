//! What reads the feed at one server, for as long as that one is up: it delivers page by page, and says what is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{AppendError, Engine, Feed, FeedError, FeedPage, ReadError};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Backend;
use crate::links::Node;
use crate::promise::{Broken, Promise};
use crate::transcript::Transcript;

/// How long a reader waits that could not begin.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether a reader goes on with its feed.
enum Then {
    GoOn,
    BeginAnew,
}

struct Reader {
    backend: Arc<Backend>,
    engine: Engine,
    node: Option<Arc<Node>>,
    transcript: Arc<Transcript>,
}

/// Reads the feed at a server until that one is down.
pub(crate) async fn read(
    backend: Arc<Backend>,
    engine: Engine,
    node: Option<Arc<Node>>,
    transcript: Arc<Transcript>,
    mut down: watch::Receiver<bool>,
) {
    let truth = Arc::clone(&backend.truth);
    let reader = Reader { backend, engine, node, transcript };
    tokio::select! {
        biased;
        // An error means that the server is gone, which is as good as down.
        _ = down.wait_for(|down| *down) => {}
        Err(broken) = reader.read() => truth.note(broken),
    }
}

impl Reader {
    async fn read(&self) -> Result<(), Broken> {
        loop {
            self.awake().await;
            match self.engine.feed_of(Backend::name()).await {
                Ok(feed) => self.follow(feed).await?,
                Err(error) => {
                    passes(&error)?;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Reads one feed until it is to be begun anew.
    async fn follow(&self, mut feed: Feed) -> Result<(), Broken> {
        loop {
            let page = match feed.next().await {
                Ok(page) => page,
                Err(error) => return passes(&error),
            };
            self.awake().await;
            if let Then::BeginAnew = self.deliver(&feed, &page).await? {
                return Ok(());
            }
        }
    }

    async fn deliver(&self, feed: &Feed, page: &FeedPage) -> Result<Then, Broken> {
        let (events, gap) = (page.events.len(), if page.gap.is_some() { " after a gap" } else { "" });
        self.transcript.note("backend", format_args!("{events} events{gap}, {} batches behind", page.behind));
        sleep(self.backend.pause()).await;
        self.awake().await;
        if !feed.has(page) {
            return Ok(Then::GoOn);
        }
        self.backend.page(page)?;
        let breaks_off = self.backend.happens(self.backend.manner.breaks);
        let arrive = if breaks_off { events / 2 } else { events };
        let mut places = BTreeMap::new();
        for event in &page.events[..arrive] {
            let life = (&event.room, event.epoch);
            let place = self.backend.tell(event, places.get(&life).copied())?;
            places.insert(life, place);
        }
        if breaks_off {
            return Ok(Then::BeginAnew);
        }
        if self.backend.happens(self.backend.manner.forgets) {
            return Ok(Then::GoOn);
        }
        match feed.done(page).await {
            Ok(()) if feed.has(page) => self.backend.done(page),
            Ok(()) => {}
            // It is told again, here or by the server that has the feed by now.
            Err(error) => passes(&error)?,
        }
        Ok(Then::GoOn)
    }

    async fn awake(&self) {
        if let Some(node) = &self.node {
            node.awake().await;
        }
    }
}

/// What passes is tried again; a feed that is another one, or has lost what was read, is none that anybody can rely on.
fn passes(error: &FeedError) -> Result<(), Broken> {
    match error {
        FeedError::Read(ReadError::Unavailable(_))
        | FeedError::Write(AppendError::Deposed | AppendError::NotWritten(_) | AppendError::Unknown(_)) => Ok(()),
        _ => Err(Broken { promise: Promise::Feed, how: format!("the feed is no feed any more: {error}") }),
    }
}
