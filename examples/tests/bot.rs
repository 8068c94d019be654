//! The bot over the feed, which is killed with its server wherever it waits: each question is answered once.

#[path = "../src/bin/bot.rs"]
#[allow(dead_code, reason = "the program itself is not run")]
mod bot;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chat_core::{Engine, Event, FeedBounds, Log, Offset, Retention, Seq};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::{code, founder, say};

/// Questions, and one message that is none.
const SAID: [&str; 4] = ["!ping", "hello", "!ping", "!ping"];
/// Where a server is killed at the latest.
const WAITS_MAX: usize = 30;

/// One life of a server, on a runtime of its own: with it goes whatever was under way.
fn serve<T>(log: &Arc<MemoryLog>, life: impl AsyncFnOnce(Engine) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let builder = Engine::builder().host_names(["Bot"]).expect("a valid name");
        life(builder.log(Arc::clone(log) as _).expect("the life before is over").build()).await
    })
}

/// Runs the bot until it has waited so often, and all others for so many turns more: what it waits for is done by then, or not.
async fn run_for(engine: Engine, waits: usize, turns: usize) {
    let mut bot = pin!(bot::answer_all(engine));
    let mut waited = 0;
    std::future::poll_fn(|context| match bot.as_mut().poll(context) {
        Poll::Ready(ended) => panic!("the bot has ended: {ended:?}"),
        Poll::Pending => {
            waited += 1;
            if waited >= waits { Poll::Ready(()) } else { Poll::Pending }
        }
    })
    .await;
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// How often each message was answered.
async fn answers(log: &MemoryLog) -> BTreeMap<Seq, usize> {
    let page = log.read(&code(), None, Offset(0), usize::MAX).await.expect("it is in memory");
    let mut answers = BTreeMap::new();
    for record in page.records {
        if let Event::Sent { reply_to: Some(to), text, .. } = record.event {
            assert_eq!(text.as_str(), "pong");
            *answers.entry(to).or_default() += 1;
        }
    }
    answers
}

#[test]
fn each_question_is_answered_once_wherever_the_bot_is_killed() {
    // How many questions had an answer that was not stored, or was, when the server was killed.
    let mut stages = BTreeMap::new();
    for (waits, turns) in (1..WAITS_MAX).flat_map(|waits| [0, 1, 2, 5].map(|turns| (waits, turns))) {
        let log = Arc::new(MemoryLog::with_feed(FeedBounds::default(), Retention::default()));
        serve(&log, async |engine| {
            let ann = founder(&engine).await;
            for (text, key) in SAID.into_iter().zip(["a", "b", "c", "d"]) {
                say(&ann, text, key).await.expect("it is said");
            }
        });
        serve(&log, async |engine| run_for(engine, waits, turns).await);
        *stages.entry(serve(&log, async |_| answers(&log).await.len())).or_insert(0) += 1;
        serve(&log, async |engine| {
            let bot = tokio::time::timeout(Duration::from_secs(5), bot::answer_all(engine)).await;
            assert!(bot.is_err(), "the bot has ended: {bot:?}");
        });
        let answered = serve(&log, async |_| answers(&log).await);
        // The first is that Ann has come.
        assert_eq!(answered, [2, 4, 5].map(|seq| (Seq(seq), 1)).into(), "killed at wait {waits}, {turns} turns later");
    }
    assert!((0..=3).all(|half| stages.contains_key(&half)), "killed with {stages:?} answers: this test shows little");
}
