//! A signal as it stands in the frame that tells them all.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::MemberId;

/// One signal, as a client reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignalEntry {
    /// Whose it is.
    pub member: MemberId,
    /// What it is called.
    pub name: String,
    /// What it says: any JSON value but `null`.
    pub data: Value,
}
