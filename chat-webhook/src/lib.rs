//! Sends what happens in chat rooms to a backend over HTTP: signed, batched, in the order of each room, and at least once.
//!
//! ```no_run
//! use chat_core::{Engine, FeedName};
//! use chat_webhook::{Config, Secret, Webhook};
//!
//! # async fn start(engine: Engine) -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let webhook = Webhook::new("https://backend.example/chat", secret, Config::default())?;
//! let feed = engine.feed_of(FeedName::parse("webhook").expect("a valid name")).await?;
//! let sending = tokio::spawn(webhook.run(feed));
//! # Ok(())
//! # }
//! ```
//!
//! - A delivery is a POST of JSON, as [Standard Webhooks](https://www.standardwebhooks.com) say:
//!   `{"type":"room.events","timestamp":"...","data":{"events":[...]}}`. The events are the frames of the feed (`docs/feed.md`).
//! - `webhook-id` stays the same when a delivery is tried again, and `webhook-timestamp` and `webhook-signature` are those of the attempt.
//! - Rooms are spread over a few lanes. A lane has one request under way, so that the events of a room arrive in order.
//! - What is not answered with a 2xx is tried again, after a pause that grows, for as long as it takes. Nothing after it is read meanwhile: it
//!   waits in the log, which bounds how much it holds back, and then tells a gap (`{"type":"room.gap","data":{"batches":12}}`).

mod config;
mod endpoint;
mod secret;
mod sender;
mod stats;

pub use chat_http::EndpointError as WebhookError;
pub use config::Config;
pub use secret::{BadSecret, Secret};
pub use sender::Webhook;
pub use stats::{Stats, StatsReader};
