//! What all requests of one set of routes share.

use std::sync::Arc;

use chat_core::Engine;

use super::config::SseConfig;
use super::watch::Watch;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: SseConfig,
    pub(crate) watch: Arc<Watch>,
}
