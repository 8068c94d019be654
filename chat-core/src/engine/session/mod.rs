//! A session's own state: its connection, its rooms, its answers, its allowances. Nothing here acts on a room.

pub(crate) mod addresses;
pub(crate) mod admitted;
pub(crate) mod allowance;
pub(crate) mod answers;
pub(crate) mod appointing;
pub(crate) mod bucket;
pub(crate) mod cell;
pub(crate) mod charge;
pub(crate) mod connection_state;
pub(crate) mod detached;
pub(crate) mod ended_sessions;
pub(crate) mod founding;
pub(crate) mod network;
pub(crate) mod page_turn;
pub(crate) mod policy_queue;
pub(crate) mod remembered;
pub(crate) mod reply;
pub(crate) mod reply_to;
pub(crate) mod resumed;
pub(crate) mod revocations;
pub(crate) mod rooms;
pub(crate) mod shared_allowance;
pub(crate) mod subscription;
pub(crate) mod table;
pub(crate) mod token;
pub(crate) mod welcome;
