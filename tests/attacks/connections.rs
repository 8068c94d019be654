//! Connections that say nothing, half of something, or all of it byte by byte.

use super::support::{Attack, Bounds};

/// One after the other, from each of these hosts in turn.
const HOSTS: std::ops::Range<u8> = 2..10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_say_nothing_or_half_a_head() {
    let attack = Attack::on(&[]).await;
    let mut held = Vec::new();
    for host in HOSTS {
        for number in 0..100 {
            let mut wire = attack.dial(host).await;
            if number % 2 == 0 {
                wire.send("GET /sse?create=HELD&nick=Eve HTTP/1.1\r\nHost: local").await;
            }
            held.push(wire);
        }
    }
    attack.costs_at_most("half a head", &Bounds { answered_per_connection: 0, ..Bounds::NOTHING }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_sockets_of_one_address_than_it_may_have() {
    let attack = Attack::on(&[]).await;
    let mut held = Vec::new();
    for _ in 0..800 {
        let mut wire = attack.dial(2).await;
        wire.send("GET / HTTP/1.1\r\n").await;
        held.push(wire);
    }
    attack.costs_at_most("sockets of one address", &Bounds::NOTHING).await;
    let mut refused = attack.dial(2).await;
    refused.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(refused.answer().await.expect("it is told so").status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_come_byte_by_byte() {
    let attack = Attack::on(&[]).await;
    let head = b"GET /sse?create=SLOW&nick=Eve HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(attack.dial(2).await);
    }
    for byte in head {
        for wire in &mut held {
            wire.send([*byte]).await;
        }
        attack.look();
    }
    // Each byte is a packet, for which the kernel wakes the server.
    let bounds = Bounds { cpu_us_per_byte: 100.0, answered_per_connection: 0, ..Bounds::NOTHING };
    attack.costs_at_most("heads byte by byte", &bounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_come_byte_by_byte() {
    let attack = Attack::on(&[]).await;
    let mut held = Vec::new();
    for number in 0..200 {
        let path = ["/sse/0000000000000000000000007V", "/socket.io/?EIO=4&transport=polling&sid=none", "/"][number % 3];
        let mut wire = attack.dial(2).await;
        wire.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n")).await;
        held.push(wire);
    }
    for _ in 0..50 {
        for wire in &mut held {
            // Who was answered already is not read on.
            wire.send("{").await;
        }
        attack.look();
    }
    let bounds = Bounds { cpu_us_per_byte: 50.0, ..Bounds::NOTHING };
    attack.costs_at_most("bodies byte by byte", &bounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_opened_and_dropped() {
    let attack = Attack::on(&[]).await;
    for host in HOSTS {
        for _ in 0..250 {
            attack.dial(host).await.send("GET /ws HTTP/1.1\r\n").await;
        }
    }
    attack.costs_at_most("opened and dropped", &Bounds { memory_per_connection: 8 << 10, ..Bounds::NOTHING }).await;
}
