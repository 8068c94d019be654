//! What the readers of a room share: the backlog, its segments and their memory, and how they are woken. Names nothing else of the engine.

pub(crate) mod backlog;
pub(crate) mod budget;
pub(crate) mod ended;
pub(crate) mod fanout;
mod history;
pub(crate) mod overlay;
pub(crate) mod page;
pub(crate) mod probe;
pub(crate) mod reactions;
pub(crate) mod room_feed;
pub(crate) mod segment;
pub(crate) mod signal_slot;
pub(crate) mod slots;
pub(crate) mod wake;
