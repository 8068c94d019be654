//! How far a world has come.

/// What a world is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything that goes wrong does.
    Storm,
    /// Nothing goes wrong any more: everybody comes back and catches up.
    Calm,
    /// Everybody looks whether they have caught up.
    Check,
    /// Everybody goes.
    Leave,
}
