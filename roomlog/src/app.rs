//! What an application uses of the engine: rooms, commands, rules, watching, bounds.

#[doc(inline)]
pub use chat_core::{
    Admission, BanId, BanTerm, BanTerms, BansPage, Body, Clock, CloseReason, Color, Command, ConnectRequest,
    Connection, Content, Credential, Data, Engine, EngineBuilder, EngineLimits, Epoch, Event, Extent, Hello,
    HistoryAnchor, Identity, Key, LeaveReason, Limits, LogInUse, MemberChange, MemberId, Moderation, Mono, Named,
    NewcomersSee, Nick, NickKey, Now, Observer, ObserverEvent, Offset, PersonData, Policy, Position, Reaction,
    ReactionName, Record, Refusal, Reject, RejectCode, Resume, Role, RoomCloseReason, RoomCode, RoomLimits, RoomSecret,
    Seq, ServerFrame, SessionId, SessionLimits, SessionView, Settings, SettingsChange, SignalData, SignalName, Stats,
    SystemClock, Topic, TypingState, Wall, WallStep, ZeroLimit,
};
