//! The work of a room: commands on their way in, decided, logged, published and answered, and the debts after that.

pub(crate) mod announce;
pub(crate) mod answer;
pub(crate) mod append;
pub(crate) mod capacity;
pub(crate) mod create;
pub(crate) mod debts;
pub(crate) mod decide;
pub(crate) mod enqueue;
pub(crate) mod evict;
pub(crate) mod evidence;
mod follow;
pub(crate) mod freeze;
mod guests;
pub(crate) mod load;
mod name;
mod ownership;
mod play;
pub(crate) mod publish;
pub(crate) mod put_away;
pub(crate) mod recover;
pub(crate) mod run;
mod slots;
pub(crate) mod sweep;
mod sweep_debts;
mod take_over;
pub(crate) mod task;
pub(crate) mod visit;
