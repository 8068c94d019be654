//! Bans: what is asked of one, and what is told of it.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::types::Wall;

/// What a ban is to do beside keeping a person out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BanTerms {
    /// For how many minutes; for ever where there are none.
    pub minutes: Option<NonZeroU32>,
    /// Also who comes from the same networks without an identity, and is new: no member, and nobody who left and is remembered.
    /// Refused as [`BadField`](crate::RejectCode::BadField) where it is not known where the person came from.
    pub network: bool,
    /// Takes back all that the person has said.
    pub sweep: bool,
}

impl BanTerms {
    /// A ban for so many minutes; for ever where there are none.
    pub fn lasting(minutes: impl Into<Option<NonZeroU32>>) -> Self {
        Self { minutes: minutes.into(), ..Self::default() }
    }

    /// The same, of the person's networks too.
    #[must_use]
    pub fn with_network(self) -> Self {
        Self { network: true, ..self }
    }

    /// The same, and all that the person has said is taken back.
    #[must_use]
    pub fn with_sweep(self) -> Self {
        Self { sweep: true, ..self }
    }
}

/// Of somebody who was put out: that they are kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BanTerm {
    /// Until when, in room time; for ever where there is no such moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
}

impl BanTerm {
    /// Until this moment; for ever where there is none.
    pub fn until(until: Option<Wall>) -> Self {
        Self { until }
    }
}
