//! Rooms that the host makes, and those that it keeps while nobody is in them.

use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use crate::domain::RoomOptions;
use crate::engine::engine::Engine;
use crate::engine::room_handle::RoomHandle;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::create::DRAWS_MAX;
use crate::engine::work::evict;
use crate::room::Input;
use crate::types::{Epoch, Reject, RejectCode, RoomCode, Seq};

/// How often it is tried to close a room that nobody knows of. 720: for about an hour, at the longest pause of 5 s. What is left then is in the list of rooms, as
/// one that is kept.
const CLOSE_TRIES: usize = 720;

impl Engine {
    /// Makes a room under a code that is drawn until it is unused, as [`RoomHandle::create`] makes one under a code that was chosen.
    ///
    /// ```
    /// # use chat_core::{Engine, Reject, RoomOptions, Topic};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Reject> {
    /// # let engine = Engine::builder().build();
    /// let room = engine.create(RoomOptions::new().topic(Topic::parse("Food")?)).await?;
    /// assert_eq!(room.info().await?.members, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`RoomHandle::create`], but for `name_taken`; `at_capacity` also where no unused code was found. After `unavailable`, and where this is dropped
    /// before it has answered, a room that was made is closed as soon as that can be done: nobody knows its code.
    pub async fn create(&self, options: RoomOptions) -> Result<RoomHandle, Reject> {
        for draw in 0..DRAWS_MAX {
            let code = self.shared.ids.code();
            // One's own, so that nobody else has to be asked for what is said in it.
            if draw + 1 < DRAWS_MAX && !self.shared.decides(&code) {
                continue;
            }
            let (room, epoch) = (self.room(&code), self.shared.ids.epoch());
            let drawn = Drawn { shared: &self.shared, code: &code, epoch, is_known: false };
            match room.found(options.clone(), epoch).await {
                Ok(()) => {
                    drawn.settle();
                    return Ok(room);
                }
                Err(reject) if reject.code == RejectCode::NameTaken => drawn.settle(),
                // It may have been made, and its code is nobody's: whoever asked asks again, and is given another.
                Err(reject) if reject.code == RejectCode::Unavailable => return Err(reject),
                Err(reject) => {
                    drawn.settle();
                    return Err(reject);
                }
            }
        }
        Err(self.shared.no_place())
    }
}

/// A room that is being made under a code that nobody knows yet. Where whoever asked for it is not told of it, it is closed.
struct Drawn<'a> {
    shared: &'a Arc<Shared>,
    code: &'a RoomCode,
    epoch: Epoch,
    is_known: bool,
}

impl Drawn<'_> {
    /// It is known what became of it.
    fn settle(mut self) {
        self.is_known = true;
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        if !self.is_known {
            self.shared.spawn(close_unknown(Arc::downgrade(self.shared), self.code.clone(), self.epoch));
        }
    }
}

/// Closes a room that nobody knows of, if it is there; again and again while nobody can say, but not for ever. The engine is not held meanwhile.
async fn close_unknown(shared: Weak<Shared>, code: RoomCode, epoch: Epoch) {
    let mut backoff = Backoff::default();
    for _ in 0..CLOSE_TRIES {
        let Some(shared) = shared.upgrade() else { return };
        let room = Engine { shared }.room(&code);
        match room.info().await {
            Ok(info) if info.epoch == epoch => {
                if room.close().await.is_ok() {
                    return;
                }
            }
            Ok(_) => return,
            Err(reject) if reject.code == RejectCode::RoomNotFound => return,
            Err(_) => {}
        }
        drop(room);
        tokio::time::sleep(backoff.next()).await;
    }
}

impl RoomHandle {
    /// Makes the room: its log begins with what the options say, nobody is in it, and it stays so, over restarts too where there is a log, until
    /// it is closed or [let go](RoomHandle::let_go). Nobody pays for it, the policy is not asked, and it counts at no address. Whoever of the
    /// members comes first is its owner, where the options say nothing else. Answers with the incarnation that has begun.
    ///
    /// ```
    /// # use chat_core::{Engine, Identity, Reject, RejectCode, RoomCode, RoomOptions, SettingsChange};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Reject> {
    /// # let engine = Engine::builder().build();
    /// let lobby = engine.room(&RoomCode::parse("LOBBY")?);
    /// let options = RoomOptions::new()
    ///     .owner(Identity::new("user:17").expect("an identity"))
    ///     .settings(SettingsChange::new().listed(true));
    /// match lobby.create(options).await {
    ///     Ok(_) => println!("it is new"),
    ///     Err(reject) if reject.code == RejectCode::NameTaken => println!("it is there already"),
    ///     Err(reject) => return Err(reject),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `name_taken` where the code has a room; `too_long` of a setting past its bound; `at_capacity` where there are as many rooms as may be
    /// ([`rooms_max`](crate::EngineLimits::rooms_max)), or they hold as much as they may; `unavailable`, also where a program reads the log that
    /// does not know of such rooms; `busy`. After `unavailable` it may have been made.
    pub async fn create(&self, options: RoomOptions) -> Result<Epoch, Reject> {
        let epoch = self.engine.shared.ids.epoch();
        self.found(options, epoch).await.map(|()| epoch)
    }

    async fn found(&self, options: RoomOptions, epoch: Epoch) -> Result<(), Reject> {
        let (shared, code) = (&self.engine.shared, &self.code);
        if shared.registry.room(code).is_none() && shared.is_full() {
            evict::make_place(shared);
            return Err(shared.no_place());
        }
        let options = Box::new(options.map_secret(|secret| shared.room_secrets.keep(code, &secret)));
        let salt = shared.ids.salt();
        let (answer, answered) = oneshot::channel();
        shared
            .enqueue_new(code, InboxItem::Host { input: Input::Found { options, epoch, salt }, answer: answer.into() });
        answered.await.unwrap_or_else(|_| Err(unavailable())).map(drop)
    }

    /// From now on the room stays while nobody is in it, whoever made it: until it is closed or let go.
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn keep(&self) -> Result<Seq, Reject> {
        self.done(Input::Keep { on: true }).await
    }

    /// From now on the room goes with its last member, as others do. Where nobody is in it, it goes now, or once
    /// [`empty_linger`](crate::RoomLimits::empty_linger) is over.
    ///
    /// # Errors
    /// `room_not_found`, `unavailable`, `busy`.
    pub async fn let_go(&self) -> Result<Seq, Reject> {
        self.done(Input::Keep { on: false }).await
    }
}
