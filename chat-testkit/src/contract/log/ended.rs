//! Sessions that were ended: remembered until the engine says that it is over, over restarts too.

use std::sync::Arc;

use chat_core::{Ended, EndedWho, Identity, Log, SessionId, Wall};

use crate::contract::Home;

fn session(number: u128, until: u64) -> Ended {
    let session = SessionId::new(number);
    Ended { who: EndedWho::Session(session), through: session, until: Wall(until) }
}

fn person(name: &str, through: u128, until: u64) -> Ended {
    let identity = Identity::new(name).expect("an identity");
    Ended { who: EndedWho::Person(identity), through: SessionId::new(through), until: Wall(until) }
}

/// What a log remembers, in an order.
async fn remembered(log: &Arc<dyn Log>) -> Vec<Ended> {
    let mut all = log.ended().await.expect("the log can be read");
    all.sort_by(|one, other| one.who.cmp(&other.who));
    all
}

/// After reopening too.
pub async fn who_was_ended_is_remembered(mut home: impl Home) {
    let log = home.open().await;
    assert_eq!(log.ended().await, Ok(Vec::new()));
    let all =
        [session(0, 5), session(u128::MAX, 20), person("ann@example.com", 7, 10), person(&"b".repeat(128), 9, 30)];
    for ended in &all {
        log.put_ended(ended, &[]).await.expect("the log can be written");
    }
    assert_eq!(remembered(&log).await, all);
    drop(log);
    assert_eq!(remembered(&home.open().await).await, all);
}

/// What is remembered of the same session or person is what was said last.
pub async fn who_is_ended_again_is_remembered_once(mut home: impl Home) {
    let log = home.open().await;
    for (through, until) in [(1, 10), (1, 10), (4, 20)] {
        log.put_ended(&person("ann", through, until), &[]).await.expect("the log can be written");
    }
    assert_eq!(remembered(&log).await, [person("ann", 4, 20)]);
}

/// Nothing is forgotten that was not named, nor what is remembered for longer by now.
pub async fn who_was_ended_is_forgotten_when_the_engine_says_so(mut home: impl Home) {
    let log = home.open().await;
    for ended in [session(1, 10), session(2, 20), person("ann", 3, 30)] {
        log.put_ended(&ended, &[]).await.expect("the log can be written");
    }
    let over = [session(1, 10), person("ann", 3, 29), session(9, 10)];
    log.put_ended(&session(4, 40), &over).await.expect("the log can be written");
    assert_eq!(remembered(&log).await, [session(2, 20), session(4, 40), person("ann", 3, 30)]);
    drop(log);
    assert_eq!(remembered(&home.open().await).await.len(), 3);
}
