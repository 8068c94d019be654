//! Little that draws much: histories and members, asked for at once, read or not.

use super::support::{Attack, Bounds, Door, Guest};

/// Bytes that an address is answered at once, and for each second.
const ANSWERED: [u64; 2] = [4 << 20, 1 << 20];
/// What a history of the room brings, in bytes: as much as one answer holds.
const PAGE: u64 = 64 << 10;

/// A room that somebody has filled with as much as an address may say at once.
async fn busy_room(attack: &Attack) -> Guest {
    let mut owner = attack.honest(Door::Ws).await;
    owner.say("create", r#""room":"BUSY","nick":"Owner""#).await;
    owner.expect(r#""type":"joined""#).await;
    for number in 0..7 {
        let text = "x".repeat(4_000);
        owner.say("send", &format!(r#""id":{number},"room":"BUSY","text":"{text}""#)).await;
        owner.expect(r#""type":"ack""#).await;
    }
    owner
}

fn asks(many: usize) -> Vec<(&'static str, String)> {
    let ask = |number| match number % 2 {
        0 => ("history", r#""room":"BUSY","limit":200"#.to_owned()),
        _ => ("members", r#""room":"BUSY""#.to_owned()),
    };
    (0..many).map(ask).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_that_are_asked_for_again_and_again_and_read() {
    for door in Door::ALL {
        let mut attack = Attack::on(&[]).await;
        let _owner = busy_room(&attack).await;
        attack.begin();
        for number in 0..20 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            guest.say("join", &format!(r#""room":"BUSY","nick":"Eve {number}","history":0"#)).await;
            guest.storm(&asks(200), "\"history\"").await;
        }
        // What is refused is answered with a few words.
        let bounds = Bounds { answered_per_byte: 8, answered_free: ANSWERED, cpu_us_per_byte: 2.0, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("histories read, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_that_are_asked_for_and_not_read() {
    for door in [Door::Ws, Door::SocketIo, Door::Sse] {
        // Nothing but the bound of what is not read holds here.
        let mut attack = Attack::on(&["--send-rate", "0"]).await;
        let _owner = busy_room(&attack).await;
        attack.begin();
        let mut held = Vec::new();
        for number in 0..40 {
            let wire = attack.dial_narrow(2).await;
            let mut guest = Guest::enter_by(wire, door, "").await.expect("a place");
            guest.say("join", &format!(r#""room":"BUSY","nick":"Eve {number}","history":0"#)).await;
            let asks: Vec<u8> = asks(500).iter().flat_map(|(kind, fields)| guest.encode(kind, fields)).collect();
            guest.commands().await.offer(&asks);
            held.push(guest);
        }
        attack.settle().await;
        // 256 KiB of answers, and what the server has read ahead; in the kernel what was not sent, and what was not read.
        let bounds = Bounds {
            memory_per_connection: 512 << 10,
            kernel_per_connection: 512 << 10,
            cpu_us_per_byte: 2.0,
            cpu_us_per_connection: 10_000,
            answered_per_connection: 2 * PAGE,
            ..Bounds::NOTHING
        };
        attack.costs_at_most(&format!("histories not read, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_session_resumed_again_and_again() {
    for door in [Door::Ws, Door::SocketIo, Door::Sse] {
        let mut attack = Attack::on(&[]).await;
        let _owner = busy_room(&attack).await;
        attack.begin();
        let mut guest = attack.enter(door, 2).await.expect("a place");
        guest.say("join", r#""room":"BUSY","nick":"Eve","history":50"#).await;
        guest.expect(r#""joined""#).await;
        let mut token = guest.token.clone();
        for _ in 0..300 {
            // No position: the room is shown afresh, with its history.
            let hello = format!(r#""resume":"{token}""#);
            match Guest::enter_by(attack.dial(2).await, door, &hello).await {
                Some(mut resumed) => {
                    token.clone_from(&resumed.token);
                    // Where there is something to be shown.
                    resumed.hear(&[r#""more":"#, r#""code":"bad_token""#, r#""closing""#]).await;
                }
                // Too much was answered: to come back later.
                None => continue,
            }
        }
        let bounds =
            Bounds { answered_free: ANSWERED.map(|bytes| 2 * bytes), cpu_us_per_connection: 2_000, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("resumed again and again, {door:?}"), &bounds).await;
    }
}
