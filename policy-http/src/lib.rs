//! A policy that asks an application's backend over HTTP who somebody is, and what they may.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use chat_core::Engine;
//! use policy_http::{Guests, HttpConfig, HttpPolicy, Secret};
//!
//! let secret = Some(Secret::parse("0123456789abcdef0123456789abcdef")?);
//! let config = HttpConfig { guests: Guests::Deny, secret, ..HttpConfig::default() };
//! let policy = Arc::new(HttpPolicy::new("https://backend.example/chat/auth", config)?);
//! let engine = Engine::builder().policy(policy).build();
//! # Ok(())
//! # }
//! ```
//!
//! # What it asks
//!
//! A POST of JSON, when a client comes, comes back, or shows another credential; never about a command. Who shows no credential is a guest, of whom nothing
//! is asked: [`Guests`] says what they may.
//!
//! ```json
//! {"transport":"ws","address":"192.0.2.7","credential":"what the client has shown","shown_in":"cookie"}
//! ```
//!
//! `address` is `null` where it is not known. `shown_in` is `bearer`, `cookie`, `query`, or `message` for the `token` of a first message or of an `auth`: a
//! session's cookie is looked up otherwise than a token. The server says who it is by `Authorization: Bearer` and the [`Secret`] that both know.
//!
//! # What the backend answers
//!
//! | status | means |
//! |---|---|
//! | 200, with an admission | come in |
//! | 401 | `bad_token`; with `"code":"auth_expired"` that: the client is to come back with another credential |
//! | 403 | `forbidden` |
//! | anything else, nothing in time, no JSON, more bytes than [`HttpConfig::answer_bytes_max`] | `unavailable`: the client comes again after a moment, or when `retry-after` says so. A redirect is not followed |
//!
//! The body of a 401 or 403 may have a `message`, which the client is shown. An admission is an object of these fields, and one that has another is not
//! understood: it might be a limit that nobody kept.
//!
//! | field | means |
//! |---|---|
//! | `identity`, required | the [`Identity`](chat_core::Identity), of 1 to 128 bytes; `null` for a guest |
//! | `nick` | what the person is called, wherever they are; shortened to what a nick holds |
//! | `data` | an object of 256 bytes that is shown beside the name |
//! | `role` | `owner`, `moderator` or `member`: [`Admission::with_role`](chat_core::Admission::with_role) |
//! | `rooms` | the codes of the rooms that the person may enter, at most 1,024: [`Admission::with_rooms`](chat_core::Admission::with_rooms) |
//! | `expires_at` | until when the person stays, in seconds since 1970 ([`Admission::expires_at`](chat_core::Admission::expires_at)) |
//! | `ttl` | for how many seconds the same question is answered without asking again, at most 3,600; 0 for never. [`HttpConfig::ttl`] where it says nothing |
//!
//! Only admissions are remembered, by a hash of the question, and no longer than two minutes before they run out: whoever renews theirs in time is asked about.
//!
//! # When it is down
//!
//! Nobody comes in whom it does not know of yet; whoever is connected stays, until their admission runs out. Requests under way are bounded
//! ([`HttpConfig::requests_max`]), and who waits for one of them gets the answer `unavailable` after [`HttpConfig::timeout`]. One warning a minute at most is logged when it begins to fail, and
//! a line when it answers again. Nothing that is logged, and no refusal, shows a credential.

mod admission;
mod ask;
mod cache;
mod config;
mod policy;

pub use chat_core::Guests;
pub use chat_http::EndpointError;
pub use config::{BadSecret, HttpConfig, Secret};
pub use policy::HttpPolicy;
