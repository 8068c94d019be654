//! How far a world has come.

/// What a world is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything that goes wrong does.
    Storm,
    /// Nothing goes wrong any more: everybody comes back and catches up.
    Calm,
    /// Everybody asks what the rooms are like, to be compared with what others are told at other servers.
    Compare,
    /// Everybody looks whether they have caught up.
    Check,
    /// Everybody goes.
    Leave,
}
