//! Rooms that the host makes, and those that it keeps while nobody is in them.

use tokio::sync::oneshot;

use crate::domain::RoomOptions;
use crate::engine::engine::Engine;
use crate::engine::room_handle::RoomHandle;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::unavailable;
use crate::engine::work::create::DRAWS_MAX;
use crate::engine::work::evict;
use crate::room::Input;
use crate::types::{Epoch, Reject, RejectCode, Seq};

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
    /// As [`RoomHandle::create`], but for `name_taken`; `at_capacity` also where no unused code was found.
    pub async fn create(&self, options: RoomOptions) -> Result<RoomHandle, Reject> {
        for draw in 0..DRAWS_MAX {
            let code = self.shared.ids.code();
            // One's own, so that nobody else has to be asked for what is said in it.
            if draw + 1 < DRAWS_MAX && !self.shared.decides(&code) {
                continue;
            }
            let room = self.room(&code);
            match room.create(options.clone()).await {
                Err(reject) if reject.code == RejectCode::NameTaken => {}
                made => return made.map(|_| room),
            }
        }
        Err(self.shared.no_place())
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
        let (shared, code) = (&self.engine.shared, &self.code);
        if shared.registry.room(code).is_none() && shared.is_full() {
            evict::make_place(shared);
            return Err(shared.no_place());
        }
        let options = Box::new(options.map_secret(|secret| shared.room_secrets.keep(code, &secret)));
        let (epoch, salt) = (shared.ids.epoch(), shared.ids.salt());
        let (answer, answered) = oneshot::channel();
        shared
            .enqueue_new(code, InboxItem::Host { input: Input::Found { options, epoch, salt }, answer: answer.into() });
        answered.await.unwrap_or_else(|_| Err(unavailable())).map(|_| epoch)
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
