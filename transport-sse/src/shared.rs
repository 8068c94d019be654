//! What all requests of one set of routes share.

use std::sync::Arc;

use axum::extract::Request;
use chat_core::{Engine, Reject, RejectCode};

use super::config::SseConfig;
use super::watch::Watch;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: SseConfig,
    pub(crate) watch: Arc<Watch>,
}

impl Shared {
    /// Before anything else is done for a request: whether its page may connect.
    pub(crate) fn check_page(&self, request: &Request) -> Result<(), Reject> {
        match self.config.origins.allow(request, &self.config.proxies) {
            true => Ok(()),
            false => Err(Reject::new(RejectCode::Forbidden, "pages of this origin may not connect")),
        }
    }
}
