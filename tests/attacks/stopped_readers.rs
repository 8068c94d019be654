//! Readers that stop, on every transport, in a room that goes on.

use super::support::{Attack, Bounds, Door, Guest};

/// Readers of each transport.
const READERS: usize = 30;
/// What is said while they do not read, in messages of 4,000 characters: 12 MB.
const MESSAGES: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stop_in_a_busy_room() {
    for door in Door::ALL {
        let mut attack = Attack::on(&["--send-rate", "0", "--sessions-per-address", "0"]).await;
        let mut owner = attack.honest(Door::Ws).await;
        owner.say("create", r#""room":"BUSY","nick":"Owner""#).await;
        owner.expect(r#""type":"joined""#).await;
        attack.begin();
        let mut held = Vec::new();
        for number in 0..READERS {
            let mut guest = Guest::enter_by(attack.dial_narrow(2).await, door, "").await.expect("a place");
            guest.say("join", &format!(r#""room":"BUSY","nick":"Eve {number}","history":0"#)).await;
            guest.expect(r#""joined""#).await;
            held.push(guest);
        }
        let said: Vec<_> =
            (0..MESSAGES).map(|_| ("send", format!(r#""room":"BUSY","text":"{}""#, "x".repeat(4_000)))).collect();
        for some in said.chunks(100) {
            owner.storm(some, "\"ack\"").await;
            attack.look();
        }
        // The room's own backlog is 1 MiB, which all readers share. What the kernel holds is what it has not sent, and what the peer's buffer
        // has room for; the server's is one frame.
        let bounds = Bounds {
            memory_per_connection: 192 << 10,
            kernel_per_connection: 256 << 10,
            // The room is told to nobody but its owner; that is what it costs.
            cpu_us_per_connection: 20_000,
            answered_per_connection: 256 << 10,
            ..Bounds::NOTHING
        };
        attack.costs_at_most(&format!("readers that stop, {door:?}"), &bounds).await;
    }
}
