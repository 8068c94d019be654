//! Bounds and durations of one room, each with its default and its reason.

use std::time::Duration;

#[cfg(doc)]
use super::EngineLimits;
use crate::types::steady::SteadyWall;

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
    /// Bytes of what a client adds to a creation or a join for the policy. 2 KiB: an invite that is signed, and a form of a few fields.
    pub params_bytes_max: usize,
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
    /// Remembered keys of the host in one room. 4,096: a bot that follows a feed, and saves how far it has come every thousand messages, says
    /// nothing twice. 130 bytes each, 520 KiB in all, in rooms alone in which the host uses keys, and counted in
    /// [`EngineLimits::memory_bytes_max`].
    pub host_keys_max: usize,
    /// Remembered messages (number, author, redacted). 4,096: as far back as the backlog can reach.
    pub marks_max: usize,
    /// People who left, whose places are remembered: number, colour, and what they may see. 4,096, as many as messages; who left
    /// longest ago is forgotten first, and comes back as somebody new. 64 bytes each, and long names beside, 256 KiB in all, and counted in
    /// [`EngineLimits::memory_bytes_max`].
    pub former_max: usize,
    /// Of so many of them it is known which networks they came from, so that who leaves in time is still banned with theirs; no more than
    /// `former_max`. 1,024: hours of comings and goings in a room where anybody is banned. Whoever left longest ago is forgotten first, and
    /// all with the process. 68 bytes each, 68 KiB in all, and counted in [`EngineLimits::memory_bytes_max`].
    pub former_networks_max: usize,
    /// People banned at once. 1,024: far more than one owner puts out, and all are looked through at each join. Past it nobody else is
    /// (`bans_full`): a ban ends with its time or is lifted, and none goes for want of room.
    pub bans_max: usize,
    /// People invited at once ([`Engine::add`](crate::Engine::add)), each once. 1,024: a class that is added by a program before anybody is there, and
    /// all are looked through at each join of somebody new. 16 bytes each, 16 KiB in all, and counted in [`EngineLimits::memory_bytes_max`]. Past it
    /// nobody else is (`at_capacity`): an invite ends with its time or is used, and none goes for want of room.
    pub invites_max: usize,
    /// How long an invite holds. 7 days: whoever is told of it by mail has been at their desk by then.
    pub invite_time: Duration,
    /// Bans in one answer. 100: bounds the size of one frame.
    pub bans_page_max: usize,
    /// Changes of messages (taken back, edited) for which the log does not say yet that it has been amended. 256, a batch of nothing else: past
    /// it none is taken back or edited (`unavailable`), because all of them are in the ledger and its snapshots, and mask what is read until
    /// the log has been amended. As many are remembered to mask pages that are being read. Of somebody who is erased up to
    /// [`ERASED_NUMBERS_MAX`](crate::Event::ERASED_NUMBERS_MAX) ranges are taken back at once: where fewer may be owed, they are owed alone.
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
    /// Bytes of what the owner of a room tells a server that follows it, and that is not played there yet. 8 MiB: two batches of the largest
    /// messages. One that is longer is taken where nothing else waits; past it what is told is read from the log instead.
    pub fed_bytes_max: usize,
    /// Commands that wait for a server to decide for the room, where none does now or it cannot be reached. 1,024, as many as wait for the room
    /// itself; past it senders are told `busy`.
    pub parked_max: usize,
    /// Bytes of what they say. 1 MiB: sixteen of the largest messages, or a thousand usual ones.
    pub parked_bytes_max: usize,
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
            params_bytes_max: 2 << 10,
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
            host_keys_max: 4_096,
            marks_max: 4_096,
            former_max: 4_096,
            former_networks_max: 1_024,
            bans_max: 1_024,
            invites_max: 1_024,
            invite_time: Duration::from_secs(7 * 86_400),
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
            fed_bytes_max: 8 << 20,
            parked_max: 1_024,
            parked_bytes_max: 1 << 20,
            batch_inputs_max: 256,
            gap_view_interval: Duration::from_millis(250),
            presence_interval: Duration::from_secs(1),
        }
    }
}
