//! What is promised, by number, and how a world says that one of the promises was broken.

use std::fmt;

/// A promise. Those from 1 to 8 are the invariants of the design, as they are seen from the clients and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// 1: numbers are dense within a life, and time does not go back.
    Dense,
    /// 2: a session sees exactly its interval: in order, nothing twice, nothing missing but what a gap names.
    Interval,
    /// 3: everybody sees the same, and it is what the log holds.
    OneOrder,
    /// 4: members are the fold of the log, history is its last messages.
    Fold,
    /// 5: a room exists exactly while it has members, or the host keeps it; a life that is over never comes back.
    Lifetime,
    /// 6: one key, one message; what is acknowledged is in the log.
    Receipt,
    /// 7: a snapshot and the rest of the log give the ledger that living through it gave.
    Replay,
    /// 8: who was never blocked is never told of a gap.
    NoGap,
    /// Nothing is told before the log has it.
    Logged,
    /// Every command is answered.
    Answered,
    /// Once faults stop everybody catches up.
    CatchUp,
    /// What is due to somebody who reads is told soon.
    InTime,
    /// Whoever's membership has ended is told so, on every device.
    EndTold,
    /// Nobody is let go who is there, or who could not come back.
    Patience,
    /// Stamps go on as time does, whatever is done to the wall clock.
    Time,
    /// A number is a person: whoever comes back after leaving has theirs again, and nobody else ever has it.
    Person,
    /// Nobody learns of a message before their floor, by anything they ask or name.
    Floor,
    /// Nobody new gets into a locked room, and who does not moderate speaks as little as is set; everybody is told what that is.
    Settings,
    /// An owner who is lost is the owner again if they come back in time, and nobody acts on an equal or a higher role.
    Roles,
    /// What members are shown as is theirs to say, seldom, and no two names look alike.
    People,
    /// Nobody comes in while a ban of theirs holds, and nobody is told of a ban who was not banned.
    Banned,
    /// What was taken back or replaced cannot be read in the log.
    TakenBack,
    /// What a client holds is what the log says, whatever it missed.
    Screen,
    /// How far a person has read is never forgotten, and told to nobody else.
    Read,
    /// Who wants no more than so many events on coming back is told one gap where more are due.
    Skips,
    /// What is shown of a slot is what its owner set last, and it goes with them.
    Slots,
    /// Of two connections of a session the older one is over once the newer one is live.
    Replaced,
    /// A session that was ended is over: none of its tokens is good again.
    Ended,
    /// Under one term one server alone decides for a room: what is written and published of it comes from there.
    OneOwner,
    /// Everybody is told the same of a room, at whichever server they are.
    Agreement,
    /// Who is told to be online is connected to some server, and nobody else is.
    Attendance,
    /// A backend is told every event of every room at least once, in the order of each, and nothing is missing but what a gap speaks of.
    Feed,
    /// Every frame is one of the protocol, at a moment when it may come.
    Protocol,
    /// Nothing panics.
    NoPanic,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dense => "1, numbers are dense and time does not go back",
            Self::Interval => "2, a session sees exactly its interval",
            Self::OneOrder => "3, everybody sees what the log holds, in its order",
            Self::Fold => "4, members and history are what the log says",
            Self::Lifetime => "5, a room exists exactly while it has members or is kept",
            Self::Receipt => "6, one key is one message, and what is acknowledged is in the log",
            Self::Replay => "7, replaying the log gives the ledger that was lived through",
            Self::NoGap => "8, who was never blocked is never told of a gap",
            Self::Logged => "logged before told",
            Self::Answered => "every command is answered",
            Self::CatchUp => "once faults stop everybody catches up",
            Self::InTime => "what is due to somebody who reads is told soon",
            Self::EndTold => "whoever's membership has ended is told so, on every device",
            Self::Patience => "nobody is let go who is there, or who could not come back",
            Self::Time => "stamps go on as time does",
            Self::Person => "a number is a person",
            Self::Floor => "nobody learns of a message before their floor",
            Self::Settings => "what is set for a room holds, and is told",
            Self::Roles => "roles are whose they were given, and nobody acts on an equal or a higher one",
            Self::People => "members change what they are shown as seldom, and no two look alike",
            Self::Banned => "nobody comes in who is banned",
            Self::TakenBack => "what was taken back or replaced cannot be read in the log",
            Self::Screen => "every screen shows what the log says",
            Self::Read => "how far a person has read is kept, and theirs alone",
            Self::Skips => "who wants to be told little on coming back is told one gap",
            Self::Slots => "what members show is what they set, and goes with them",
            Self::Replaced => "a newer connection replaces the older one",
            Self::Ended => "a session that was ended stays ended",
            Self::OneOwner => "one server decides for a room",
            Self::Agreement => "all servers say the same",
            Self::Attendance => "who is online is who is connected",
            Self::Feed => "a backend is told every event of every room, in its order",
            Self::Protocol => "every frame is of the protocol",
            Self::NoPanic => "nothing panics",
        })
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The promise that does not hold.
    pub promise: Promise,
    /// What was seen, and what should have been.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise: {}\n  {}", self.promise, self.how)
    }
}

/// Returns with the promise as broken, unless the condition holds.
macro_rules! hold {
    ($condition:expr, $promise:expr, $($how:tt)+) => {
        if !$condition {
            return Err($crate::promise::Broken { promise: $promise, how: format!($($how)+) });
        }
    };
}
pub(crate) use hold;
