//! What whoever runs the server is told of it on standard error, beside the faults of the log.

use chat_core::{Belief, Observer, ObserverEvent, Offset, WallStep};

use super::console::tell_warning;

/// Writes down that the machine's clock was set far ahead, and that the log has lost what was acked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operator;

impl Observer for Operator {
    fn observe(&self, event: ObserverEvent<'_>) {
        match event {
            ObserverEvent::WallStepped { step, .. } => tell_warning(line(step)),
            ObserverEvent::Forked { had, found, .. } => tell_warning(forked(had, found)),
            _ => {}
        }
    }
}

/// Without the room, whose code lets people in: the engine traces its tag beside this.
fn forked(had: Offset, found: Offset) -> String {
    format!(
        "The log has lost what was acked in a room: record {} was known, and it ends at {}. The room goes on from there.",
        had.0, found.0
    )
}

fn line(WallStep { ahead, belief }: WallStep) -> String {
    let ahead = humantime::format_duration(ahead);
    match belief {
        Belief::Doubted => {
            format!("The clock was set {ahead} ahead; messages keep the old time until it has stood for a while")
        }
        Belief::Believed => format!("The clock is {ahead} ahead of what it was; messages have its time from now on"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_told_in_words_and_with_its_length() {
        let ahead = Duration::from_secs(7_384);
        let lines = [Belief::Doubted, Belief::Believed].map(|belief| line(WallStep { ahead, belief }));
        assert!(lines[0].starts_with("The clock was set 2h 3m 4s ahead;"), "{}", lines[0]);
        assert!(lines[1].starts_with("The clock is 2h 3m 4s ahead of"), "{}", lines[1]);
    }
}
