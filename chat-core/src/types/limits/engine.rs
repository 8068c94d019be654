//! Bounds of the whole engine, and of all that one address does in it, each with its default and its reason.

use std::time::Duration;

#[cfg(doc)]
use super::SessionLimits;

/// Bounds of the whole engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Rooms in memory at once. 1,000,000: 2 GiB at the 2 KiB that one holds beside what `memory_bytes_max` counts. Without a log that is
    /// all rooms alive.
    pub rooms_max: usize,
    /// Rooms of the log that are not in memory, and of which it is known when something in them runs out. 1,000,000: about 300 bytes
    /// each, where a room in memory has 2 KiB and more; those whose members left at different times have 16 bytes for each of them on top, which
    /// count in `memory_bytes_max`. Past it rooms stay in memory. Those that the host keeps are among these for as long as they are kept: there are
    /// at most `rooms_away_max` and `rooms_max` of them, of 300 bytes each at rest and none of them its members', and what they remember in memory counts in
    /// `memory_bytes_max`. The host alone makes them, and is refused once either is reached.
    pub rooms_away_max: usize,
    /// How long nobody asks for anything in a room of the log that nobody is attached to, before it leaves memory. 60 s: twice the
    /// grace, so that who reloads a page, or changes networks, never waits for the log. At once where memory is short, where places
    /// are and it is empty, and after the visits of a start, which nobody asked for.
    pub room_idle: Duration,
    /// Rooms of the log that could not be read at the visit after a start, and are visited again, ever more seldom, until they can be.
    /// 4,096: 96 KiB, or 224 KiB where names are long; a log in which more are damaged has to be mended first, and the others wait for whoever
    /// opens them. 0: none is visited again.
    pub rooms_revisited_max: usize,
    /// Sessions with a connection at once. 1,000,000: about 3 GiB where all of them are idle WebSockets.
    pub connections_max: usize,
    /// Sessions kept without a connection. 100,000; the longest gone is forgotten first, and nobody within their grace for
    /// somebody of another address. Each holds at most 704 bytes, 40 for each room that it was in, and its identity: 70 MB in all, or 210 MB
    /// where each was in as many rooms as it may be.
    pub sessions_detached_max: usize,
    /// Sessions of one address kept without a connection; the longest gone is forgotten first. 1,024: an office whose network
    /// fails for a moment loses nobody, and a hundred addresses are needed to fill the table. 0 means no bound.
    pub sessions_detached_per_address_max: usize,
    /// Sessions and people remembered that were ended for good, in memory and in the log, until no token of theirs could be good: for
    /// [`token_expiry`](SessionLimits::token_expiry). 100,000: 15 MB, or 40 MB where identities are long. Past it another end is refused as
    /// `at_capacity`: none is forgotten before its time, or a token that was stolen would be good again.
    pub ended_max: usize,
    /// People who are being erased at once, in the log or, without one, in memory ([`Engine::erase`](crate::Engine::erase)). 1,024: one is carried out after the
    /// other, and each is a row of a few hundred bytes. Past it another is refused as `at_capacity`.
    pub erasures_max: usize,
    /// Sessions of one person that a server names when it is asked which there are ([`Engine::sessions_of`](crate::Engine::sessions_of)), the
    /// earliest first. 1,000: who has more is a program, and is told that there are.
    pub person_sessions_max: usize,
    /// Bytes of the same, with the codes of their rooms. 1 MiB: a thousand sessions in a dozen rooms each, and far from the most that one server
    /// sends another at once.
    pub person_sessions_bytes_max: usize,
    /// Sessions with a connection from one address at once. 256: an office or a school behind one address; who has more behind a
    /// proxy names the proxy. 0 means no bound.
    pub connections_per_address_max: usize,
    /// New sessions of one address at once after a pause. 100: everybody in an office opens the page.
    pub address_session_burst: u32,
    /// New sessions per second of one address, in the long run. 5: what a session may do cannot be had many times over by
    /// beginning anew. Who resumes pays nothing. 0 means no bound.
    pub address_sessions_per_second: u32,
    /// Messages of all sessions of one address (or one identity, where the policy names any) at once after a pause. 200: twenty
    /// sessions with a burst each.
    pub address_send_burst: u32,
    /// Messages per second of all sessions of one address or identity, in the long run. 50: ten sessions at their rate. 0 means
    /// no bound.
    pub address_sends_per_second: u32,
    /// As [`SessionLimits::said_bytes_burst`], for all sessions of one address or identity. 64 KiB: what it may say in a second.
    pub address_said_bytes_burst: u32,
    /// As [`SessionLimits::said_bytes_per_second`], for all sessions of one address or identity. 64 KiB: eight sessions at
    /// their rate. 0 means no bound.
    pub address_said_bytes_per_second: u32,
    /// As [`SessionLimits::live_bytes_burst`], for all sessions of one address or identity. 256 KiB: what it may say in a second.
    pub address_live_bytes_burst: u32,
    /// As [`SessionLimits::live_bytes_per_second`], for all sessions of one address or identity. 256 KiB: four sessions at their rate, or
    /// an assistant in a dozen rooms. 0 means no bound.
    pub address_live_bytes_per_second: u32,
    /// Bytes of answers that show much (histories, members, `joined`, gaps, and what is told again after an old position) to all sessions of
    /// one address or identity at once after a pause. 4 MiB: 64 pages, and an office that opens a room. How long one is, is known once it is
    /// made: it may be asked for while nothing is owed, and past this much debt nobody comes back without waiting.
    pub address_answered_bytes_burst: u32,
    /// The same per second in the long run. 1 MiB: sixteen pages, more than all of an office reads. 0 means no bound.
    pub address_answered_bytes_per_second: u32,
    /// Sessions ended by one address, or one identity, at once after a pause. 64: an office that signs out.
    pub address_end_burst: u32,
    /// The same per hour in the long run. 12: in the 30 days for which an end is remembered, one address takes less than a tenth of
    /// `ended_max`. 0 means no bound.
    pub address_ends_per_hour: u32,
    /// Rooms alive that were founded from one address since this process began. 64: twice as many as one session may be in.
    /// 0 means no bound.
    pub rooms_per_address_max: usize,
    /// How many times as much an IPv6 network of 48 bits may do as one address (a network of 64 bits). 16: a site has 65,536 of
    /// the small ones, and few people.
    pub addresses_per_network: u32,
    /// As [`SessionLimits::miss_burst`], for all sessions of one address. 256: an office that comes back after a restart.
    pub address_miss_burst: u32,
    /// As [`SessionLimits::misses_per_second`], for all sessions of one address. 8: eight sessions at their rate. 0 means no bound.
    pub address_misses_per_second: u32,
    /// Bytes of all backlogs, and of what the ledgers of all rooms remember (members, keys for retries, marks of messages, former
    /// members, bans), together; what a room holds beside those is bounded by `rooms_max`. 1 GiB: a small room remembers
    /// 1 KiB, and a full backlog has 1 MiB. From seven eighths of it rooms without members give all but their last event, and where that is not enough, the largest
    /// backlogs are cut to one level. Messages that a log holds can still be paged. What ledgers hold, backlogs may not. Ledgers
    /// cannot be cut: once they hold three quarters, creations and joins of somebody new are refused as `at_capacity`, so that a
    /// quarter is left for what is said by those who are in; once they hold all of it, messages and topics are refused as well.
    pub memory_bytes_max: usize,
    /// Addresses remembered that nobody is connected from, for what they owe; and as many IPv6 networks of 48 bits, and
    /// identities. 100,000: as many as sessions without a connection, each of which may be of another. Past it they are forgotten, and
    /// what they owe with them.
    pub addresses_max: usize,
    /// How long a call of the policy may take; then it is answered `unavailable`. 10 s: longer than a database that is asked
    /// takes to give up by itself, shorter than a person waits.
    pub policy_timeout: Duration,
    /// How long a call of the log may take; then it has failed, and its room finds out what became of it. 30 s: longer than a disk
    /// that stalls or a file that is compacted, and no wait for ever. Where it cannot be found out in this time either, whoever asked is told
    /// `unavailable`.
    pub log_timeout: Duration,
    /// How long a command waits for what the owner of its room says, where that is another server; then it is `unavailable`. 40 s: longer than
    /// `log_timeout`, within which an owner that is there answers.
    pub owner_timeout: Duration,
    /// How long a command waits for a server to decide for its room, where none does now or it cannot be reached; then it is `unavailable`. 8 s:
    /// as long as it takes until another has the rooms of one that has gone.
    pub owner_wait: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            rooms_max: 1_000_000,
            rooms_away_max: 1_000_000,
            room_idle: Duration::from_secs(60),
            rooms_revisited_max: 4_096,
            connections_max: 1_000_000,
            sessions_detached_max: 100_000,
            sessions_detached_per_address_max: 1_024,
            ended_max: 100_000,
            erasures_max: 1_024,
            person_sessions_max: 1_000,
            person_sessions_bytes_max: 1 << 20,
            connections_per_address_max: 256,
            address_session_burst: 100,
            address_sessions_per_second: 5,
            address_send_burst: 200,
            address_sends_per_second: 50,
            address_said_bytes_burst: 64 << 10,
            address_said_bytes_per_second: 64 << 10,
            address_live_bytes_burst: 256 << 10,
            address_live_bytes_per_second: 256 << 10,
            address_answered_bytes_burst: 4 << 20,
            address_answered_bytes_per_second: 1 << 20,
            address_end_burst: 64,
            address_ends_per_hour: 12,
            rooms_per_address_max: 64,
            addresses_per_network: 16,
            address_miss_burst: 256,
            address_misses_per_second: 8,
            memory_bytes_max: 1 << 30,
            addresses_max: 100_000,
            policy_timeout: Duration::from_secs(10),
            log_timeout: Duration::from_secs(30),
            owner_timeout: Duration::from_secs(40),
            owner_wait: Duration::from_secs(8),
        }
    }
}
