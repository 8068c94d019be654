//! Servers that do not reach each other: one goes on, and the others send their people to it before anybody is told gone.

use std::time::Duration;

use serde_json::json;

use super::Ground;
use super::client::{Client, Gone};
use super::fleet::{Fleet, LONG, SERVERS};
use super::wire::Way;

/// Who is connected to a server, and has said hello.
async fn greeted(fleet: &Fleet, server: usize) -> Client {
    let place = fleet.places().borrow()[server].clone().expect("it runs");
    let mut client = Client::connect(&place).await.expect("it listens");
    client.say(json!({"type": "hello"})).await.expect("it listens");
    assert_eq!(client.hear().await.expect("it answers")["type"], "welcome");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_at_a_server_that_others_do_not_reach_is_sent_to_the_one_that_goes_on() {
    let Some(ground) = Ground::lay().await else { return };
    let fleet = Fleet::start(Duration::from_secs(1), ground.cluster.address.clone(), ground.urls()).await;
    // The first has been there for longest.
    let mut stays = greeted(&fleet, 0).await;
    let mut sent = greeted(&fleet, SERVERS - 1).await;
    let all: Vec<usize> = (0..SERVERS).collect();
    let gone = tokio::select! {
        gone = async {
            loop {
                if let Err(gone) = sent.hear().await {
                    return gone;
                }
            }
        } => gone,
        () = fleet.part(&all, Way::Cut, LONG) => panic!("nobody was sent away"),
    };
    assert_eq!(gone, Gone::Closed(4001), "told to come back");
    stays.say(json!({"type": "history", "id": 1, "room": "NOWHERE"})).await.expect("it is connected");
    assert_eq!(stays.hear().await.expect("it is connected")["type"], "error");
}
