//! Bugs on purpose, one at a time: what the simulator must find. Compiled in by the feature `fault_injection` alone.

use std::cell::Cell;
use std::time::Duration;

use crate::domain::{Event, Record};
use crate::types::{Body, Mono, Now, Seq};

/// Declares the bugs, and the list of all of them: none can be left out of it.
macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident,)*) => {
        /// A bug that can be switched on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
        }

        impl Bug {
            /// Every one.
            pub const ALL: &[Bug] = &[$(Self::$bug),*];
        }
    };
}

bugs! {
    /// A reader is not given one event in a while.
    SkipEvent,
    /// One event in a while is told under the number of the one before it.
    ReuseSeq,
    /// An incarnation begins under the epoch of the one before.
    ForgetEpoch,
    /// Who asked is answered before the log has the records.
    AckBeforeAppend,
    /// A member who was put out goes on reading.
    DeliverPastKick,
    /// A room that the host keeps goes with its last member.
    ForgetKept,
    /// Whom the host adds comes in at the server that was asked, and at no other.
    AddHereAlone,
    /// Whom the host has added while they were away gets in again and again, and not once.
    KeepInvite,
    /// Whom the host has added while they were away is let in by a room alone that goes on, and not by one that was read back.
    ForgetInvites,
    /// How far a named feed is done is stored before it is told.
    DoneAhead,
    /// A server that has a named feed again goes on where it was itself, whatever another one has told meanwhile.
    ReadFeedOn,
    /// Who is erased is shown by name as long as a log names them.
    ShowErased,
    /// The keys of who is erased are remembered.
    KeepErasedKeys,
    /// Joins keep the name of who is erased.
    KeepErasedJoins,
    /// A log is told of a member less than a room has.
    MiscountKnown,
    /// A send under a known key is said again.
    ForgetKey,
    /// Who shows a credential for fewer rooms stays in the others.
    KeepForbidden,
    /// What is taken back of an admission counts at the server that was asked, and at no other.
    RevokeHereAlone,
    /// The role that another credential says counts from the next entry on.
    KeepRole,
    /// The host says again what it has said under the same key.
    ForgetHostKey,
    /// A lost connection is not told to its rooms.
    ForgetDetach,
    /// A reader that waits for a gap a second time is not woken for it.
    OversleepGap,
    /// A text that the log could not be made to forget is not tried again.
    ForgetScrub,
    /// Graces run on while a log cannot be reached.
    RunGracesOut,
    /// What the server could not do counts as refused for what the client is.
    BlameClient,
    /// A member who was kicked and came in again is still taken for kicked.
    RememberKick,
    /// The presence last told in an earlier incarnation of the room passes for told in this one.
    WithholdPresence,
    /// What somebody else has written into the log passes for one's own.
    MistakeOthers,
    /// A room that was too slow for the welcome never says where one stands.
    ForgetResumed,
    /// A client that is not listened to for now is taken for silent.
    MistakeSilence,
    /// Where the wall clock has gone back, every record has the stamp of the last.
    StandStill,
    /// A wall clock that is years ahead is believed at once.
    BelieveClock,
    /// A pong that takes longer than a second counts as none.
    ExpectPongAtOnce,
    /// Of the devices of who has left, where leaves are only counted, one is told.
    TellOneDevice,
    /// A gap does not say that something was changed in it.
    HideChange,
    /// Who comes back after leaving is given a new number.
    ForgetPlace,
    /// The floor of what a newcomer sees is not looked at.
    IgnoreFloor,
    /// How far somebody has read is forgotten once they detach.
    ForgetRead,
    /// How far somebody has read is told to everybody in the room.
    TellReadToAll,
    /// A message goes on being shown as growing once its author has gone, or it was taken back.
    KeepLive,
    /// A signal that nobody renews is never taken away.
    KeepSignal,
    /// A newcomer gets into a locked room.
    IgnoreLock,
    /// Everybody speaks in a room that is read-only.
    SpeakReadOnly,
    /// An owner who was lost and comes back in time is not given their seat back.
    ForgetSeat,
    /// A newer token that was never used supersedes the older one.
    SupersedeUnused,
    /// Nobody is asked whether they are banned.
    ForgetBan,
    /// Of all that is taken back at once, the newest message alone is.
    SweepOne,
    /// A member who is called something else is still looked for under the name before.
    KeepNickKey,
    /// A gap does not show what members show beside their names.
    HideMemberData,
    /// What a message says since it was edited does not lie over what is read until the log has it.
    UnmaskEdit,
    /// An edit is not among what was changed: no gap speaks of it.
    ForgetEdit,
    /// What was reacted to counts twice once the room has been read back.
    CountReactionsTwice,
    /// A gap whose last change is a reaction does not say that something was changed in it.
    HideReaction,
    /// What a message was reacted to with is not written into its record when it takes no more.
    ForgetFreeze,
    /// What the log remembers of ended sessions is not read.
    ForgetEnded,
    /// A session that was ended is not asked after when somebody comes back to it.
    ResumeEnded,
    /// A page of later messages leaves one out in a while.
    SkipNewer,
    /// A page of history never says that there are later messages.
    HideNewer,
    /// The gap of somebody who does not want to be told of every event begins with the second one.
    HideSkipped,
    /// Once a room has been read back, its bans bind nobody by where they come from.
    ForgetNetworks,
    /// A ban holds for ever, whatever it was to last.
    OutlastBan,
    /// A ban of a network keeps out an owner or a moderator who was away, too.
    LockOut,
    /// What the host bans binds nobody by where they come from.
    ForgetHostNetworks,
    /// A room whose last member was lost waits no longer than for one who left.
    ForgetLost,
    /// A server decides for a room itself that another one owns.
    DecideForOthers,
    /// A server that follows a room tells its observer of what was published there.
    PublishFollowed,
    /// A follower takes what it is fed for something else that was said.
    MisreadFollowed,
    /// A connection that is lost at a follower is not told to the owner.
    ForgetFollowersDetach,
    /// Whoever is attached at a follower is nobody to the owner.
    ForgetFollowersAttach,
    /// What passes beside the log is not told to followers.
    ForgetNotes,
    /// A follower passes on an answer before the records that it stands on.
    AnswerAhead,
    /// An older connection at another server is not told that a newer one has come in.
    ForgetReplaced,
    /// That a session was ended is known to the server alone that ended it.
    ForgetEndedElsewhere,
    /// A follower keeps a room that nobody is in any more.
    FollowForEver,
    /// What a server says of who is attached there is added to what it said before.
    AddFollowers,
    /// Connections are numbered by their server's clock alone, whatever token they came with.
    NumberByClock,
    /// What waits for a server that decides is not looked at again once there is one.
    ForgetParked,
    /// What another server refuses is charged where it was asked, and once more with the answer.
    ChargeTwice,
    /// Whoever was connected to a server that died has no grace left once another one decides.
    ForgetFreshGrace,
    /// A server that has a room again takes what it knows of it for what the room is, under the term that the table says now.
    BelieveTable,
}

