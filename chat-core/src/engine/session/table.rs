//! All sessions, with and without a connection.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::session::cell::SessionCell;
use crate::words::{Generation, SessionId};

/// All sessions, and those without a connection in the order they lost it.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) by_id: HashMap<SessionId, Arc<SessionCell>>,
    pub(crate) detached: VecDeque<(SessionId, Generation)>,
}
