//! Somebody who is to be erased: what they leave in a room and its log, and whether anything of it is there afterwards.
//!
//! For tests over any log. Everything here panics where the engine does not do its part.

use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Body, Command, ConnectRequest, Connection, Engine, Hello, HistoryAnchor, Identity, Key, Nick, Policy,
    Reject, RoomCode, RoomOptions,
};

/// Bytes that nobody else has brought in: an identity, a name and its look, a key, a text.
pub const TRACES: [&str; 5] = ["xaverius@example.org", "Xaverius", "xaverius", "key-of-xav", "zymurgy"];

/// What the room shows afterwards of what was said in it.
pub const TEXTS: [&str; 2] = ["hello from Ann", ""];

/// Everybody is who their credentials say.
pub struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// A new session of somebody, who shows this.
pub async fn connect_as(engine: &Engine, who: &str) -> Connection {
    let request = ConnectRequest { credentials: Some(who.to_owned()), ..ConnectRequest::default() };
    engine.connect(request, Hello::default()).await.expect("everybody is let in")
}

/// The person.
pub fn person() -> Identity {
    Identity::new(TRACES[0]).expect("an identity")
}

/// The room is made, and the person says something in it under a key, after Ann. Both are there as long as these are held.
pub async fn leave_traces(engine: &Engine, room: &RoomCode) -> [Connection; 2] {
    engine.room(room).create(RoomOptions::new()).await.expect("made");
    let people = [connect_as(engine, "ann").await, connect_as(engine, TRACES[0]).await];
    for (session, name) in people.iter().zip(["Ann", TRACES[1]]) {
        session.call(Command::join(room.clone(), Nick::parse(name).expect("a nick"))).await.expect("let in");
    }
    for (session, said, key) in [(&people[0], TEXTS[0], None), (&people[1], "of zymurgy", Some("key-of-xav-1"))] {
        let key = key.map(|key| Key::parse(key).expect("a valid key"));
        let text = Body::parse(said, 1_000).expect("a valid text");
        session.call(Command::send(room.clone(), text).with_key(key)).await.expect("sent");
    }
    people
}

/// Has the person erased, and waits until they are: two minutes at most.
pub async fn erase(engine: &Engine) {
    engine.erase(person()).await.expect("begun");
    let done = tokio::time::timeout(Duration::from_secs(120), async {
        while !engine.erasures().await.is_ok_and(|all| all.is_empty()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    done.await.expect("it is done");
}

/// What the host is shown of what was said in the room.
pub async fn texts(engine: &Engine, room: &RoomCode) -> Vec<String> {
    let history = engine.room(room).history(HistoryAnchor::Newest, None).await.expect("shown");
    history.messages.iter().map(|message| message.text.as_str().to_owned()).collect()
}
