//! Every bound of an engine, with its default and its reason. Transports, logs and the accept loop have bounds of their own.

use std::fmt;
use std::time::Duration;

use crate::types::steady::SteadyWall;

/// All bounds of an engine, its rooms and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bounds and durations of one room.
    pub room: RoomLimits,
    /// Bounds and durations of one session.
    pub session: SessionLimits,
    /// Bounds of the whole engine.
    pub engine: EngineLimits,
}

/// A bound that must not be 0: with it nothing would ever get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroLimit {
    /// The path of the field, such as `room.members_max`.
    pub field: &'static str,
}

impl fmt::Display for ZeroLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit `{}` must not be 0", self.field)
    }
}

impl std::error::Error for ZeroLimit {}

impl Limits {
    /// Looks whether an engine can work within these bounds.
    ///
    /// # Errors
    /// The first bound that is 0 and must not be.
    pub fn check(&self) -> Result<(), ZeroLimit> {
        let Self { room, session, engine } = self;
        let at_least_one = [
            ("room.members_max", room.members_max),
            ("room.attachments_max", room.attachments_max),
            ("room.message_chars_max", room.message_chars_max),
            ("room.history_max", room.history_max),
            ("room.members_page_max", room.members_page_max),
            ("room.bans_page_max", room.bans_page_max),
            ("room.inbox_max", room.inbox_max),
            ("room.batch_inputs_max", room.batch_inputs_max),
            ("room.marks_max", room.marks_max),
            ("session.rooms_max", session.rooms_max),
            ("session.commands_in_flight_max", session.commands_in_flight_max),
            ("session.frame_bytes_max", session.frame_bytes_max),
            ("session.chunk_bytes_max", session.chunk_bytes_max),
            ("session.room_quantum_bytes", session.room_quantum_bytes),
            ("engine.rooms_max", engine.rooms_max),
            ("engine.connections_max", engine.connections_max),
            ("engine.memory_bytes_max", engine.memory_bytes_max),
        ];
        match at_least_one.into_iter().find(|(_, bound)| *bound == 0) {
            Some((field, _)) => Err(ZeroLimit { field }),
            None => Ok(()),
        }
    }

    /// Lifts every bound on what is said, asked and answered, in messages, bytes and commands, of a session and of an address, and on how
    /// many sessions an address may end.
    pub fn lift_rates(&mut self) {
        let Self { session, engine, .. } = self;
        (session.send_per_second, session.said_bytes_per_second, session.command_per_second) = (0, 0, 0);
        (session.live_per_second, session.live_bytes_per_second, engine.address_live_bytes_per_second) = (0, 0, 0);
        (engine.address_sends_per_second, engine.address_said_bytes_per_second) = (0, 0);
        (engine.address_answered_bytes_per_second, engine.address_ends_per_hour) = (0, 0);
    }

    /// Lifts every bound on how many connections, sessions and rooms are of one address.
    pub fn lift_addresses(&mut self) {
        let engine = &mut self.engine;
        (engine.connections_per_address_max, engine.address_sessions_per_second) = (0, 0);
        (engine.sessions_detached_per_address_max, engine.rooms_per_address_max) = (0, 0);
    }
}

/// What a newcomer sees of the messages before their join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NewcomersSee {
    /// All of them.
    #[default]
    All,
    /// The last so many; no more than the room itself remembers ([`RoomLimits::marks_max`]) where it has forgotten some.
    Last(u32),
    /// None.
    Nothing,
}

