//! Bounds and durations of one session, each with its default and its reason.

use std::time::Duration;

/// Bounds and durations of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Rooms at once. 32: more than a person follows, and each has its turn in every write.
    pub rooms_max: usize,
    /// Commands sent and not yet answered. 32: one for each room of the session at once. Also bounds the mailbox of answers.
    pub commands_in_flight_max: usize,
    /// Bytes of all answers not yet read, and of what those on their way may come to. 256 KiB: four pages. While another page
    /// would not fit, no further command is taken; small answers of commands in flight come on top.
    pub answers_bytes_max: usize,
    /// Bytes of messages or members in one answer; it has one, however long. 64 KiB: one write.
    pub page_bytes_max: usize,
    /// Bytes of one frame from a client. 64 KiB: the longest message fits with every character escaped (12 bytes each). Four times as
    /// much closes the connection.
    pub frame_bytes_max: usize,
    /// Bytes copied for one write. 64 KiB: a full socket buffer's worth, and the most a stalled reader can hold up.
    pub chunk_bytes_max: usize,
    /// Bytes taken from one room before the next has its turn. 16 KiB: a quarter of a write, so that a busy room leaves room for others.
    pub room_quantum_bytes: usize,
    /// Messages that may be sent at once after a pause, and what costs as much: edits, reactions, names, another credential. 10: a list pasted line by
    /// line.
    pub send_burst: u32,
    /// Messages per second in the long run. 5: faster than anybody types. 0 means no bound.
    pub send_per_second: u32,
    /// Bytes of text (messages, topics) that may be said at once after a pause. 64 KiB: four of the longest messages. One that
    /// is longer passes alone, and is paid for afterwards.
    pub said_bytes_burst: u32,
    /// Bytes of text per second in the long run. 8 KiB: to push all of 1 MiB out of a room's backlog takes one sender two
    /// minutes. 0 means no bound.
    pub said_bytes_per_second: u32,
    /// Other commands at once after a pause. 64: a resync of 32 rooms, twice.
    pub command_burst: u32,
    /// Other commands per second in the long run. 20: paging as fast as one scrolls. 0 means no bound.
    pub command_per_second: u32,
    /// Texts of a growing message at once after a pause. 20: a second of them.
    pub live_burst: u32,
    /// Texts of a growing message per second in the long run. 20: twice as often as a room tells them, so that what is told is never old.
    /// 0 means no bound.
    pub live_per_second: u32,
    /// Bytes of those texts at once after a pause. 128 KiB: eight of the longest.
    pub live_bytes_burst: u32,
    /// Bytes of those texts per second in the long run. 64 KiB: 4,000 ASCII characters sixteen times, and the most that one session can have
    /// every reader of a room told, byte for byte. 0 means no bound.
    pub live_bytes_per_second: u32,
    /// Rooms that may be named without being there, at once after a pause. 32: as many as a session may be in.
    pub miss_burst: u32,
    /// Rooms per second that may be named without being there, in the long run. 1; 0 means no bound. Of 26^8 codes a guesser
    /// finds none.
    pub misses_per_second: u32,
    /// Commands that may be refused, whatever for, at once after a pause. 256: eight times as many as are in flight.
    pub refusal_burst: u32,
    /// Refused commands per second in the long run; past it the connection ends as `flooding`. 20: as many as
    /// `command_per_second` lets through. 0 means no bound.
    pub refusals_per_second: u32,
    /// How long a session without a connection is kept. 24 h: a laptop closed overnight.
    pub retention: Duration,
    /// How long a token or a cursor is good after it was made, in whole days of UTC, rounded up, and at least one. 30 days: whoever
    /// comes back once a month stays who they are, and what was stolen is of no use in the end. At half of it, who is connected is told
    /// a new one.
    pub token_expiry: Duration,
    /// How long before an admission runs out its client is told. 60 s: time to fetch a new credential, also by somebody whose line is slow, and
    /// short beside the hour that most are good for.
    pub auth_notice: Duration,
    /// How long a welcome waits for the rooms that a session comes back to. 2 s: one that is slower holds up no other room; it says later
    /// where the session stands.
    pub resume_wait: Duration,
    /// How long a room may take to say where a session that comes back stands in it. 30 s: as long as a log may take for one call.
    /// Then the session is not let in any more, and is told `unavailable`.
    pub resume_timeout: Duration,
    /// At most one gap in this time. 1 s: a reader that cannot follow is told seldom and far, not often and little.
    pub gap_interval: Duration,
    /// How long a connection may accept nothing while something is due. 30 s: a phone that comes out of a tunnel goes on; a peer that is
    /// gone is held no longer than its membership would be.
    pub stall_timeout: Duration,
    /// How long a drain lets connections take what is due before they are told to go, and again how long it waits for them to be gone. 2 s:
    /// the answers to what they asked, and an end within five seconds, before whoever runs the server kills it.
    pub flush_timeout: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            rooms_max: 32,
            commands_in_flight_max: 32,
            answers_bytes_max: 256 << 10,
            page_bytes_max: 64 << 10,
            frame_bytes_max: 64 << 10,
            chunk_bytes_max: 64 << 10,
            room_quantum_bytes: 16 << 10,
            send_burst: 10,
            send_per_second: 5,
            said_bytes_burst: 64 << 10,
            said_bytes_per_second: 8 << 10,
            command_burst: 64,
            command_per_second: 20,
            live_burst: 20,
            live_per_second: 20,
            live_bytes_burst: 128 << 10,
            live_bytes_per_second: 64 << 10,
            miss_burst: 32,
            misses_per_second: 1,
            refusal_burst: 256,
            refusals_per_second: 20,
            retention: Duration::from_secs(24 * 60 * 60),
            token_expiry: Duration::from_secs(30 * 24 * 60 * 60),
            auth_notice: Duration::from_secs(60),
            resume_wait: Duration::from_secs(2),
            resume_timeout: Duration::from_secs(30),
            gap_interval: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(30),
            flush_timeout: Duration::from_secs(2),
        }
    }
}
