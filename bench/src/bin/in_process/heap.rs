//! What a stretch of code asks the allocator for: how often, and how many bytes it keeps.
//!
//! Counted around the system's allocator, which is otherwise used as a server uses it: a buffer that grows may grow in place. Were
//! each growth a new allocation, a copy and a free, memory would be in pieces that a server's is not in.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What was asked for.
pub(crate) struct Asked {
    /// Allocations, and buffers that grew.
    pub(crate) times: usize,
    /// Bytes that are still held.
    pub(crate) bytes_kept: i64,
}

/// Of the whole process: nothing else is to run meanwhile.
pub(crate) fn asked(code: impl FnOnce()) -> Asked {
    let region = Region::new(HEAP);
    code();
    let change = region.change();
    Asked {
        times: change.allocations + change.reallocations,
        bytes_kept: change.bytes_allocated as i64 - change.bytes_deallocated as i64,
    }
}
