//! Pages that are answered outside a session's frames: one at a time, until it has been read.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;

/// The one page of a session that is answered outside its frames: while somebody waits for it or reads it, there is no second.
pub(crate) struct PageTurn {
    cell: Arc<SessionCell>,
    connection: Arc<ConnectionState>,
}

impl PageTurn {
    /// `None` while another is out.
    pub(crate) fn take(cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) -> Option<Self> {
        let mut state = cell.lock_for(connection)?;
        let is_taken = std::mem::replace(&mut state.answers.has_turn, true);
        (!is_taken).then(|| Self { cell: Arc::clone(cell), connection: Arc::clone(connection) })
    }
}

impl Drop for PageTurn {
    fn drop(&mut self) {
        if let Some(mut state) = self.cell.lock_for(&self.connection) {
            state.answers.has_turn = false;
        }
    }
}

/// The body of such an answer: the turn ends when the last of it has been dropped.
pub(crate) fn body(json: Bytes, turn: PageTurn) -> Bytes {
    struct Body {
        json: Bytes,
        _turn: PageTurn,
    }
    impl AsRef<[u8]> for Body {
        fn as_ref(&self) -> &[u8] {
            &self.json
        }
    }
    Bytes::from_owner(Body { json, _turn: turn })
}
