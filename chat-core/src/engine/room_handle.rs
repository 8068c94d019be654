//! One room as the host has it: it speaks there, looks, and moderates, without being there.

use std::fmt;
use std::pin::Pin;

use tokio::sync::oneshot;

use crate::domain::{BanTerms, Content, HistoryAnchor, MemberChange, Role, RoomCloseReason, Said, SettingsChange};
use crate::engine::engine::Engine;
use crate::engine::rooms::host_view::{BansPage, HistoryPage, HostAnswer, MembersPage, RoomInfo};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::unavailable;
use crate::room::{Actor, Answer, Input, More, Repeated};
use crate::types::{BanId, Body, Data, Key, MemberId, Nick, Reject, RoomCode, Seq, Topic, Wall};

/// A room, with all rights in it; see [`Engine::room`]. Cheap to clone. It holds no place in the room, and keeps nothing alive.
///
/// What it does goes through the room's log, in one order with what members do, and without asking the policy. Where another server decides for the
/// room, it is asked there; where that cannot be reached, the answer is `unavailable`, and what was asked may have been done.
///
/// ```
/// # use chat_core::{Command, ConnectRequest, Engine, Hello, Key, Nick, RoomCode, ServerFrame};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder().host_names(["Bot"])?.build();
/// let lunch = RoomCode::parse("LUNCH")?;
/// # let mut ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
/// # ann.call(Command::create(Nick::parse("Ann")?).with_room(lunch.clone())).await?;
/// let room = engine.room(&lunch);
/// room.say("Bot", "Today there is pizza.").await?;
///
/// // Said once, however often it is asked for.
/// let first = room.say("Bot", "The kitchen is closed.").with_key(Key::parse("closed:7")?).await?;
/// let again = room.say("Bot", "The kitchen is closed.").with_key(Key::parse("closed:7")?).await?;
/// assert_eq!((first.seq, again.repeated), (again.seq, true));
///
/// assert_eq!(room.info().await?.members, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RoomHandle {
    pub(super) engine: Engine,
    pub(super) code: RoomCode,
}

/// What came of a [`RoomHandle::say`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The number of the message.
    pub seq: Seq,
    /// Its time.
    pub at: Wall,
    /// Whether it had been said before, under the same key: these are the number and the time that it was given then.
    pub repeated: bool,
}

/// A message of the host's, said when it is awaited; made by [`RoomHandle::say`].
#[derive(Clone, Debug)]
#[must_use = "nothing is said until it is awaited"]
pub struct Say<'a> {
    room: &'a RoomHandle,
    name: &'a str,
    text: String,
    data: Option<Data>,
    reply_to: Option<Seq>,
    key: Option<Key>,
}

impl Engine {
    /// A room, as the host has it: there, or not.
    pub fn room(&self, code: &RoomCode) -> RoomHandle {
        RoomHandle { engine: self.clone(), code: code.clone() }
    }
}

impl RoomHandle {
    /// Its code.
    pub fn code(&self) -> &RoomCode {
        &self.code
    }

    /// Says something under one of the host's names ([`EngineBuilder::host_names`](crate::EngineBuilder::host_names)): a message that is no
    /// member's. Nothing of what bounds members holds for it: no rate, no slow mode, no lock; and it keeps no room alive. The text may be empty where
    /// there is data. Awaited, it gives a [`Receipt`].
    ///
    /// # Errors
    /// `bad_field` of a `name` that is not among the host's; `too_long` or `bad_field` of a text as of a member's; `bad_field` of a `reply_to` that
    /// is no event; `key_conflict` where the key was used for something else; `room_not_found`, `at_capacity`, `unavailable`, `busy`.
    pub fn say<'a>(&'a self, name: &'a str, text: impl Into<String>) -> Say<'a> {
        Say { room: self, name, text: text.into(), data: None, reply_to: None, key: None }
    }

