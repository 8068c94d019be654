//! What the age of records is measured by: the wall clock, as far as it is believed.
//!
//! A start has nothing to hold its clock against but the tables, which say what was last believed. A clock that is more than an hour
//! ahead of that is believed after ten minutes: what is deleted for its age does not come back.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Belief, Clock, Now, SteadyWall, Wall};

use crate::options::Retention;

/// The clock of one open log.
pub(crate) struct AgeClock {
    clock: Arc<dyn Clock>,
    wall: SteadyWall,
}

impl AgeClock {
    /// Of tables that say this. Where they say nothing, nothing in them is old until the clock has stood for ten minutes.
    pub(crate) fn new(clock: Arc<dyn Clock>, known: Option<u64>) -> Self {
        let wall = SteadyWall::new(Now { wall: Wall(known.unwrap_or(0)), mono: clock.now().mono });
        Self { clock, wall }
    }

    /// What retention keeps as of now.
    pub(crate) fn keep(&mut self, retention: Retention) -> Keep {
        let Some(age) = retention.age_max else { return Keep { retention, now: 0, oldest: 0 } };
        let (now, step) = self.wall.look(self.clock.now());
        if let Some(step) = step {
            let ahead = step.ahead;
            match step.belief {
                Belief::Doubted => {
                    tracing::info!(
                        ?ahead,
                        "the clock is ahead of the log's: until it has stood for a while, nothing is too old by it"
                    );
                }
                Belief::Believed => {
                    tracing::info!(?ahead, "the clock is believed, and the age of records is measured by it")
                }
            }
        }
        Keep { retention, now: now.0, oldest: now.0.saturating_sub(millis(age)) }
    }
}

/// How much of each room is kept, as of one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) retention: Retention,
    /// What is believed to be the time; 0 where no age is looked at.
    pub(crate) now: u64,
    /// The time before which records are too old.
    pub(crate) oldest: u64,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
