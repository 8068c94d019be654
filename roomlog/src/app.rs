//! What an application uses of the engine: rooms, commands, rules, watching, bounds.

#[doc(inline)]
pub use chat_core::{
    AccessToken, Add, Added, Admission, AppendMeter, BanId, BanTerm, BanTerms, BansPage, Body, Clock, CloseReason,
    ClusterMeter, Color, Command, CommandKind, CommandMeter, ConnectRequest, Connection, Content, Credential, Data,
    DeliveryOutcome, Engine, EngineBuilder, EngineLimits, Epoch, Event, Extent, Feed, FeedBounds, FeedCursor,
    FeedDeliveries, FeedError, FeedEvent, FeedGap, FeedMeter, FeedName, FeedPage, FrameKind, Guests, Hello, Histogram,
    HistoryAnchor, HistoryPage, Identity, Key, LeaveReason, Limits, LogInUse, MemberChange, MemberId, MembersPage,
    Meters, Moderation, Mono, Named, NewcomersSee, Nick, NickKey, Now, Observer, ObserverEvent, Offset, Params,
    PersonData, PersonSessions, Policy, Position, Reaction, ReactionName, Receipt, Record, Refusal, Reject, RejectCode,
    Resume, Revocation, Role, RoomAbout, RoomCloseReason, RoomCode, RoomEntry, RoomHandle, RoomInfo, RoomLimits,
    RoomMember, RoomOptions, RoomSecret, RoomTag, RoomsPage, Say, Seq, ServerFrame, SessionEntry, SessionId,
    SessionLimits, SessionView, Settings, SettingsChange, SignalData, SignalName, Stats, SystemClock, Topic,
    TransportMeter, TypingState, Wall, WallStep, ZeroLimit,
};
