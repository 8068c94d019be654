//! The real server is killed with SIGKILL again and again while clients send: what was acked is there once and in order.
//!
//! `CHAT_CRASH_SEED=N` repeats the moments of a run; the seed is part of every failure.

#[allow(dead_code, reason = "the tests of several servers use all of it")]
mod client;
mod server;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use client::{Client, Gone, Person};
use server::Server;

const ROUNDS: usize = 25;
const ROOMS: usize = 3;
/// The first makes the room.
const PEOPLE: usize = 2;

/// A client's part of a round: come back, look at everything, repeat what was not acked, and talk until the server dies.
async fn take_part(address: String, mut person: Person, alive: tokio::sync::mpsc::UnboundedSender<()>) -> Person {
    if let Some(mut client) = Client::connect(&address).await
        && person.come_back(&mut client).await.is_ok()
        && person.look_back(&mut client).await.is_ok()
    {
        let _ = alive.send(());
        assert_eq!(person.talk(&mut client).await, Gone::Broken, "a killed server says nothing");
    }
    person
}

/// Everybody talks to the server until it is killed, at a moment that is drawn.
async fn round(dir: &TempDir, people: Vec<Person>, draw: &mut StdRng, number: usize) -> Vec<Person> {
    // Some are killed while they open the file, or while the clients come back.
    let is_early = number % 5 == 4;
    let mut server = Server::start(dir.path());
    if is_early {
        tokio::time::sleep(Duration::from_millis(draw.random_range(0..200))).await;
        server.kill();
    }
    let Some(address) = server.address() else { return people };
    let (alive, mut talking) = tokio::sync::mpsc::unbounded_channel();
    let everybody: Vec<_> =
        people.into_iter().map(|person| tokio::spawn(take_part(address.clone(), person, alive.clone()))).collect();
    drop(alive);
    if !is_early {
        talking.recv().await.expect("somebody is let in");
        tokio::time::sleep(Duration::from_millis(draw.random_range(0..400))).await;
        server.kill();
    }
    let mut people = Vec::new();
    for person in everybody {
        people.push(person.await.expect("what a client sees is right"));
    }
    people
}

/// The rooms with everybody in them.
async fn begin(dir: &TempDir) -> Vec<Person> {
    let mut server = Server::start(dir.path());
    let address = server.address().expect("it starts");
    let mut people = Vec::new();
    for number in 0..ROOMS * PEOPLE {
        let mut person = Person::new(number % ROOMS, number / ROOMS);
        let mut client = Client::connect(&address).await.expect("it listens");
        person.enter(&mut client).await.expect("nobody kills it");
        people.push(person);
    }
    server.kill();
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_survives_every_kill_once_and_in_order() {
    let seed = std::env::var("CHAT_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("CHAT_CRASH_SEED={seed}");
    let mut draw = StdRng::seed_from_u64(seed);
    let dir = TempDir::new().expect("a folder");
    let mut people = begin(&dir).await;
    for number in 0..ROUNDS {
        people = round(&dir, people, &mut draw, number).await;
    }

    let mut server = Server::start(dir.path());
    let address = server.address().expect("it starts");
    let (mut acked, mut repeated) = (0, 0);
    for person in &mut people {
        let mut client = Client::connect(&address).await.expect("it listens");
        person.come_back(&mut client).await.expect("nobody kills it");
        person.look_back(&mut client).await.expect("nobody kills it");
        acked += person.acked();
        repeated += person.found_written();
    }
    println!("{acked} acked messages in {ROUNDS} kills, {repeated} of which were written and not acked before a kill");
    assert!(acked > 20 * ROUNDS, "{acked} acked messages: this test shows nothing");
}
