//! What servers have told their clients, and what they have found out of the store.

use std::collections::BTreeSet;

use super::rows::{Life, Rows, Said, TailRow};

/// What all servers have told their clients, and what they have found out.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What was answered to be there: where, and what.
    pub(super) acked: Vec<(Life, u32, Said)>,
    /// What was answered not to be there.
    pub(super) absent: BTreeSet<(Life, u32, Said)>,
    /// What is known not to have been said, and is said again.
    pub(super) again: Vec<Said>,
    /// Of what was found broken.
    pub(super) broken: Option<String>,
    pub(super) next: u32,
}

impl Told {
    pub(super) fn draw(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

/// Whether a room can be read.
pub(super) fn readable(rows: &Rows, tail: &TailRow) -> Result<(), String> {
    let covered = rows.snapshots.get(&tail.life).copied().unwrap_or(0);
    let numbers: Vec<u32> = rows.said(tail.life).map(|(number, _)| number).collect();
    match covered + 1 >= tail.first && numbers.iter().copied().eq(tail.first..=tail.last) {
        true => Ok(()),
        false => Err(format!("it cannot be read: {tail:?}, a snapshot up to {covered}, records {numbers:?}")),
    }
}
