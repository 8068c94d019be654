//! What a room holds in memory, told from lengths that are known: reading it costs the same in a room of any size.
//!
//! Never here: a look at each member, message or key.

use crate::types::Scope;

/// Texts up to this many bytes lie in the value that has them.
const INSIDE: usize = 24;

/// Bytes of a text that lie elsewhere than in the value that has it.
pub(super) fn beside(text: &str) -> usize {
    if text.len() > INSIDE { text.len() } else { 0 }
}

/// The same, of a person.
pub(super) fn scope_beside(scope: &Scope) -> usize {
    match scope {
        Scope::Identity(identity) => beside(identity.as_str()),
        Scope::Session(_) => 0,
    }
}

/// Bytes of a hash map that has room for so many: one in eight of its places stays empty, and each has a byte of its own.
pub(super) fn table(capacity: usize, entry: usize) -> usize {
    capacity / 7 * 8 * (entry + 1)
}