    /// The room as it is.
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn info(&self) -> Result<RoomInfo, Reject> {
        match self.ask(Input::Look).await? {
            HostAnswer::Info(info) => Ok(info),
            other => unreachable!("who looks at a room is shown it, and not {other:?}"),
        }
    }

    /// Members in the order of their numbers: after the member `after`, at most `limit` of them, and no more than
    /// [`members_page_max`](crate::RoomLimits::members_page_max).
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn members(&self, after: Option<MemberId>, limit: Option<u32>) -> Result<MembersPage, Reject> {
        match self.ask(Input::Members { by: Actor::Host, after, limit }).await? {
            HostAnswer::Members(page) => Ok(page),
            other => unreachable!("who asks for members is shown them, and not {other:?}"),
        }
    }

    /// Messages around a place, as they are now: at most `limit` of them, or [`history_default`](crate::RoomLimits::history_default). The host
    /// sees all of them, whatever newcomers do.
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn history(&self, anchor: HistoryAnchor, limit: Option<u32>) -> Result<HistoryPage, Reject> {
        match self.ask(Input::History { by: Actor::Host, anchor, limit }).await? {
            HostAnswer::History(page) => Ok(page),
            other => unreachable!("who asks for messages is shown them, and not {other:?}"),
        }
    }

    /// Those who are kept out, in the order of their bans: after the ban `after`, at most `limit` of them, and no more than
    /// [`bans_page_max`](crate::RoomLimits::bans_page_max). What is over is not there.
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn bans(&self, after: Option<BanId>, limit: Option<u32>) -> Result<BansPage, Reject> {
        match self.ask(Input::Bans { by: Actor::Host, after, limit }).await? {
            HostAnswer::Told(Answer::Bans { page, more }) => Ok(BansPage { bans: page, more: more == More::Yes }),
            other => unreachable!("who asks for bans is shown them, and not {other:?}"),
        }
    }
}

/// What moderates. Each answers with the number of its event; where none is told (nothing had to be done, or the room was closed), with that of the
/// last one told. Each may be refused with `room_not_found`, `unavailable` and `busy`, beside what stands there.
impl RoomHandle {
    /// Puts a member out.
    ///
    /// # Errors
    /// `member_not_found`.
    pub async fn kick(&self, member: MemberId) -> Result<Seq, Reject> {
        self.done(Input::Kick { by: Actor::Host, member }).await
    }

    /// Keeps somebody out on these terms, and puts them out first if they are there.
    ///
    /// # Errors
    /// `member_not_found`, `bans_full`.
    pub async fn ban(&self, member: MemberId, terms: BanTerms) -> Result<Seq, Reject> {
        self.done(Input::Ban { by: Actor::Host, member, terms }).await
    }

    /// Lets somebody in again who was banned.
    ///
    /// # Errors
    /// `ban_not_found`.
    pub async fn unban(&self, ban: BanId) -> Result<Seq, Reject> {
        self.done(Input::Unban { by: Actor::Host, ban }).await
    }

    /// Takes back a message: a member's, or the host's own.
    ///
    /// # Errors
    /// `message_not_found`.
    pub async fn redact(&self, message: Seq) -> Result<Seq, Reject> {
        self.done(Input::Redact { by: Actor::Host, target: message, evidence: None }).await
    }

    /// Takes back all that a member said, from an event on; from the first where there is none. They may have left.
    ///
    /// # Errors
    /// `member_not_found`.
    pub async fn redact_all(&self, member: MemberId, from: Option<Seq>) -> Result<Seq, Reject> {
        self.done(Input::RedactAll { by: Actor::Host, member, from }).await
    }

    /// Says what the room is about.
    pub async fn topic(&self, topic: Topic) -> Result<Seq, Reject> {
        self.done(Input::SetTopic { by: Actor::Host, topic }).await
    }

