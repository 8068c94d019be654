//! Rooms of a server that goes: those who have them next refuse nobody and lose nobody.

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::Engine;
use chat_testkit::servers::Server;
use support::bent::BentLog;
use support::servers::{Two, is_closed, leaves_and_messages, two};
use support::{GRACE, builder, code, founder, newcomer, pass, say, settle, take};

/// A third server, over the same log.
fn third(two: &Two) -> (Engine, Arc<Server>) {
    let end = two.servers.join();
    let log = Arc::new(BentLog::new(&two.memory));
    (builder(&log).cluster(Arc::clone(&end) as _).build(), end)
}

/// Others may know of a gift before whoever was given it does.
#[tokio::test(start_paused = true)]
async fn an_owner_that_hears_late_that_it_is_one_refuses_nobody_and_loses_nobody() {
    for has_copy in [false, true] {
        let two = two();
        let (engine, _end) = third(&two);
        let ann = founder(&two.engines[0]).await;
        let bob = newcomer(&engine, "Bob").await;
        let cat = if has_copy { Some(newcomer(&two.engines[1], "Cat").await) } else { None };
        settle().await;
        two.servers.blind(&two.ends[1], &code());
        two.servers.give_room(&code(), &two.ends[1]);
        settle().await;
        two.servers.see(&two.ends[1], &code());
        let asked = tokio::time::Instant::now();
        say(&bob, "one", "k1").await.unwrap_or_else(|code| panic!("{has_copy}: refused: {code:?}"));
        assert!(asked.elapsed() < Duration::from_millis(500), "{has_copy}: {:?}", asked.elapsed());
        // Whom nobody has named by now is let go.
        for number in 0..10 {
            pass(Duration::from_millis(500)).await;
            let text = format!("more{number}");
            say(&bob, &text, &text).await.unwrap_or_else(|code| panic!("{has_copy}: {text} is refused: {code:?}"));
        }
        pass(GRACE * 2).await;
        let (left, heard) = leaves_and_messages(&take(&ann));
        assert!(left.is_empty() && heard.len() == 11, "{has_copy}: {left:?}, {heard:?}");
        assert!(!is_closed(&take(&bob)), "{has_copy}");
        drop(cat);
    }
}
