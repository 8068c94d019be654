//! Who is added to a room by the host: their connected sessions come in, wherever they are connected, and where there is none, they are invited.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::engine::parcel::{Parcel, Whom};
use crate::engine::rooms::host_view::HostAnswer;
use crate::engine::rooms::inbox::{InboxItem, JoinRequest};
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::reply::Reply;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::welcome::Welcome;
use crate::engine::shared::{Shared, unavailable};
use crate::meters::CommandKind;
use crate::room::{Answer, Caller, Input};
use crate::types::{Identity, Nick, NodeId, Reject, RejectCode, RoomCode, Wall};

/// How long a session that takes nothing now is left alone, before it is looked at again. 50 ms: nobody notices, and it is seldom for a server.
const BUSY: Duration = Duration::from_millis(50);

/// What came of an [`Engine::add`](crate::Engine::add).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// How many connected sessions of the person are in the room now.
    pub attached: usize,
    /// Where that is none: until when the person may come in by themselves, once, in room time; `None` where they are a member already.
    pub invited_until: Option<Wall>,
    /// Why a session that is connected did not come in, where one did not: the first that was told.
    pub refused: Option<Reject>,
    /// Servers that there are, and that have not answered within [`owner_wait`](crate::EngineLimits::owner_wait): sessions that are connected there may have come in, or not.
    pub silent: Vec<NodeId>,
}

/// What has come of it at one server.
#[derive(Default)]
pub(crate) struct AddedHere {
    attached: usize,
    refused: Option<Reject>,
}

impl AddedHere {
    fn note(&mut self, attached: usize, refused: Option<Reject>) {
        self.attached += attached;
        self.refused = self.refused.take().or(refused);
    }
}

