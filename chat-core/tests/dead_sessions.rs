//! What a session costs that has no connection and is kept for a resume: measured at the allocator, in a process of its own.
#![cfg(feature = "engine")]

mod support;

use std::alloc::System;

use chat_core::{ConnectRequest, Engine, Hello};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::*;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SESSIONS: usize = 200;

/// The bound that is stated: bytes of a session, and for each room that it was in.
const SESSION_BYTES_MAX: usize = 704;
const ROOM_BYTES_MAX: usize = 40;

/// Sessions that have been in so many rooms, have read something or nothing, and are gone for longer than the grace.
async fn come_and_go(engine: &Engine, rooms: usize, reads: bool) {
    for number in 0..SESSIONS {
        // All of one address, which keeps the order in which they left.
        let address = Some("192.0.2.7".parse().expect("an address"));
        let request = ConnectRequest { address, ..ConnectRequest::default() };
        let client = Client::with_request(engine, request, Hello::default()).await;
        for room in 0..rooms {
            let name = format!("Person {number}");
            client.session.call(join(&format!("ROOM-{room}"), &name)).await.expect("there is place");
            if reads {
                client.take();
            }
        }
    }
    pass(secs(60)).await;
}

/// Bytes that each of them keeps.
async fn kept(rooms: usize, reads: bool) -> usize {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.lift_addresses();
        // What rooms remember of those who left is not the sessions'.
        (limits.room.former_max, limits.room.backlog_events_max) = (0, 1);
    });
    let mut hosts = Vec::new();
    for room in 0..rooms {
        hosts.push(Client::in_room(&engine, &format!("ROOM-{room}"), "Host").await);
    }
    // Once, so that all that grows with the number of people has grown.
    come_and_go(&engine, rooms, reads).await;
    let region = Region::new(HEAP);
    come_and_go(&engine, rooms, reads).await;
    let change = region.change();
    assert_eq!(engine.stats().sessions_detached, 2 * SESSIONS);
    (change.bytes_allocated - change.bytes_deallocated) / SESSIONS
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_connection_holds_no_more_than_is_said() {
    for (rooms, reads) in [(0, false), (1, false), (1, true), (32, true)] {
        let kept = kept(rooms, reads).await;
        let most = SESSION_BYTES_MAX + rooms * ROOM_BYTES_MAX;
        assert!(kept <= most, "{kept} bytes of a session that was in {rooms} rooms, and {most} may be");
    }
}
