//! A room's place, inbox and state, while nobody works on it and while its task does. Nothing here acts.

pub(crate) mod about;
pub(crate) mod away;
pub(crate) mod backoff;
pub(crate) mod batch;
pub(crate) mod cell;
pub(crate) mod debts;
pub(crate) mod doubt;
pub(crate) mod from_peer;
pub(crate) mod guest_reply;
pub(crate) mod host_view;
pub(crate) mod inbox;
pub(crate) mod part;
pub(crate) mod registry;
pub(crate) mod state;
pub(crate) mod unnamed;
