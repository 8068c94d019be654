//! The table of leases, every state of it: who owns a slot, and who takes it away, never answer for it at once.
//!
//! A node beats, and may answer for what it owns until [`Rules::lease`] after it *sent* the last beat that was answered. Who has seen the
//! other's beat unchanged for [`Rules::patience`], over [`Rules::reads`] looks, deposes it, if the beat is still the one that was seen. Nothing
//! has to happen: a node that does nothing is frozen, cut off or slow, and what is under way may take any time.

use std::collections::{HashMap, VecDeque};

/// The rules, in ticks of half a second. With any of them left out, or with less between lease and patience, the promise breaks.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// For how long a node may own after it sent a beat.
    pub lease: u8,
    /// For how long a beat has to stay as it is before its node is deposed.
    pub patience: u8,
    /// Over how many looks.
    pub reads: u8,
    /// A lease counts from the sending of its beat, and not from the answer.
    pub from_sending: bool,
    /// A node is deposed only where its beat is the one that was seen.
    pub as_seen: bool,
    /// A slot that was perhaps given is not owned before that is known.
    pub settles: bool,
    /// What the table said before a slot was given up counts for nothing after it.
    pub reads_anew: bool,
    /// How many ticks lie at least between two in which the owner's clock stands still: none of its own counts them.
    pub steady: u8,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lease: 10,
            patience: 12,
            reads: 4,
            from_sending: true,
            as_seen: true,
            settles: true,
            reads_anew: true,
            steady: 11,
        }
    }
}

/// A beat under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Beat {
    None,
    /// Sent so long ago, and not yet at the table.
    Sent(u8),
    /// It has come to the table, and the answer is on its way.
    Counted(u8),
    /// There was no row.
    Refused,
}

/// What a node has seen of the other's beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Watch {
    Nothing,
    /// For so long, and so often, as far as the node knows; and whether the beat is still that one.
    Seen {
        age: u8,
        reads: u8,
        is_same: bool,
    },
}

/// Who may own the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Owner {
    /// Its row is in the table.
    is_there: bool,
    /// For how much longer it may answer for what it owns.
    lease: u8,
    beat: Beat,
    /// What the table said, of an answer that is on its way: whether the slot is its.
    look: Option<bool>,
    /// It takes itself for the owner.
    owns: bool,
    /// It has given the slot up, and the statement is under way.
    gives: bool,
    /// For how long its clock has not stood still.
    steady: u8,
}

/// In the table: whose the slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Nobodys,
    Owners,
    Rivals,
}

/// One owner, and one rival who watches it. Of two nodes that watch each other each is both; the rival's own lease is taken for one that
/// never runs out, and it gives nothing away, so that nothing is easier for it here than there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    owner: Owner,
    watch: Watch,
    rival_owns: bool,
    slot: Slot,
}

const NEW: Owner =
    Owner { is_there: true, lease: 0, beat: Beat::None, look: None, owns: false, gives: false, steady: u8::MAX };

type Ways = HashMap<State, Option<(State, &'static str)>>;

/// Looks at every state that can come about, and says how many there are.
///
/// # Errors
/// The shortest way to two nodes that answer for one slot, step by step.
pub fn explore(rules: Rules) -> Result<usize, Vec<&'static str>> {
    let first = State { owner: NEW, watch: Watch::Nothing, rival_owns: false, slot: Slot::Nobodys };
    let mut ways = Ways::from([(first, None)]);
    let mut waiting = VecDeque::from([first]);
    while let Some(state) = waiting.pop_front() {
        if state.owner.owns && state.owner.lease > 0 && state.rival_owns {
            return Err(way(&ways, state));
        }
        for (what, next) in rules.next(state) {
            ways.entry(next).or_insert_with(|| {
                waiting.push_back(next);
                Some((state, what))
            });
        }
    }
    Ok(ways.len())
}

fn way(ways: &Ways, end: State) -> Vec<&'static str> {
    let step = |state: &State| ways.get(state).copied().flatten();
    let back = std::iter::successors(step(&end), |(state, _)| step(state));
    let mut steps: Vec<_> = back.map(|(_, what)| what).collect();
    steps.reverse();
    steps
}

impl Rules {
    /// A tick is longer than what lies in it: what was sent late in one has been under way for less than its age says.
    fn lease_max(self) -> u8 {
        self.lease + 1
    }