/// Bounds and durations of one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomLimits {
    /// Members at once. 20,000: above it one room's join answers and member pages stop being a chat.
    pub members_max: usize,
    /// Sessions attached to one member at once. 8: a person's devices and tabs.
    pub attachments_max: usize,
    /// Scalars in one message. 4,000: what people paste, and under 16 KiB of UTF-8.
    pub message_chars_max: usize,
    /// Bytes of what a program attaches to a message, as JSON. 4 KiB: the address of a file, a key and a thumbnail's hash, or a text that the
    /// ends have encrypted; more belongs elsewhere.
    pub data_bytes_max: usize,
    /// How long a message can be edited, in room time. 24 h: the day on which it is talked about.
    pub edit_window: Duration,
    /// How often one message can be edited. 64: a message that is written as one watches; more is a document. Each is an event that everybody
    /// is told.
    pub edits_max: u32,
    /// Messages shown to a joiner who names no number. 50: two screens.
    pub history_default: usize,
    /// Messages in one answer. 200: bounds the size of one frame.
    pub history_max: usize,
    /// What a newcomer sees of what was said before they came. All of it: a room is a place to read up on. Fixed when they join, for as
    /// long as the room remembers their place.
    pub newcomers_see: NewcomersSee,
    /// Members in one answer. 500: bounds the size of one frame.
    pub members_page_max: usize,
    /// Above this many members joins and leaves are not told one by one. 1,000: with n members each join costs n sends.
    pub notices_members_max: usize,
    /// Notices come back at or below this part of `notices_members_max`, in percent. 90: so that one person who comes
    /// and goes does not switch them on and off.
    pub notices_resume_percent: usize,
    /// How long a lost connection may stay lost before the member has left. 30 s: a phone changing networks.
    pub grace: Duration,
    /// How long a room is kept for an owner who was lost, or who left it empty, in room time and over restarts: if they come back until then,
    /// they are the owner again. 10 min: a flight of stairs, a train's tunnel, a new phone. Then it goes to who follows, as soon as
    /// anybody is there. 0 s: at once.
    pub owner_seat_held: Duration,
    /// Moderators at once, those who left and still have their place included. 64: more than any room has people to keep order, and all are
    /// looked through where one is named.
    pub moderators_max: usize,
    /// How long a room without members waits before it is deleted, over restarts too. 0 s: it goes with its last member.
    pub empty_linger: Duration,
    /// How long a room waits whose last member was lost, and did not leave; no less than `empty_linger`. 0 s: it goes with its last member. More
    /// gives somebody who was alone, and whose connection was lost for longer than the grace, their room again.
    pub lost_linger: Duration,
    /// How far the wall clock may step forward and be believed at once. 1 h: what a change to or from summer time gets wrong, and
    /// far more than a clock that is kept right is ever corrected by. A step back needs no belief: room time goes on.
    pub clock_step_max: Duration,
    /// How long a longer step is doubted, and time goes on by the monotonic clock. 10 min: until then a machine that has started
    /// with a wrong clock has been told the right time. As long waits an empty room whose time ran out while nobody looked.
    pub clock_doubt: Duration,
    /// How long one "is typing" lasts unless renewed. 6 s: so that it cannot stick.
    pub typing_ttl: Duration,
    /// Members shown as typing at once. 16: more is a crowd, not a hint.
    pub typing_members_max: usize,
    /// Messages shown while they grow, at once, one of each member. 4: more text moves than anybody follows.
    pub live_max: usize,
    /// Bytes of text of those messages together. 16 KiB: the longest message, whatever it is written in, or four of 4,000 ASCII characters.
    /// A room holds it twice, as it is and as it is told, and both are counted in [`EngineLimits::memory_bytes_max`].
    pub live_bytes_max: usize,
    /// How long a message is shown as growing after its author last said so. 30 s: as long as an assistant that thinks may be silent.
    pub live_ttl: Duration,
    /// How far apart a room tells what has grown, at least. 100 ms: faster than anybody reads; whatever is set in between, each reader
    /// gets no more than `live_bytes_max` in it.
    pub live_interval: Duration,
    /// Signals of one member at once. 2: a hand that is up and where one looks.
    pub signals_per_member_max: usize,
    /// Bytes of all signals of a room, as they stand in the frame that tells them. 8 KiB: that frame is told whole, to everybody. A room holds it
    /// twice, as it is and as it is told, and both are counted in [`EngineLimits::memory_bytes_max`].
    pub signals_bytes_max: usize,
    /// How long a signal is shown unless renewed. 30 s: who is lost shows nothing for longer than their membership lasts.
    pub signal_ttl: Duration,
    /// How far apart a room tells its signals, at least. 50 ms: what follows a pointer looks smooth.
    pub signals_interval: Duration,
    /// Remembered keys of one person. 64: far more retries than a client has in flight (32).
    pub keys_per_scope_max: usize,
    /// Remembered keys of the room. 4,096: bounds the memory of the window.
    pub keys_max: usize,
    /// Remembered messages (number, author, redacted). 4,096: as far back as the backlog can reach.
    pub marks_max: usize,
    /// People who left, whose places are remembered: number, colour, and what they may see. 4,096, as many as messages; who left
    /// longest ago is forgotten first, and comes back as somebody new. 64 bytes each, and long names beside, 256 KiB in all, and counted in
    /// [`EngineLimits::memory_bytes_max`].
    pub former_max: usize,
    /// People banned at once. 1,024: far more than one owner puts out, and all are looked through at each join. Past it nobody else is
    /// (`bans_full`): a ban ends with its time or is lifted, and none goes for want of room.
    pub bans_max: usize,
    /// Bans in one answer. 100: bounds the size of one frame.
    pub bans_page_max: usize,
    /// Changes of messages (taken back, edited) for which the log does not say yet that it has been amended. 256, a batch of nothing else: past
    /// it none is taken back or edited (`unavailable`), because all of them are in the ledger and its snapshots, and mask what is read until
    /// the log has been amended. As many are remembered to mask pages that are being read.
    pub owed_max: usize,
    /// Bytes of what messages say since they were edited that are held until the log has them. 256 KiB: 256 edits of a screen of text; an edit
    /// that is longer passes alone. Past it none is edited (`unavailable`).
    pub owed_bytes_max: usize,
    /// Changed messages remembered, each with its last change, for those who missed it. 1,024, in 24 KiB: hours of a room in which people
    /// correct themselves. Whoever was away for more than that pages again what they hold.
    pub changes_max: usize,
    /// The last messages that can be reacted to, and to which the room keeps who did. 512: what people still look at. What was reacted to an
    /// earlier one is written into its record, and stays as it is; no more than [`RoomLimits::marks_max`].
    pub reactable_max: usize,
    /// Reactions that a room keeps: of one person, to one message, with one name. 8,192: sixteen to each of the messages that can be reacted to.
    /// With names of any length they are 1 MiB at most, and counted in [`EngineLimits::memory_bytes_max`]. Past it none is taken (`reactions_full`).
    pub reactions_max: usize,
    /// The same, of one person. 64: nobody fills the room for others.
    pub reactions_per_person_max: usize,
    /// Names with which one message is reacted to. 64, as many as one person could use: with 8 numbers beside each they are 12 KiB of a page.
    pub reaction_names_max: usize,
    /// People of whom it is kept how far they have read. 4,096, as many as places; whose position has not moved for longest is forgotten
    /// first. 24 bytes each, 96 KiB in all, and counted in [`EngineLimits::memory_bytes_max`].
    pub reads_max: usize,
    /// How often a log stores how far people have read, at most, for each room. 5 s: what a crash may lose of it is read again in a moment.
    pub reads_interval: Duration,
    /// Unread messages counted. 1,000: past it nobody reads the number.
    pub unread_max: usize,
    /// The longest wait between two messages of one member that may be set as slow mode. 6 h: past it a room is as good as read-only.
    pub slow_max: Duration,
    /// Members of whom a room in slow mode remembers when they last spoke. 20,000, as many as members: who has been silent for longest is
    /// forgotten first. 16 bytes each, 320 KiB in all, in rooms in slow mode alone.
    pub slowed_max: usize,
    /// How long a member waits after a change of what they are shown as before the next, in room time, over leaving, coming back and a
    /// restart. 10 s: everybody in the room is told of each, and nobody takes a name for less. 0 s: no time.
    pub member_change_interval: Duration,
    /// Members of whom a room remembers when they last changed that, for no longer than `member_change_interval`. 4,096: 400 a second; who
    /// did so longest ago is forgotten first. 16 bytes each, 64 KiB in all, and counted in [`EngineLimits::memory_bytes_max`].
    pub member_changes_max: usize,
    /// Events in the shared backlog. 4,096: minutes of a busy room.
    pub backlog_events_max: usize,
    /// Bytes of encoded events in the shared backlog. 1 MiB: 256 bytes for each of `backlog_events_max`, as much as a line or two take.
    pub backlog_bytes_max: usize,
    /// Commands waiting for the room. 1,024: past it senders are told `busy`.
    pub inbox_max: usize,
    /// Commands decided, logged and published together. 256: bounds how long one batch holds up the next.
    pub batch_inputs_max: usize,
    /// At most one view of the room for readers that fell behind in this time. 250 ms: they share it.
    pub gap_view_interval: Duration,
    /// At most one presence count in this time, in rooms too big for notices. 1 s: every member is told it, and nobody reads faster.
    pub presence_interval: Duration,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            members_max: 20_000,
            attachments_max: 8,
            message_chars_max: 4_000,
            data_bytes_max: 4 << 10,
            edit_window: Duration::from_secs(24 * 60 * 60),
            edits_max: 64,
            history_default: 50,
            history_max: 200,
            newcomers_see: NewcomersSee::All,
            members_page_max: 500,
            notices_members_max: 1_000,
            notices_resume_percent: 90,
            grace: Duration::from_secs(30),
            owner_seat_held: Duration::from_secs(10 * 60),
            moderators_max: 64,
            empty_linger: Duration::ZERO,
            lost_linger: Duration::ZERO,
            clock_step_max: SteadyWall::STEP_MAX,
            clock_doubt: SteadyWall::DOUBT,
            typing_ttl: Duration::from_secs(6),
            typing_members_max: 16,
            live_max: 4,
            live_bytes_max: 16 << 10,
            live_ttl: Duration::from_secs(30),
            live_interval: Duration::from_millis(100),
            signals_per_member_max: 2,
            signals_bytes_max: 8 << 10,
            signal_ttl: Duration::from_secs(30),
            signals_interval: Duration::from_millis(50),
            keys_per_scope_max: 64,
            keys_max: 4_096,
            marks_max: 4_096,
            former_max: 4_096,
            bans_max: 1_024,
            bans_page_max: 100,
            owed_max: 256,
            owed_bytes_max: 256 << 10,
            changes_max: 1_024,
            reactable_max: 512,
            reactions_max: 8_192,
            reactions_per_person_max: 64,
            reaction_names_max: 64,
            reads_max: 4_096,
            reads_interval: Duration::from_secs(5),
            unread_max: 1_000,
            slow_max: Duration::from_secs(6 * 60 * 60),
            slowed_max: 20_000,
            member_change_interval: Duration::from_secs(10),
            member_changes_max: 4_096,
            backlog_events_max: 4_096,
            backlog_bytes_max: 1 << 20,
            inbox_max: 1_024,
            batch_inputs_max: 256,
            gap_view_interval: Duration::from_millis(250),
            presence_interval: Duration::from_secs(1),
        }
    }
}

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
    /// Messages that may be sent at once after a pause. 10: a list pasted line by line.
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
            resume_wait: Duration::from_secs(2),
            resume_timeout: Duration::from_secs(30),
            gap_interval: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(30),
            flush_timeout: Duration::from_secs(2),
        }
    }
}

