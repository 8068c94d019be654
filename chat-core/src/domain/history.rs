//! Which messages of a room a page of history shows.

use serde::{Deserialize, Serialize};

use crate::types::Seq;

/// Where a page of history lies. Later versions have more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HistoryAnchor {
    /// The newest messages.
    #[default]
    Newest,
    /// The last messages before this event.
    Before(Seq),
    /// The first messages after this event.
    After(Seq),
    /// This message, if it is still there, and its neighbours: half of the page before it, and as many after it.
    Around(Seq),
}

impl From<Option<Seq>> for HistoryAnchor {
    /// Before an event; the newest where there is none.
    fn from(before: Option<Seq>) -> Self {
        before.map_or(Self::Newest, Self::Before)
    }
}
