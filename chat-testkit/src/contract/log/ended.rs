//! Sessions that were ended: remembered until it is over, over restarts too, and not more of them than may be.

use chat_core::{Ended, EndedWho, Identity, SessionId, Wall};

use crate::contract::Home;

fn session(number: u128, until: u64) -> Ended {
    Ended { who: EndedWho::Session(SessionId::new(number)), until: Wall(until) }
}

fn person(name: &str, through: u128, until: u64) -> Ended {
    let identity = Identity::new(name).expect("an identity");
    Ended { who: EndedWho::Person { identity, through: SessionId::new(through) }, until: Wall(until) }
}

/// In the order in which it is over; after reopening too.
pub async fn who_was_ended_is_remembered(mut home: impl Home) {
    let log = home.open().await;
    assert_eq!(log.ended().await, Ok(Vec::new()));
    let (first, second, third) = (person("ann@example.com", 7, 10), session(u128::MAX, 20), person("bob", 9, 30));
    for ended in [&second, &third, &first] {
        log.put_ended(ended, Wall(0), 100).await.expect("the log can be written");
    }
    let all = vec![first, second, third];
    assert_eq!(log.ended().await, Ok(all.clone()));
    drop(log);
    assert_eq!(home.open().await.ended().await, Ok(all));
}

/// Twice of the same is no error, and the later end counts.
pub async fn who_is_ended_again_is_remembered_for_longer(mut home: impl Home) {
    let log = home.open().await;
    for until in [10, 10, 20] {
        log.put_ended(&session(1, until), Wall(0), 100).await.expect("the log can be written");
    }
    log.put_ended(&session(2, 30), Wall(15), 100).await.expect("the log can be written");
    let ended = log.ended().await.expect("the log can be read");
    assert_eq!(ended, [session(1, 20), session(2, 30)]);
}

/// What is over goes first, then what is over next.
pub async fn no_more_ended_sessions_are_remembered_than_may_be(mut home: impl Home) {
    let log = home.open().await;
    for (number, until) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        log.put_ended(&session(number, until), Wall(0), 3).await.expect("the log can be written");
    }
    assert_eq!(log.ended().await, Ok(vec![session(3, 20), session(1, 30), session(4, 40)]));
    log.put_ended(&session(5, 50), Wall(31), 3).await.expect("the log can be written");
    assert_eq!(log.ended().await, Ok(vec![session(4, 40), session(5, 50)]));
}
