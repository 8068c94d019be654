//! Logs for tests: one that keeps everything in memory, and one that makes another fail on demand.

mod faulty;
mod feed;
mod memory;

pub use faulty::{Call, Delay, Fault, FaultyLog, Operation, Outcome};
pub use memory::MemoryLog;