impl Shared {
    /// See [`Engine::add`](crate::Engine::add).
    pub(crate) async fn add(
        self: &Arc<Self>,
        identity: Identity,
        room: RoomCode,
        nick: Option<Nick>,
    ) -> Result<Added, Reject> {
        self.check_accepting()?;
        let (done, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.spawn(async move {
            // Whoever asked may be gone.
            let _ = done.send(shared.invite_and_attach(identity, room, nick).await);
        });
        told.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Invites first: who connects in between comes in by that.
    async fn invite_and_attach(
        self: &Arc<Self>,
        identity: Identity,
        room: RoomCode,
        nick: Option<Nick>,
    ) -> Result<Added, Reject> {
        let (until, known) = self.invite(&identity, &room).await?;
        let whom = Whom { identity, room, nick: nick.or(known) };
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::AddHereAlone) {
            let AddedHere { attached, refused } = self.add_here(&whom).await;
            return Ok(Added { attached, refused, ..Added::default() });
        }
        let wait = self.limits.engine.owner_wait;
        let (mut all, heard) = tokio::join!(
            self.add_here(&whom),
            self.ask_each(wait, |number| Parcel::Add { number, whom: whom.clone() })
        );
        for (_, said) in heard.answers {
            if let Parcel::Added { attached, refused, .. } = said {
                all.note(attached as usize, refused);
            }
        }
        let AddedHere { attached, refused } = all;
        let invited_until = until.filter(|_| attached == 0);
        Ok(Added { attached, invited_until, refused, silent: heard.silent })
    }

    /// Until when they are invited, nothing of who is a member; and what the room knows them as.
    async fn invite(
        self: &Arc<Self>,
        identity: &Identity,
        room: &RoomCode,
    ) -> Result<(Option<Wall>, Option<Nick>), Reject> {
        let (answer, answered) = oneshot::channel();
        let input = Input::Invite { identity: identity.clone() };
        self.enqueue(room, InboxItem::Host { input, answer: answer.into() });
        match answered.await.unwrap_or_else(|_| Err(unavailable()))? {
            HostAnswer::Told(Answer::Invited { until, nick }) => Ok((until, nick)),
            other => unreachable!("who is invited is answered until when, and not with {other:?}"),
        }
    }

    /// Another server has somebody added: brings in those who are connected here, and says so.
    pub(crate) fn add_for(self: &Arc<Self>, from: NodeId, number: u64, whom: Whom) {
        let shared = Arc::clone(self);
        self.spawn(async move {
            let AddedHere { attached, refused } = shared.add_here(&whom).await;
            let attached = u32::try_from(attached).unwrap_or(u32::MAX);
            // Where it cannot be told, it does not wait any more.
            let _ = shared.send(from, &Parcel::Added { number, attached, refused });
        });
    }

    /// Brings in the sessions that are connected here, one after the other: the first of them may make the membership that the others come to.
    async fn add_here(self: &Arc<Self>, whom: &Whom) -> AddedHere {
        let mut cells = self.cells_of(&whom.identity);
        cells.retain(|cell| cell.lock().connection.is_some());
        cells.sort_unstable_by_key(|cell| cell.id);
        let mut added = AddedHere::default();
        // A room takes no more of one person.
        for cell in cells.into_iter().take(self.limits.room.attachments_max) {
            match self.bring_in(&cell, whom).await {
                Some(Ok(())) => added.note(1, None),
                Some(Err(reject)) => added.note(0, Some(reject)),
                None => {}
            }
        }
        added
    }

    /// Brings in one session: nothing where it has no connection any more.
    async fn bring_in(self: &Arc<Self>, cell: &Arc<SessionCell>, whom: &Whom) -> Option<Result<(), Reject>> {
        let connection = match self.take_place(cell).await? {
            Ok(connection) => connection,
            Err(reject) => return Some(Err(reject)),
        };
        let (reply, answered) = Reply::channel(None);
        let asked = self.counters.ask(CommandKind::Join);
        let mut reply = ReplyTo::new(Arc::clone(cell), Arc::clone(&connection), reply, 0, asked).of_host();
        let ready = self.input_for(cell, &connection, whom).and_then(|input| {
            connection.may_enter(Some(&whom.room))?;
            self.reserve_for_host(&mut reply, &whom.room)?;
            Ok(input)
        });
        match ready {
            Ok(input) => {
                let request = JoinRequest::Command(reply);
                self.enqueue(&whom.room, InboxItem::Enter { input, request, catch_up: None });
            }
            Err(reject) => reply.reject(Some(&whom.room), reject),
        }
        match answered.await {
            Ok(answered) => match answered.reject {
                // It came in by itself meanwhile, or was there.
                Some(reject) if reject.code == RejectCode::AlreadyMember => Some(Ok(())),
                Some(reject) => Some(Err(reject)),
                None => Some(Ok(())),
            },
            // Its connection is gone.
            Err(_) => None,
        }
    }

    /// What the room is asked.
    fn input_for(&self, cell: &SessionCell, connection: &ConnectionState, whom: &Whom) -> Result<Input, Reject> {
        let named = connection.named();
        let nick = named.as_ref().and_then(|named| named.nick.clone()).or_else(|| whom.nick.clone());
        let (session, generation, network) = (cell.id, connection.generation, connection.network);
        let by = Caller { session, generation, identity: Some(whom.identity.clone()), network, named };
        let unknown = || Reject::bad_field("nick", "neither the policy nor the room says what they are called: say it");
        let nick = nick.ok_or_else(unknown)?;
        Ok(Input::Join { by, nick, data: None, history: None, after: None, secret: None })
    }

    /// Takes a place for an answer to the session, as for a command of its own, once it has one, but does not wait for long: nothing where it has no
    /// connection.
    async fn take_place(&self, cell: &SessionCell) -> Option<Result<Arc<ConnectionState>, Reject>> {
        let busy = || Reject::new(RejectCode::Busy, "the session takes nothing now").retry_after(BUSY);
        let mut left = self.limits.session.resume_wait;
        loop {
            {
                let mut state = cell.lock();
                let connection = state.connection.clone().filter(|_| !state.is_ended)?;
                let is_coming_back = matches!(state.welcome, Welcome::Awaited(_));
                if !is_coming_back && state.takes_more(&self.limits.session) {
                    state.answers.in_flight += 1;
                    return Some(Ok(connection));
                }
            }
            left = match left.checked_sub(BUSY) {
                Some(left) => left,
                None => return Some(Err(busy())),
            };
            tokio::time::sleep(BUSY).await;
        }
    }
}
