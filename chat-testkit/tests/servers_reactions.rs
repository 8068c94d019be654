//! Reactions at several servers: what a room has been reacted to with is shown the same at each of them, also once its record has it.

mod support;

use std::time::Duration;

use chat_core::{Command, Connection, Limits, MemberId, Reaction, ReactionName, Seq, ServerFrame};
use support::servers::{Two, two_with};
use support::{code, founder, newcomer, pass, say};

/// Only the newest message takes reactions.
fn narrow(limits: &mut Limits) {
    limits.lift_rates();
    limits.room.reactable_max = 1;
}

/// With which names how many have reacted to a message, as a page shows it.
async fn reactions_to(session: &Connection, message: Seq) -> Vec<(String, u32)> {
    let command = Command::history(code()).with_before(message.next()).with_limit(1);
    let answered = session.call(command).await;
    let Ok(ServerFrame::History { messages, .. }) = answered else { panic!("a page is shown: {answered:?}") };
    let shown = messages.last().expect("there is one").frame();
    assert_eq!(shown.seq, message);
    shown.reactions.iter().map(|Reaction { name, count, .. }| (name.to_string(), *count)).collect()
}

/// A follower has the message in its backlog, and there without reactions. The record that they are written comes with one that takes back
/// everything of somebody: what others have reacted to is shown on.
#[tokio::test(start_paused = true)]
async fn what_is_written_while_other_messages_are_taken_back_is_shown_on() {
    let Two { engines: [owner, follower], .. } = &two_with(narrow, |builder| builder);
    let ann = founder(owner).await;
    let bob = newcomer(follower, "Bob").await;
    let said = say(&ann, "one", "k1").await.expect("she is in");
    let name = ReactionName::parse("+1").expect("valid");
    bob.call(Command::react(code(), said, name)).await.expect("it takes some");
    say(&bob, "two", "k2").await.expect("he is in");
    say(&ann, "three", "k3").await.expect("she is in");
    // Into the record at the owner's log, which nobody is told yet.
    pass(Duration::from_secs(6)).await;
    ann.call(Command::redact_all(code(), MemberId(2))).await.expect("she moderates");
    pass(Duration::from_secs(1)).await;
    let liked = vec![("+1".to_owned(), 1)];
    assert_eq!((reactions_to(&ann, said).await, reactions_to(&bob, said).await), (liked.clone(), liked));
}
