//! What all connections of one set of routes share.

use chat_core::Engine;

use super::config::WsConfig;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: WsConfig,
}
