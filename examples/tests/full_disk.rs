//! The real server on a disk without space, as a limit on the size of its files makes one: it refuses, and goes on with space.
#![cfg(target_os = "linux")]

#[path = "crash/client.rs"]
#[allow(dead_code, reason = "the crash test uses all of it")]
mod client;
#[path = "crash/server.rs"]
mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use client::Client;
use server::{Server, command};

/// A server whose words go into a file that is too large from the start: a disk without space takes no words either.
fn start(dir: &Path) -> Server {
    let server = command(dir);
    let said = dir.join("said");
    fs::write(&said, vec![b'\n'; 8 << 20]).expect("there is space yet");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" "$@" 2>>"$SAID""#]).env("SAID", said);
    shell.arg(server.get_program()).args(server.get_args());
    shell.env_remove("CHAT_SECRET");
    Server::start_with(shell)
}

/// From now on no file of the server grows beyond `bytes`.
fn limit(server: &Server, bytes: Option<u64>) {
    let pid = Pid::from_raw(server.id()).expect("it runs");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("it is ours");
}

async fn enter(address: &str, kind: &str, nick: &str) -> Client {
    let mut client = Client::connect(address).await.expect("it listens");
    client.say(json!({"type": kind, "id": 0, "room": "LUNCH", "nick": nick})).await.expect("it listens");
    assert_eq!(client.hear().await.expect("it listens")["type"], "welcome");
    assert_eq!(client.hear().await.expect("it listens")["type"], "joined");
    client
}

/// Sends message `number` under its key; the answer.
async fn send(client: &mut Client, number: u64) -> Value {
    let text = format!("{number} {}", "z".repeat(3_900));
    let send = json!({"type": "send", "id": number, "room": "LUNCH", "key": number.to_string(), "text": text});
    client.say(send).await.expect("the server is alive");
    loop {
        let frame = client.hear().await.expect("the server is alive");
        if frame["id"] == number {
            return frame;
        }
    }
}

/// Reads messages until `last` has come; their numbers, in order.
async fn listen(mut client: Client, last: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let frame = client.hear().await.expect("nobody who is connected is put out");
        assert_eq!(frame["type"], "message", "{frame}");
        let text = frame["text"].as_str().expect("a text");
        numbers.push(text.split(' ').next().expect("a number").parse().expect("a number"));
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_messages_are_refused_and_with_space_they_go_on() {
    const LAST: u64 = 1_000_000;
    let dir = TempDir::new().expect("a folder");
    let mut server = start(dir.path());
    let address = server.address().expect("it starts");
    let mut ann = enter(&address, "create", "Ann").await;
    let bob = tokio::spawn(listen(enter(&address, "join", "Bob").await, LAST));

    let bytes = fs::metadata(dir.path().join("rooms.redb")).expect("there").len();
    limit(&server, Some(bytes));
    let mut number = 1;
    let refused = loop {
        let answer = send(&mut ann, number).await;
        if answer["type"] != "ack" {
            break answer;
        }
        number += 1;
        assert!(number < 5_000, "the disk is never full");
    };
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("unavailable")), "{refused}");
    for _ in 0..3 {
        assert_eq!(send(&mut ann, number).await["code"], "unavailable");
    }
    // Nobody is turned away at the door meanwhile.
    let mut guest = Client::connect(&address).await.expect("it listens");
    guest.say(json!({"type": "hello"})).await.expect("it listens");
    assert_eq!(guest.hear().await.expect("it listens")["type"], "welcome");

    limit(&server, None);
    while send(&mut ann, number).await["type"] != "ack" {}
    assert_eq!(send(&mut ann, LAST).await["type"], "ack");
    let told = bob.await.expect("Bob is told everything");
    assert!(told.iter().copied().eq((1..=number).chain([LAST])), "each message once, in order: {told:?}");
}
