//! What all connections of one set of routes share.

use std::sync::Arc;

use chat_core::Engine;

use super::config::WsConfig;
use super::keepalive::Rhythm;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: WsConfig,
    pub(crate) rhythm: Arc<Rhythm>,
}

impl Shared {
    pub(crate) fn new(engine: Engine, config: WsConfig) -> Self {
        let rhythm = Arc::new(Rhythm::new(&config, engine.limits().session.stall_timeout));
        Self { engine, config, rhythm }
    }
}
