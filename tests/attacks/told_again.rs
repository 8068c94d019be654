//! Little that draws much, by coming back: one old position again and again, by every way that has one.

use super::support::{Attack, Bounds, Door, Guest, between};

/// Twice what an address is answered at once, and for each second: as much may be owed.
const ANSWERED: [u64; 2] = [8 << 20, 2 << 20];
/// Said last in the room: whoever is told this has been told all.
const LAST: &str = "and that was all";
/// How many come to say as much as one address may at once, 56 KB.
const SPEAKERS: u8 = 10;

fn bounds() -> Bounds {
    Bounds { answered_free: ANSWERED, cpu_us_per_connection: 4_000, cpu_us_per_byte: 100.0, ..Bounds::NOTHING }
}

/// Comes into a room by this name; the position there, as `EPOCH:SEQ`.
async fn join(guest: &mut Guest, room: &str, nick: &str) -> String {
    guest.say("join", &format!(r#""room":"{room}","nick":"{nick}","history":0"#)).await;
    guest.expect(r#""type":"joined""#).await;
    let (_, joined) = guest.hear(&[r#""members""#]).await.expect("the rest of it");
    let epoch = between(&joined, r#""epoch":""#, "\"").expect("an epoch");
    let seq = between(&joined, r#""seq":"#, ",").expect("a number");
    format!("{epoch}:{seq}")
}

async fn owner_of(attack: &Attack, room: &str) -> Guest {
    let mut owner = attack.honest(Door::Ws).await;
    owner.say("create", &format!(r#""room":"{room}","nick":"Owner""#)).await;
    owner.expect(r#""type":"joined""#).await;
    owner
}

/// Half a megabyte is said in the room, from many addresses.
async fn talk_much(attack: &Attack, owner: &mut Guest, room: &str) {
    for host in 0..SPEAKERS {
        let mut speaker = attack.enter(Door::Ws, 10 + host).await.expect("a place");
        join(&mut speaker, room, &format!("Speaker {host}")).await;
        let text = "x".repeat(4_000);
        for number in 0..7 {
            let fields = format!(r#""id":{number},"room":"{room}","text":"{text}","data":{{"a":"{text}"}}"#);
            speaker.say("send", &fields).await;
            speaker.expect(r#""type":"ack""#).await;
        }
        speaker.say("leave", &format!(r#""room":"{room}""#)).await;
        speaker.expect(r#""reason":"left""#).await;
    }
    owner.say("send", &format!(r#""room":"{room}","text":"{LAST}""#)).await;
    owner.skip_to(LAST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_old_position_resumed_again_and_again() {
    for door in [Door::Ws, Door::SocketIo] {
        let mut attack = Attack::on(&[]).await;
        let mut owner = owner_of(&attack, "BUSY").await;
        let mut guest = attack.enter(door, 2).await.expect("a place");
        let position = join(&mut guest, "BUSY", "Eve").await;
        let mut token = guest.token.clone();
        drop(guest);
        talk_much(&attack, &mut owner, "BUSY").await;
        attack.begin();
        for _ in 0..60 {
            let hello = format!(r#""resume":"{token}","positions":{{"BUSY":"{position}"}}"#);
            if let Some(mut resumed) = Guest::enter_by(attack.dial(2).await, door, &hello).await {
                token.clone_from(&resumed.token);
                resumed.skip_to(LAST).await;
            }
        }
        attack.costs_at_most(&format!("an old position resumed again and again, {door:?}"), &bounds()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_old_cursor_again_and_again() {
    let mut attack = Attack::on(&[]).await;
    let mut owner = owner_of(&attack, "BUSY").await;
    let mut guest = attack.enter(Door::Sse, 2).await.expect("a place");
    join(&mut guest, "BUSY", "Eve").await;
    guest.hear(&["\nid: "]).await.expect("a cursor");
    let (_, cursor) = guest.hear(&["\n"]).await.expect("all of it");
    drop(guest);
    talk_much(&attack, &mut owner, "BUSY").await;
    attack.begin();
    for _ in 0..60 {
        let mut wire = attack.dial(2).await;
        // A stream that is refused would leave its connection open otherwise.
        let cursor = cursor.trim_end();
        wire.send(format!("GET /sse?cursor={cursor} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        wire.storm(&[], LAST, LAST).await;
    }
    attack.costs_at_most("an old cursor again and again", &bounds()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_left_and_joined_after_one_old_position_again_and_again() {
    let mut attack = Attack::on(&[]).await;
    let mut owner = owner_of(&attack, "BUSY").await;
    let mut guest = attack.enter(Door::Ws, 2).await.expect("a place");
    let position = join(&mut guest, "BUSY", "Eve").await;
    let hello = format!(r#""resume":"{}","positions":{{"BUSY":"{position}"}}"#, guest.token);
    drop(guest);
    talk_much(&attack, &mut owner, "BUSY").await;
    attack.begin();
    let mut guest = Guest::enter_by(attack.dial(2).await, Door::Ws, &hello).await.expect("a place");
    guest.skip_to(LAST).await;
    for _ in 0..30 {
        guest.say("leave", r#""room":"BUSY""#).await;
        guest.say("join", &format!(r#""id":1,"room":"BUSY","nick":"Eve","after":"{position}""#)).await;
        let (which, _) = guest.hear(&[r#""type":"joined""#, r#""code":"rate_limited""#]).await.expect("an answer");
        if which == 0 {
            guest.skip_to(LAST).await;
        }
    }
    attack.costs_at_most("left and joined after an old position again and again", &bounds()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_full_of_what_is_shown_resumed_at_their_ends() {
    const ROOMS: usize = 6;
    const AUTHORS: usize = 4;
    let mut attack = Attack::on(&[]).await;
    let mut authors = vec![owner_of(&attack, "ROOM-0").await];
    for _ in 1..AUTHORS {
        authors.push(attack.honest(Door::Ws).await);
    }
    let mut guest = attack.enter(Door::Ws, 2).await.expect("a place");
    let (mut targets, mut positions) = (Vec::new(), Vec::new());
    for room in (0..ROOMS).map(|number| format!("ROOM-{number}")) {
        for (number, author) in authors.iter_mut().enumerate() {
            match number {
                0 if room == "ROOM-0" => {}
                0 => {
                    author.say("create", &format!(r#""room":"{room}","nick":"Owner""#)).await;
                    author.expect(r#""type":"joined""#).await;
                }
                _ => drop(join(author, &room, &format!("Author {number}")).await),
            }
            author.say("send", &format!(r#""id":9,"room":"{room}","text":"it begins""#)).await;
            author.expect(r#""type":"ack""#).await;
            let (_, ack) = author.hear(&[r#""at""#]).await.expect("the rest of it");
            targets.push((number, room.clone(), between(&ack, r#""seq":"#, ",").expect("a number").to_owned()));
        }
        positions.push(format!(r#""{room}":"{}""#, join(&mut guest, &room, "Eve").await));
    }
    let mut token = guest.token.clone();
    drop(guest);
    let text = r#"\""#.repeat(4_000);
    for (number, room, target) in &targets {
        let fields = format!(r#""id":8,"room":"{room}","target":{target},"text":"{text}""#);
        authors[*number].say("live", &fields).await;
        authors[*number].expect(r#""type":"ack""#).await;
    }
    attack.begin();
    for _ in 0..120 {
        let hello = format!(r#""resume":"{token}","positions":{{{}}}"#, positions.join(","));
        if let Some(mut resumed) = Guest::enter_by(attack.dial(2).await, Door::Ws, &hello).await {
            token.clone_from(&resumed.token);
            for _ in &targets {
                resumed.hear(&[r#""type":"live""#]).await;
            }
        }
    }
    attack.costs_at_most("rooms full of what is shown resumed at their ends", &bounds()).await;
}