    /// All that may come next.
    fn next(self, state: State) -> Vec<(&'static str, State)> {
        let mut next = vec![("time passes", self.tick(state))];
        if state.owner.steady >= self.steady {
            // The owner's clock stands still meanwhile.
            let ticked = self.tick(state);
            let Owner { lease, beat, .. } = state.owner;
            let owner = Owner { lease, beat, steady: 0, ..ticked.owner };
            next.push(("time passes, and the owner's clock stands still", State { owner, ..ticked }));
        }
        self.beats(state, &mut next);
        let State { owner, watch, slot, .. } = state;
        if owner.is_there && slot == Slot::Nobodys {
            next.push(("the owner takes the slot", State { slot: Slot::Owners, ..state }));
        }
        if !owner.gives || !self.settles {
            let owner = Owner { look: Some(slot == Slot::Owners), ..owner };
            next.push(("the owner asks the table", State { owner, ..state }));
        }
        if let Some(owns) = owner.look {
            let owner = Owner { look: None, owns, ..owner };
            next.push(("the owner hears what the table said", State { owner, ..state }));
        }
        if owner.owns && !owner.gives {
            let look = owner.look.filter(|_| !self.reads_anew);
            let owner = Owner { owns: false, gives: true, look, ..owner };
            next.push(("the owner gives the slot up", State { owner, ..state }));
        }
        if owner.gives {
            let slot = if slot == Slot::Owners { Slot::Nobodys } else { slot };
            let owner = Owner { gives: false, ..owner };
            next.push(("what was given comes to the table", State { owner, slot, ..state }));
        }
        if owner.is_there {
            let watch = match watch {
                Watch::Seen { age, reads, is_same: true } => {
                    Watch::Seen { age, reads: (reads + 1).min(self.reads), is_same: true }
                }
                _ => Watch::Seen { age: 0, reads: 1, is_same: true },
            };
            next.push(("the rival looks at the beat", State { watch, ..state }));
        }
        if let Watch::Seen { age, reads, is_same } = watch
            && age >= self.patience
            && reads >= self.reads
            && owner.is_there
            && (is_same || !self.as_seen)
        {
            let slot = if slot == Slot::Owners { Slot::Nobodys } else { slot };
            let owner = Owner { is_there: false, ..owner };
            next.push(("the rival deposes the owner", State { owner, watch: Watch::Nothing, slot, ..state }));
        }
        if slot == Slot::Nobodys {
            next.push(("the rival takes the slot", State { slot: Slot::Rivals, ..state }));
        }
        next.push(("the rival looks at the table", State { rival_owns: slot == Slot::Rivals, ..state }));
        next
    }

    fn beats(self, state: State, next: &mut Vec<(&'static str, State)>) {
        let owner = state.owner;
        match owner.beat {
            Beat::None => {
                let owner = Owner { beat: Beat::Sent(0), ..owner };
                next.push(("the owner sends a beat", State { owner, ..state }));
            }
            Beat::Sent(age) => {
                let beat = if owner.is_there { Beat::Counted(age) } else { Beat::Refused };
                let watch = match state.watch {
                    Watch::Seen { age, reads, is_same } => {
                        Watch::Seen { age, reads, is_same: is_same && !owner.is_there }
                    }
                    Watch::Nothing => Watch::Nothing,
                };
                next.push(("a beat comes to the table", State { owner: Owner { beat, ..owner }, watch, ..state }));
            }
            Beat::Counted(age) => {
                let age = if self.from_sending { age } else { 0 };
                let lease = owner.lease.max(self.lease_max().saturating_sub(age));
                let answered = Owner { lease, beat: Beat::None, ..owner };
                next.push(("the owner is told that it beat", State { owner: answered, ..state }));
                let lost = Owner { beat: Beat::None, ..owner };
                next.push(("the owner hears nothing of its beat", State { owner: lost, ..state }));
            }
            Beat::Refused => {
                let owner = Owner { gives: owner.gives, steady: owner.steady, ..NEW };
                next.push(("the owner is told that it is no node, and begins as another", State { owner, ..state }));
            }
        }
    }

    fn tick(self, mut state: State) -> State {
        let owner = &mut state.owner;
        owner.lease = owner.lease.saturating_sub(1);
        owner.steady = if owner.steady >= self.steady { u8::MAX } else { owner.steady + 1 };
        if let Beat::Sent(age) | Beat::Counted(age) = &mut owner.beat {
            *age = (*age + 1).min(self.lease_max());
        }
        if let Watch::Seen { age, .. } = &mut state.watch {
            *age = (*age + 1).min(self.patience);
        }
        state
    }
}
