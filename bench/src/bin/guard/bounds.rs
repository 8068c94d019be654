//! How much each may cost: what it costs, and a little more. Who makes something cheaper lowers its bound; who raises one says why.
//!
//! Allocations and wake-ups are exact. Bytes depend on the allocator a little, instructions on the compiler (a tenth is left for it), calls and
//! switches on how much comes together on a busy machine.

/// The name of a count, and the most that it may be. A command is a message that one of 100 says; a delivery is one message told to one member, with
/// its share of the command; sessions of a room are four, and a quarter of it is in the bytes of each; a join is one of a room of 9 with 50 messages, in instructions with its leave; a room has 4 members and 50 messages.
pub(crate) const BOUNDS: &[(&str, f64)] = &[
    ("allocations_per_send", 0.0),
    ("allocations_per_keyed_send", 0.0),
    ("allocations_per_command", 24.0),
    ("allocations_per_join", 46.0),
    ("allocations_per_delivery", 0.01),
    ("wake_ups_per_delivery", 1.0),
    ("bytes_per_idle_session", 680.0),
    ("bytes_per_session_in_a_room", 2_100.0),
    ("bytes_per_session_that_came_back", 2_150.0),
    ("bytes_per_idle_room", 17_600.0),
    ("instructions_per_keyed_send", 5_000.0),
    ("instructions_per_join", 190_000.0),
    ("instructions_per_delivery", 2_500.0),
    ("calls_per_delivery_quiet", 1.4),
    ("calls_per_delivery_small_rooms", 2.0),
    ("switches_per_delivery_quiet", 0.02),
    ("switches_per_delivery_small_rooms", 0.35),
];