/// Bounds of the whole engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Rooms in memory at once. 1,000,000: 2 GiB at the 2 KiB that one holds beside what `memory_bytes_max` counts. Without a log that is
    /// all rooms alive.
    pub rooms_max: usize,
    /// Rooms of the log that are not in memory, and of which it is known when something in them runs out. 1,000,000: about 300 bytes
    /// each, where a room in memory has 2 KiB and more; those whose members left at different times have 16 bytes for each of them on top, which
    /// count in `memory_bytes_max`. Past it rooms stay in memory.
    pub rooms_away_max: usize,
    /// How long nobody asks for anything in a room of the log that nobody is attached to, before it leaves memory. 60 s: twice the
    /// grace, so that who reloads a page, or changes networks, never waits for the log. At once where memory is short, where places
    /// are and it is empty, and after the visits of a start, which nobody asked for.
    pub room_idle: Duration,
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
    /// Bytes of answers that show much (histories, members, `joined`, and gaps) to all sessions of one address or identity at once
    /// after a pause. 4 MiB: 64 pages, and an office that opens a room. How long one is, is known once it is made: it may be asked for
    /// while nothing is owed, and past this much debt nobody comes back without waiting.
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
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            rooms_max: 1_000_000,
            rooms_away_max: 1_000_000,
            room_idle: Duration::from_secs(60),
            connections_max: 1_000_000,
            sessions_detached_max: 100_000,
            sessions_detached_per_address_max: 1_024,
            ended_max: 100_000,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_lets_nothing_through_is_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        type Change = fn(&mut Limits);
        let set_to_0: [(&str, Change); 4] = [
            ("room.batch_inputs_max", |limits| limits.room.batch_inputs_max = 0),
            ("session.commands_in_flight_max", |limits| limits.session.commands_in_flight_max = 0),
            ("engine.rooms_max", |limits| limits.engine.rooms_max = 0),
            ("engine.connections_max", |limits| limits.engine.connections_max = 0),
        ];
        for (field, set) in set_to_0 {
            let mut limits = Limits::default();
            set(&mut limits);
            let zero = limits.check().expect_err("nobody could do anything");
            assert_eq!(zero.to_string(), format!("the limit `{field}` must not be 0"));
        }
    }
}
