//! Bans on the wire: who is kept out, shown to who may change it.

use std::num::NonZeroU32;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::encode::{finish, push_field, push_id, push_list, to_vec};
use super::server_frame::rfc3339_option;
use crate::domain::BanTerms;
use crate::types::{BanId, CommandId, MemberId, RoomCode, Seq, Wall};

/// Somebody who is kept out, as who moderates sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    pub at: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "rfc3339_option")]
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

/// Messages that were taken back together, in a `changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// As many bans as have no more than `bytes_max` together, or the first; and whether those are all.
pub(crate) fn bans_page(
    id: Option<CommandId>,
    room: &RoomCode,
    bans: impl Iterator<Item = BanEntry>,
    more: bool,
    bytes_max: usize,
) -> Bytes {
    let (mut shown, mut bytes, mut more) = (Vec::new(), 0, more);
    for ban in bans {
        let json = to_vec(&ban);
        bytes += json.len();
        if bytes > bytes_max && !shown.is_empty() {
            more = true;
            break;
        }
        shown.push(json);
    }
    let mut out = b"{\"type\":\"bans\"".to_vec();
    push_id(&mut out, id);
    push_field(&mut out, "room", room.as_str());
    push_list(&mut out, "bans", shown.iter().map(Vec::as_slice));
    push_field(&mut out, "more", &more);
    finish(out)
}
