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