thread_local! {
    static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Switches a bug on in every engine of this thread, or none.
pub fn inject(bug: Option<Bug>) {
    ACTIVE.set(bug);
}

/// Whether this bug is switched on.
pub fn is(bug: Bug) -> bool {
    ACTIVE.get() == Some(bug)
}

/// Whether this bug is switched on and strikes at this number: at every eleventh.
pub(crate) fn strikes(bug: Bug, seq: Seq) -> bool {
    is(bug) && seq.0 % 11 == 10
}

/// A record as it is told, under the number of the one before where that is the bug.
pub(crate) fn renumbered(record: &Record) -> Record {
    let seq = record.seq.map(|seq| if strikes(Bug::ReuseSeq, seq) { Seq(seq.0 - 1) } else { seq });
    Record { seq, ..record.clone() }
}

/// A record as it is told: of a sweep the newest event alone, where that is the bug.
pub(crate) fn narrowed(mut record: Record) -> Record {
    if let (true, Event::Swept { from, to, .. }) = (is(Bug::SweepOne), &mut record.event) {
        *from = *to;
    }
    record
}

/// A record as another server has sent it: something else was said in it, where that is the bug.
pub(crate) fn misread(mut record: Record) -> Record {
    if let (true, Event::Sent { text, .. }) = (is(Bug::MisreadFollowed), &mut record.event) {
        *text = Body::parse("something else", usize::MAX).expect("a valid text");
    }
    record
}

/// The floor of what somebody sees, or none where that is the bug.
pub(crate) fn floor(sees: Seq) -> Seq {
    if is(Bug::IgnoreFloor) { Seq(0) } else { sees }
}

/// A moment of which a grace has passed by now.
pub(crate) fn a_grace_ago(now: Now, grace: Duration) -> Now {
    let ago = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    Now { mono: Mono(now.mono.0.saturating_sub(ago)), ..now }
}

thread_local! {
    static TRIPS: Cell<bool> = const { Cell::new(false) };
}

/// Has every room of this thread panic in the middle of its work over a message `trip`, over somebody called `Trip` who comes in, over
/// a kick, and over its end: once it is published, and before anybody is answered.
pub fn let_rooms_trip(trips: bool) {
    TRIPS.set(trips);
}

/// Panics over a record that a room is to trip over.
pub(crate) fn trip(record: &Record) {
    let trips = match &record.event {
        Event::Sent { text, .. } => text.as_str() == "trip",
        Event::Joined { nick, .. } => nick.as_str() == "Trip",
        Event::Kicked { .. } | Event::Closed { .. } => true,
        _ => false,
    };
    assert!(!(trips && TRIPS.get()), "a room that trips over {record:?}");
}
