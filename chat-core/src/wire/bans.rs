//! Bans and sweeps on the wire: who is kept out, as who may change it sees them, and what was taken back together.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::moment::rfc3339_option;
use crate::domain::BanTerms;
use crate::types::{BanId, MemberId, Seq, Wall};

/// Somebody who is kept out, as who moderates sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct BanEntry {
    pub ban: BanId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nick: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
    pub at: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::moment::Time>"))]
    pub until: Option<Wall>,
    /// Whether whoever comes from where they came from is kept out, too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub network: bool,
}

impl BanEntry {
    /// That of a ban of which nothing is known but its number.
    pub(crate) fn of(ban: BanId) -> Self {
        Self { ban, member: None, nick: None, by: None, at: None, until: None, network: false }
    }
}

/// What a `swept` says: which messages were taken back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct SweptEvents {
    pub member: MemberId,
    pub from: Seq,
    pub to: Seq,
    /// Who took them back; absent for the server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<MemberId>,
}

impl SweptEvents {
    /// What somebody may know of it who sees no message up to `sees`; nothing where that is nothing.
    pub(crate) fn above(self, sees: Seq) -> Option<Self> {
        (self.to > sees).then(|| Self { from: self.from.max(sees.next()), ..self })
    }
}

/// Messages that were taken back together, in a `changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct SweptRange {
    pub member: MemberId,
    pub from: Seq,
    pub to: Seq,
    /// The event that took them back.
    pub change: Seq,
}

impl SweptRange {
    pub(crate) fn new(member: MemberId, from: Seq, to: Seq, change: Seq) -> Self {
        Self { member, from, to, change }
    }

    /// Whether it takes back the message of this number and author.
    pub fn covers(&self, by: MemberId, seq: Seq) -> bool {
        self.member == by && (self.from..=self.to).contains(&seq)
    }
}

/// What a `ban` says beside whom.
pub(super) fn terms(minutes: Option<NonZeroU32>, network: bool, sweep: bool) -> BanTerms {
    let terms = BanTerms::lasting(minutes);
    let terms = if network { terms.with_network() } else { terms };
    if sweep { terms.with_sweep() } else { terms }
}
