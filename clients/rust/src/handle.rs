//! What all handles of a client share: when the last of them is dropped, the client is closed.

use std::sync::Arc;

use crate::driver::Shared;
use crate::error::NORMAL;

pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(shared))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.with(|session, now| session.close(NORMAL, "dropped", now));
    }
}
