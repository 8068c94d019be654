//! What the pure room asks the allocator for, counted in a process of its own.

use std::alloc::System;
use std::sync::Arc;

use chat_core::room::{Caller, Input, Room, SendPermit};
use chat_core::{Body, Epoch, Generation, Mono, Nick, Now, RoomLimits, SessionId, Wall};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: Now = Now { wall: Wall(1_795_370_400_000), mono: Mono(500) };

fn run(room: &mut Room, input: &Input) {
    let decision = room.decide(NOW, input).expect("it is allowed");
    decision.records.iter().for_each(|record| room.apply(NOW, record));
    decision.note.into_iter().for_each(|note| room.note(NOW, note));
}

#[test]
fn a_plain_send_asks_for_nothing_and_neither_does_a_look_at_the_weight() {
    let mut room = Room::new(Arc::new(RoomLimits::default()));
    let by =
        Caller { session: SessionId::new(1), generation: Generation(1), identity: None, network: None, named: None };
    let nick = Nick::parse("Ann").expect("valid");
    run(&mut room, &Input::Create { by: by.clone(), nick, data: None, epoch: Epoch(7), salt: 8 });
    let text = Body::parse("hello", 10).expect("valid");
    let send = Input::Send { by, said: text.into(), as_sent: None, key: None, permit: SendPermit::Paid };
    // As many as are remembered.
    (0..RoomLimits::default().marks_max).for_each(|_| run(&mut room, &send));
    let region = Region::new(HEAP);
    let mut weight = 0;
    for _ in 0..100 {
        run(&mut room, &send);
        weight = room.weight();
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "in a room of {weight} bytes");
}
