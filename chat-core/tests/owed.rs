//! What a room still owes its log ends with the life that owes it.
#![cfg(feature = "engine")]

mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{AppendError, Command, Engine, Epoch, Log, Offset, ReadError, Recorded, RoomCode, Seq, Stretch, Tail};
use support::*;

/// The log of one room, which forgets no text, and remembers of which it was to.
#[derive(Default)]
struct Stubborn {
    room: Mutex<Stretch>,
    asked: Mutex<Vec<(Epoch, u64)>>,
}

impl Stubborn {
    fn asked(&self) -> Vec<(Epoch, u64)> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics with it"))
    }
}

#[async_trait]
impl Log for Stubborn {
    async fn append(&self, _room: &RoomCode, after: &Tail, batch: &[Recorded]) -> Result<Tail, AppendError> {
        let mut room = self.room.lock().expect("nobody panics with it");
        assert_eq!(room.tail, *after, "nobody else writes");
        for record in batch {
            if let chat_core::Event::Created { epoch, .. } = &record.event {
                room.tail.epoch = Some(*epoch);
            }
            room.tail.offset = record.offset;
            room.records.push(record.clone());
        }
        Ok(room.tail.clone())
    }

    async fn read(&self, _room: &RoomCode, after: Offset, max: usize) -> Result<Stretch, ReadError> {
        let room = self.room.lock().expect("nobody panics with it");
        let records = room.records.iter().filter(|record| record.offset > after).take(max).cloned().collect();
        Ok(Stretch { records, tail: room.tail.clone() })
    }

    async fn messages(
        &self,
        _room: &RoomCode,
        _epoch: Epoch,
        _before: Seq,
        _max: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        Ok(Vec::new())
    }

    async fn rooms(&self, _after: Option<&RoomCode>, _max: usize) -> Result<Vec<RoomCode>, ReadError> {
        Ok(Vec::new())
    }

    async fn load_snapshot(&self, _room: &RoomCode, _epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        Ok(None)
    }

    async fn save_snapshot(
        &self,
        _room: &RoomCode,
        _epoch: Epoch,
        _through: Offset,
        _snapshot: &[u8],
    ) -> Result<(), AppendError> {
        Ok(())
    }

    async fn scrub(&self, _room: &RoomCode, epoch: Epoch, seq: Seq) -> Result<(), AppendError> {
        self.asked.lock().expect("nobody panics with it").push((epoch, seq.0));
        Err(AppendError::NotWritten("it does not let go".into()))
    }

    async fn delete(&self, _room: &RoomCode, _epoch: Epoch) -> Result<(), AppendError> {
        *self.room.lock().expect("nobody panics with it") = Stretch::default();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_that_an_earlier_life_was_to_forget_is_not_taken_from_the_next() {
    let log = Arc::new(Stubborn::default());
    let engine = Engine::builder().log(log.clone()).build();
    let ann = Client::new(&engine).await;
    let first = ann.enter("LUNCH", "Ann").await.epoch;
    ann.say("LUNCH", "secret").await;
    ann.session.call(Command::Redact { room: code("LUNCH"), seq: Seq(2) }).await.expect("it is hers");
    ann.say("LUNCH", "x").await;
    assert_eq!(log.asked(), [(first, 2)], "a log that has failed is left alone for a moment");
    pass(millis(150)).await;
    assert_eq!(log.asked(), [(first, 2)], "it is asked again though nobody says anything more");
    ann.told().await;
    // In one moment, so that the room that ends is the one that begins.
    ann.submit(leave("LUNCH"));
    ann.submit(create("LUNCH", "Ann"));
    let second = ann.joined().await.epoch;
    ann.say("LUNCH", "keep this").await;
    let asked = log.asked();
    assert!(asked.iter().all(|(epoch, _)| *epoch == first), "{asked:?}, though {second} has nothing to forget");
}
