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

/// Bytes of a hash map that has room for so many: of a small one's places one stays empty, of others' one in eight; each has a byte of its
/// own, and the last of those stand there twice.
pub(super) fn table(capacity: usize, entry: usize) -> usize {
    const TWICE: usize = 16;
    let places = if capacity < 7 { capacity + 1 } else { capacity / 7 * 8 };
    if capacity > 0 { places * (entry + 1) + TWICE } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_weighs_and_an_empty_map_has_no_places() {
        assert_eq!([24, 25].map(|bytes| beside(&"x".repeat(bytes))), [0, 25]);
        assert_eq!([0, 3, 7, 28].map(|capacity| table(capacity, 9)), [0, 56, 96, 336]);
    }
}
