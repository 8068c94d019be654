//! What a transport holds of the engine: connecting, commands in, frames out.

pub(crate) mod add;
pub(crate) mod answers;
mod ask_each;
pub(crate) mod auth;
pub(crate) mod command_sender;
pub(crate) mod connect;
pub(crate) mod connection;
mod credentials;
pub(crate) mod end;
mod generations;
pub(crate) mod host_end;
mod places;
pub(crate) mod pull;
pub(crate) mod renew;
mod resume;
pub(crate) mod revoke;
pub(crate) mod sessions_of;
mod slots;
