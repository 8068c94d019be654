//! What a transport holds of the engine: connecting, commands in, frames out.

pub(crate) mod answers;
pub(crate) mod connect;
pub(crate) mod lane;
pub(crate) mod pull;
pub(crate) mod session;
