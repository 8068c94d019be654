//! What a ledger knows of messages: whose they are, what became of them, what the log is owed for it, and under which keys they came.
//!
//! Never here: what a message says.

use super::Ledger;
use crate::domain::{Content, Digest, Reaction, Said};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::changes::Changes;
use crate::room::hashes::{self, KeyHash, ScopeHash};
use crate::room::key_window::Kept;
use crate::room::marks::Marks;
use crate::room::owed::{OwedChange, OwedEdit};
use crate::room::reactions::{OwedFreeze, Reactions};
use crate::room::sweeps::Sweep;
#[cfg(doc)]
use crate::types::RoomLimits;
use crate::types::{Key, Nick, Scope, Seq};

impl Ledger {
    pub(in crate::room) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Whether there may be a message of this number that is not remembered.
    pub(in crate::room) fn may_have_forgotten(&self, seq: Seq) -> bool {
        seq <= self.head && self.marks.may_have_forgotten(seq)
    }

    /// Whether a message was taken back, as far as the room remembers it.
    pub fn is_taken_back(&self, message: Seq) -> bool {
        self.marks.find(message).is_some_and(|mark| mark.redacted) || self.changes.has_taken_back(message)
    }

    /// The last change that took something back, as far as that is remembered.
    #[cfg(feature = "fault_injection")]
    pub(crate) fn last_taken_back(&self) -> Seq {
        self.changes.last_taken_back()
    }

    pub(in crate::room) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The ranges that were taken back, as far as they are remembered, or the log has not forgotten them.
    pub(in crate::room) fn sweeps(&self) -> impl Iterator<Item = Sweep> {
        let owed = self.owed.iter().filter_map(|owed| match owed {
            OwedChange::Sweep(sweep) => Some(sweep),
            _ => None,
        });
        owed.chain(self.changes.ranges_after(Seq(0)).copied())
    }

    /// The last edit of a message that is remembered.
    #[cfg(feature = "engine")]
    pub(crate) fn last_edit(&self, target: Seq) -> Option<Seq> {
        self.changes.last_edit(target)
    }

    /// The same of the messages that a range covers.
    #[cfg(feature = "engine")]
    pub(crate) fn last_edits(&self, sweep: Sweep) -> impl Iterator<Item = Seq> {
        self.changes.last_edits(sweep)
    }

    /// Whether anything was ever edited in this incarnation.
    pub fn was_edited(&self) -> bool {
        self.edited
    }

    /// What the log has to be amended for, as far as it does not say itself that it has been; in the order of the changes.
    pub fn owed(&self) -> impl Iterator<Item = OwedChange> {
        self.owed.iter()
    }

    /// How many those are; bounded by [`RoomLimits::owed_max`], except where an earlier program has written the log.
    pub fn owed_total(&self) -> usize {
        self.owed.len()
    }

    /// The first change for which the log is owed anything.
    pub fn first_owed(&self) -> Option<Seq> {
        let changed = self.owed().map(|owed| owed.change()).next();
        let freeze = self.owed_freezes().map(|owed| owed.change).next();
        changed.into_iter().chain(freeze).min()
    }

    /// Bytes of what messages say since they were edited, as far as that is owed; bounded by [`RoomLimits::owed_bytes_max`], or one edit.
    pub fn owed_bytes(&self) -> usize {
        self.owed.bytes()
    }

    /// The last edit of a message that is owed.
    pub(in crate::room) fn owed_edit(&self, target: Seq) -> Option<OwedEdit> {
        self.owed.edit_of(target)
    }

    /// The messages that take no more reactions, and whose records may lack those they have; in the order of the changes.
    pub fn owed_freezes(&self) -> impl Iterator<Item = OwedFreeze> {
        self.reactions.owed()
    }

    /// The messages that have reactions: those whose records may lack theirs, then those that take more.
    pub fn reacted(&self) -> impl Iterator<Item = Seq> {
        self.reactions.messages()
    }

    /// What one of these has been reacted to with; nothing for any other message.
    pub fn reactions_to(&self, message: Seq) -> Vec<Reaction> {
        self.reactions.shown(message)
    }

    /// Whether a message takes no reactions any more because it, or one after it, had some that were to be written into its record.
    #[cfg(feature = "engine")]
    pub(crate) fn has_closed_reactions(&self, message: Seq) -> bool {
        message <= self.reactions.closed()
    }

    pub(in crate::room) fn reactions(&self) -> &Reactions {
        &self.reactions
    }

    /// The oldest message that takes reactions, if it was not too old before.
    pub(in crate::room) fn reactable_from(&self) -> Seq {
        self.marks.first_of_last(self.bounds.reactable_max)
    }

    /// The send of this person under this key, if it is remembered.
    pub(in crate::room) fn sent_before(&self, scope: &Scope, key: &Key) -> Option<&Kept> {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetKey) {
            return None;
        }
        self.keys.find(KeyHash::new(self.salt(), self.hash(scope), key))
    }

    /// What the host said under this key, if it is remembered.
    pub(in crate::room) fn said_before(&self, key: &Key) -> Option<&Kept> {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetHostKey) {
            return None;
        }
        self.host_keys.find(self.host_key(key).1)
    }

    /// A key of the host's, whichever its name.
    pub(in crate::room) fn host_key(&self, key: &Key) -> (ScopeHash, KeyHash) {
        let scope = ScopeHash::of_host(self.salt());
        (scope, KeyHash::new(self.salt(), scope, key))
    }

    /// Of what the host says under this name.
    pub(in crate::room) fn digest_of_host(&self, name: &Nick, said: &Said) -> Digest {
        hashes::digest_of_host(self.salt(), name, said)
    }

    /// Of what somebody sends.
    pub(in crate::room) fn digest(&self, said: &Said) -> Digest {
        hashes::digest(self.salt(), said)
    }

    /// Of what somebody makes of a message.
    pub(in crate::room) fn digest_of_edit(&self, target: Seq, content: &Content) -> Digest {
        hashes::digest_of_edit(self.salt(), target, content)
    }
}
