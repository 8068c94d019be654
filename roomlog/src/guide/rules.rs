//! Your rules: allow, refuse or rewrite what people do, act as the host, and set bounds.
//!
//! # Each command
//!
//! [`Policy::check`](crate::Policy::check) is asked about every command, after the room's rates and before its rules. It may wait, for a
//! database say: one session's commands are asked about one after the other, and nobody else waits.
//!
//! ```
//! use std::sync::Arc;
//!
//! use roomlog::{Command, ConnectRequest, Engine, Hello, Policy, Reject, RejectCode, SessionView, async_trait};
//!
//! /// Rooms are made by the staff alone, and nobody shouts.
//! struct HouseRules;
//!
//! #[async_trait]
//! impl Policy for HouseRules {
//!     async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
//!         let is_staff = session.identity.as_ref().is_some_and(|identity| identity.as_str().starts_with("staff-"));
//!         match command {
//!             Command::Create { .. } if !is_staff => Err(Reject::new(RejectCode::Forbidden, "rooms are made by the staff")),
//!             // A text may be empty, where a message has data alone.
//!             Command::Send { ref text, .. } if !text.as_str().is_empty() => {
//!                 let quiet = text.as_str().to_lowercase().parse()?;
//!                 Ok(command.with_text(quiet))
//!             }
//!             other => Ok(other),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().policy(Arc::new(HouseRules)).build();
//! let ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! let refused = ann.call(Command::create("Ann".parse()?)).await.expect_err("she is not of the staff");
//! assert_eq!(refused.code, RejectCode::Forbidden);
//! # Ok(())
//! # }
//! ```
//!
//! Texts come in more commands than `Send`: the table at [`Policy::check`](crate::Policy::check) has them all.
//!
//! # As the host
//!
//! [`Engine::moderate`](crate::Engine::moderate) acts in a room with all rights: kick, ban, take back, set the topic and the settings, name owners
//! and moderators, close. It goes through the room's log like everything else, so that all see it in one order.
//!
//! ```
//! use roomlog::{Engine, MemberId, Moderation, Reject, RoomCode, Seq};
//!
//! async fn put_out(engine: &Engine, room: &RoomCode, member: MemberId) -> Result<Seq, Reject> {
//!     engine.moderate(room, Moderation::RedactAll(member, None)).await?;
//!     engine.moderate(room, Moderation::Kick(member)).await
//! }
//! ```
//!
//! # Rooms of your own
//!
//! A room that the host makes is there before anybody is in it, and stays while nobody is: a lobby, a channel for each game, a room for each order.
//! Members join it as any other. [`Engine::create`](crate::Engine::create) draws a code, [`RoomHandle::create`](crate::RoomHandle::create) takes
//! yours. It ends when it is closed; once it is let go, with its last member.
//!
//! ```
//! use roomlog::{Engine, Identity, Reject, RejectCode, RoomCode, RoomOptions, SettingsChange};
//!
//! /// The room of a team, which is made once, however often this is called.
//! async fn room_of_team(engine: &Engine, code: &RoomCode, leader: Identity) -> Result<(), Reject> {
//!     let options = RoomOptions::new().owner(leader).settings(SettingsChange::new().listed(true));
//!     match engine.room(code).create(options).await {
//!         Err(reject) if reject.code == RejectCode::NameTaken => Ok(()),
//!         made => made.map(drop),
//!     }
//! }
//! ```
//!
//! # Bounds
//!
//! [`Limits`](crate::Limits) has every bound of an engine, each with its default and its reason:
//!
//! ```
//! use std::time::Duration;
//!
//! use roomlog::{Engine, Limits};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut limits = Limits::default();
//! limits.room.message_chars_max = 500;
//! limits.room.empty_linger = Duration::from_secs(3_600);
//! limits.session.send_per_second = 2;
//! let engine = Engine::builder().limits(limits).build();
//! # drop(engine);
//! # }
//! ```
