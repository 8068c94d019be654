//! What is done in rooms: commands on their way in, decided, logged, published and answered, and what is owed after that.

pub(crate) mod announce;
pub(crate) mod answer;
pub(crate) mod capacity;
pub(crate) mod create;
pub(crate) mod evict;
pub(crate) mod post;
pub(crate) mod put_away;
pub(crate) mod recover;
pub(crate) mod scrub;
pub(crate) mod sweep;
pub(crate) mod task;
pub(crate) mod upkeep;
pub(crate) mod visit;
