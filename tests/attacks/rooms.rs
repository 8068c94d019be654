//! What can be done to rooms: found them without end, wipe them, come and go.

use super::support::{Attack, Bounds, Door};

/// Rooms alive that one address has founded.
const ROOMS: u64 = 64;
/// Bytes that one address says at once, and for each second.
const SAID_BYTES: [u64; 2] = [64 << 10, 64 << 10];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_that_are_founded_and_left() {
    for door in Door::ALL {
        let attack = Attack::on(&["--keep-empty", "1h"]).await;
        let mut founded = 0;
        for _ in 0..40 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            // No more than a session may be in at once.
            let rooms = vec![("create", r#""nick":"Eve""#.to_owned()); 30];
            // A POST is answered with an `ack`, and the room is shown in the stream.
            let sign = if door == Door::Sse { r#""type":"ack""# } else { r#""type":"joined""# };
            founded += guest.storm(&rooms, sign).await.times;
        }
        assert!(founded <= ROOMS, "{door:?}: {founded} rooms");
        let bounds = Bounds { answered_per_byte: 16, cpu_us_per_byte: 4.0, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("rooms founded, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_room_is_pushed_out_slowly() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut owner = attack.honest(Door::Ws).await;
        owner.say("create", r#""room":"WIPED","nick":"Owner""#).await;
        owner.expect(r#""joined""#).await;
        owner.say("send", r#""room":"WIPED","text":"important""#).await;
        owner.expect(r#""ack""#).await;
        let text = "\u{1f600}".repeat(4_000);
        for number in 0..8 {
            let mut guest = attack.enter(door, 2).await.expect("a place");
            guest.say("join", &format!(r#""room":"WIPED","nick":"Eve {number}","history":0"#)).await;
            let spam = vec![("send", format!(r#""room":"WIPED","text":"{text}""#)); 12];
            guest.storm(&spam, "\"ack\"").await;
        }
        let said = owner.count("WIPED", &text).await * text.len() as u64;
        let [once, second] = SAID_BYTES;
        let said_max = once + second * (attack.lasted().as_secs() + 1);
        assert!(said <= said_max, "{door:?}: {said} bytes said, of {said_max}");
        if said < 512 << 10 {
            owner.say("history", r#""id":5,"room":"WIPED","before":4,"limit":50"#).await;
            owner.expect("important").await;
        }
        let bounds = Bounds { cpu_us_per_byte: 0.5, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("a room that is to be wiped, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_and_going() {
    for door in Door::ALL {
        let mut attack = Attack::on(&[]).await;
        let mut owner = attack.honest(Door::Ws).await;
        owner.say("create", r#""room":"DOOR","nick":"Owner""#).await;
        owner.expect(r#""joined""#).await;
        for number in 0..60 {
            let mut reader = attack.honest(Door::Ws).await;
            reader.say("join", &format!(r#""room":"DOOR","nick":"Reader {number}","history":0"#)).await;
            reader.expect(r#""joined""#).await;
            reader.read_on();
        }
        owner.read_on();
        attack.begin();
        for _ in 0..20 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            let mut storm = Vec::new();
            for _ in 0..100 {
                storm.push(("join", r#""room":"DOOR","nick":"Eve","history":0"#.to_owned()));
                storm.push(("leave", r#""room":"DOOR""#.to_owned()));
            }
            guest.storm(&storm, "\"ack\"").await;
        }
        // A join of 60 bytes is told to 60 readers, with a write for each.
        let bounds = Bounds { answered_per_byte: 128, cpu_us_per_byte: 4.0, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("coming and going, {door:?}"), &bounds).await;
    }
}
