//! A named feed of servers that share a log: the owner of the name's slot is told, and when that is another, it goes on from what was done.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{AppendError, Feed, FeedBounds, FeedError, FeedName, FeedPage, Log, Retention};
use chat_testkit::logs::MemoryLog;
use support::servers::{Two, two_over};
use support::{Virtual, founder, say};

async fn feeds(two: &Two) -> [Feed; 2] {
    let name = FeedName::parse("backend").expect("a valid name");
    let feeds = two.engines.each_ref().map(|engine| engine.feed_of(name.clone()));
    let [one, other] = feeds;
    [one.await.expect("there is a feed"), other.await.expect("there is a feed")]
}

/// The next page, if there is one within some seconds: as what it tells.
async fn next(feed: &mut Feed) -> Option<(FeedPage, Vec<String>)> {
    let page = tokio::time::timeout(Duration::from_secs(5), feed.next()).await.ok()?.expect("it can be read");
    let told = page.events.iter().map(|event| event.kind.as_str().to_owned()).collect();
    Some((page, told))
}

#[tokio::test(start_paused = true)]
async fn a_named_feed_is_told_by_one_server_at_a_time_and_nothing_is_left_out() {
    let memory = MemoryLog::with_feed(FeedBounds::default(), Retention::default());
    let two = two_over(memory, |_| {}, |builder| builder);
    let [mut first, mut second] = feeds(&two).await;
    let ann = founder(&two.engines[0]).await;
    let (page, told) = next(&mut first).await.expect("it owns the name");
    assert_eq!(told, ["member_joined"]);
    first.done(&page).await.expect("it owns the name");
    assert!(next(&mut second).await.is_none(), "it does not");

    say(&ann, "one", "k1").await.expect("it is said");
    let (page, told) = next(&mut first).await.expect("it owns the name");
    assert_eq!(told, ["message"]);
    two.servers.give_all(&two.ends[1]);
    let late = first.done(&page).await;
    assert_eq!(late, Err(FeedError::Write(AppendError::Deposed)));
    let (page, again) = next(&mut second).await.expect("it owns the name now");
    assert_eq!(again, told, "what was not done is told again");
    second.done(&page).await.expect("it owns the name now");
    say(&ann, "two", "k2").await.expect("it is said");
    assert!(next(&mut first).await.is_none());

    two.servers.give_all(&two.ends[0]);
    let (page, told) = next(&mut first).await.expect("it owns the name again");
    assert_eq!(
        (told.len(), page.events[0].json.contains("two")),
        (1, true),
        "what the other has done is not told again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_from_before_the_feed_was_away_is_not_done_after_it_has_come_back() {
    let memory = MemoryLog::with_feed(FeedBounds::default(), Retention::default());
    let two = two_over(memory, |_| {}, |builder| builder);
    let [mut first, mut second] = feeds(&two).await;
    let ann = founder(&two.engines[0]).await;
    let (old, _) = next(&mut first).await.expect("it owns the name");
    assert!(first.has(&old));
    two.servers.give_all(&two.ends[1]);
    assert!(!first.has(&old), "whoever delivers it is told in time");
    say(&ann, "one", "k1").await.expect("it is said");
    let (page, _) = next(&mut second).await.expect("it owns the name now");
    second.done(&page).await.expect("it owns the name now");
    two.servers.give_all(&two.ends[0]);
    say(&ann, "two", "k2").await.expect("it is said");
    let (new, told) = next(&mut first).await.expect("it owns the name again");
    assert_eq!((told.len(), first.has(&old), first.has(&new)), (1, false, true));
    assert_eq!(first.done(&old).await, Err(FeedError::Write(AppendError::Deposed)));
    let known = two.engines[0].feeds().await.expect("there is a feed");
    assert_eq!(known[0].1, page.cursor, "it is where the other server has done it");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_a_feed_notices_that_nobody_comes_on_with_it() {
    let memory = MemoryLog::with_feed(FeedBounds::default(), Retention::default());
    let two = two_over(memory, |_| {}, |builder| builder.clock(Arc::new(Virtual::default())));
    let name = FeedName::parse("backend").expect("a valid name");
    // The first owns the name, and does not read: as one that was started without being told to.
    let mut waits = two.engines[1].feed_of(name.clone()).await.expect("there is a feed");
    let waiting = tokio::spawn(async move { waits.next().await });
    let _ann = founder(&two.engines[0]).await;
    let meter = || two.engines[1].meters().feeds.remove(0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((meter().is_here, meter().behind, meter().is_stalled), (false, 1, false));
    assert!(meter().lag >= Duration::from_secs(30), "{:?}", meter().lag);
    tokio::time::sleep(Duration::from_secs(360)).await;
    assert_eq!((meter().behind, meter().is_stalled), (1, true));
    // Somebody has it read there after all.
    let mut reads = two.engines[0].feed_of(name).await.expect("there is a feed");
    let (page, _) = next(&mut reads).await.expect("it owns the name");
    reads.done(&page).await.expect("it owns the name");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((meter().behind, meter().lag, meter().is_stalled), (0, Duration::ZERO, false));
    waiting.abort();
}

/// Two seeds of the simulator found it: a server had stood still, with its clock, while another one had the feed. It read on before it knew.
#[tokio::test(start_paused = true)]
async fn what_another_server_was_done_with_is_no_gap_to_one_that_takes_itself_for_the_owner() {
    let memory = MemoryLog::with_feed(FeedBounds::default(), Retention::default());
    let two = two_over(memory, |_| {}, |builder| builder);
    let [mut first, _] = feeds(&two).await;
    let ann = founder(&two.engines[0]).await;
    let (page, _) = next(&mut first).await.expect("it owns the name");
    say(&ann, "one", "k1").await.expect("it is said");
    // What the other one does while this one has not heard of it: it is told all, is done, and the log lets go of it.
    let (name, log_feed) = (FeedName::parse("backend").expect("a valid name"), two.memory.feed().expect("it has one"));
    let end = log_feed.end().await.expect("it can be read");
    log_feed.put_feed(&name, &end).await.expect("the owner stores it");
    assert!(next(&mut first).await.is_none(), "nothing is missing, and nothing is new");
    assert!(!first.has(&page), "another server was told what follows on it");
    say(&ann, "two", "k2").await.expect("it is said");
    let (page, told) = next(&mut first).await.expect("it takes itself for the owner");
    assert_eq!((page.gap, told.len(), page.events[0].json.contains("two")), (None, 1, true));
    assert_eq!(two.engines[0].meters().feeds[0].missed, 0);
}
