//! File descriptors: as many as the system allows, and how many connections they are enough for.

use std::fmt;

use chat_serve::{OVERFLOW_MAX, ServeConfig};

/// File descriptors that no connection takes which has a place: those in which the others are told that there is none, and 32 for the
/// listener, the log, the runtime and the standard streams.
const RESERVED: usize = OVERFLOW_MAX + 32;

/// What the server may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// File descriptors of the process; `None` where nothing bounds them, or nobody says.
    most: Option<u64>,
}

impl Descriptors {
    /// Raises the bound of the process as far as it may be raised, and says what it is then.
    #[cfg(unix)]
    pub(crate) fn raise() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // Where it cannot be raised, as on systems with another bound below this one, it stays as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        Self { most: getrlimit(Resource::Nofile).current }
    }

    #[cfg(not(unix))]
    pub(crate) fn raise() -> Self {
        Self { most: None }
    }

    /// As many connections as there are file descriptors for, and no more than by default.
    pub(crate) fn connections_max(self) -> usize {
        let all = self.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        ServeConfig::default().connections_max.min(all.saturating_sub(RESERVED)).max(1)
    }
}

impl fmt::Display for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.connections_max();
        match self.most {
            Some(most) => write!(f, "Room for {connections} connections, with {most} file descriptors."),
            None => write!(f, "Room for {connections} connections."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_file_descriptors_for_everything_else() {
        let connections = |most| Descriptors { most }.connections_max();
        assert_eq!(connections(None), 100_000);
        assert_eq!(connections(Some(1 << 20)), 100_000);
        assert_eq!(connections(Some(1_024)), 960);
        assert_eq!(connections(Some(10)), 1, "none at all would be no server");
    }
}