    /// Changes what is set, in what is named.
    ///
    /// # Errors
    /// `too_long` of what is past its bound.
    pub async fn settings(&self, change: SettingsChange) -> Result<Seq, Reject> {
        let change = change.map_secret(|secret| self.engine.shared.room_secrets.keep(&self.code, &secret));
        self.done(Input::Settings { by: Actor::Host, change }).await
    }

    /// Changes what a member is shown as, in what is named. The name may look like another's, and no time has to pass in between. What the
    /// policy says of the person ([`Admission::named`](crate::Admission::named)) takes its place again when they come back.
    ///
    /// # Errors
    /// `member_not_found`.
    pub async fn change_member(&self, member: MemberId, change: MemberChange) -> Result<Seq, Reject> {
        self.done(Input::ChangeMember { member, change }).await
    }

    /// Says what somebody may do. The owner before, if there is one, is a moderator from then on.
    ///
    /// # Errors
    /// `member_not_found`, `roles_full`; `bad_field` where the room would be left without an owner.
    pub async fn role(&self, member: MemberId, role: Role) -> Result<Seq, Reject> {
        self.done(Input::SetRole { by: Actor::Host, member, role }).await
    }

    /// Keeps the room for the host: from now on only [`RoomHandle::role`] says who is its owner. Nobody follows an owner who is gone, and no
    /// member hands the room on. For as long as the room lives.
    pub async fn protect(&self) -> Result<Seq, Reject> {
        self.done(Input::Protect).await
    }

    /// Ends the room for everyone.
    pub async fn close(&self) -> Result<Seq, Reject> {
        self.done(Input::Close { cause: RoomCloseReason::Host }).await
    }

    pub(super) async fn done(&self, input: Input) -> Result<Seq, Reject> {
        match self.ask(input).await? {
            HostAnswer::Told(Answer::Done { seq }) => Ok(seq),
            other => unreachable!("what is done is answered as done, and not with {other:?}"),
        }
    }

    /// What the room says to the host.
    pub(super) async fn ask(&self, input: Input) -> Result<HostAnswer, Reject> {
        let (answer, answered) = oneshot::channel();
        self.engine.shared.enqueue(&self.code, InboxItem::Host { input, answer: answer.into() });
        answered.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

impl fmt::Debug for RoomHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoomHandle").field(&self.code).finish()
    }
}

impl Say<'_> {
    /// The same with this attached, as a program does.
    pub fn with_data(self, data: impl Into<Option<Data>>) -> Self {
        Self { data: data.into(), ..self }
    }

    /// The same in answer to this message.
    pub fn with_reply_to(self, message: impl Into<Option<Seq>>) -> Self {
        Self { reply_to: message.into(), ..self }
    }

    /// The same, once: whoever asks again with this key, under whichever name and from whichever server, is answered with what was said first. A
    /// room remembers the last [`host_keys_max`](crate::RoomLimits::host_keys_max) of the host's keys.
    pub fn with_key(self, key: impl Into<Option<Key>>) -> Self {
        Self { key: key.into(), ..self }
    }

    async fn send(self) -> Result<Receipt, Reject> {
        let name = Nick::parse(self.name).map_err(|reject| Reject { field: Some("name"), ..reject })?;
        let chars_max = self.room.engine.limits().room.message_chars_max;
        let text = match self.text.as_str() {
            "" if self.data.is_some() => Body::empty(),
            text => Body::parse(text, chars_max)?,
        };
        let said = Said::from(Content::text(text).with_data(self.data)).with_reply_to(self.reply_to);
        match self.room.ask(Input::Say { name, said, key: self.key }).await? {
            HostAnswer::Told(Answer::Sent { seq, at, repeated }) => {
                Ok(Receipt { seq, at, repeated: repeated == Repeated::Retry })
            }
            other => unreachable!("what is said is answered with its number, and not with {other:?}"),
        }
    }
}

impl<'a> IntoFuture for Say<'a> {
    type Output = Result<Receipt, Reject>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
