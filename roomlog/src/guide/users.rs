//! Your users: who somebody is, by a login that your application has already.
//!
//! A [`Policy`](crate::Policy) is asked about every connection, with the credentials that it showed: the token of `Authorization: Bearer`, or
//! over Socket.IO `token` in the `auth`. What it answers is an [`Admission`](crate::Admission):
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, RwLock};
//!
//! use roomlog::{Admission, ConnectRequest, Engine, Identity, Nick, Policy, Reject, RejectCode, async_trait};
//!
//! /// Logins by the token that each was given.
//! #[derive(Default)]
//! struct Users(RwLock<HashMap<String, String>>);
//!
//! #[async_trait]
//! impl Policy for Users {
//!     async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
//!         let token = request.credentials.as_deref().unwrap_or_default();
//!         let name = self.0.read().expect("no panic").get(token).cloned();
//!         let name = name.ok_or_else(|| Reject::new(RejectCode::Forbidden, "log in first"))?;
//!         let admission = Admission::of(Identity::new(&name));
//!         // A name of yours may be no nick, one that is too long say: then people choose their own.
//!         Ok(match Nick::parse(&name) {
//!             Ok(nick) => admission.with_nick(nick),
//!             Err(_) => admission,
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let users = Arc::new(Users::default());
//! users.0.write().expect("no panic").insert("t-1".into(), "Ann".into());
//! let engine = Engine::builder().policy(users).build();
//! # use roomlog::Hello;
//! # let stranger = engine.connect(ConnectRequest::default(), Hello::default()).await;
//! # assert_eq!(stranger.expect_err("turned away").reject.code, RejectCode::Forbidden);
//! # let request = ConnectRequest { credentials: Some("t-1".into()), ..ConnectRequest::default() };
//! # let ann = engine.connect(request, Hello::default()).await.expect("she has logged in");
//! # assert_eq!(ann.identity(), Identity::new("Ann"));
//! # }
//! ```
//!
//! - **An identity is one person**, over all devices: one member of a room, one number, one place in the list.
//! - **A nick of yours** ([`Admission::with_nick`](crate::Admission::with_nick)) takes the place of what people ask for, in every room. So does
//!   [`with_data`](crate::Admission::with_data), which is shown beside it: an avatar, say.
//! - **A token is good only for the identity it was given to**: whoever logs in as somebody else does not go on with the session of before.
//! - **Guests** are [`Admission::guest`](crate::Admission::guest): each is only their session.
//!
//! # Cookies
//!
//! A page can set no header of a WebSocket or an `EventSource`; what the browser sends by itself is a cookie, and each transport is told its name:
//!
#![cfg_attr(feature = "ws", doc = "```")]
#![cfg_attr(not(feature = "ws"), doc = "```ignore")]
//! use roomlog::serve::Credentials;
//! use roomlog::ws::{self, WsConfig};
//!
//! # fn routes(engine: roomlog::Engine) -> axum::Router {
//! ws::routes(engine, WsConfig { credentials: Credentials::off().cookie("login"), ..WsConfig::default() })
//! # }
//! ```
//!
//! Pages of other hosts do not get that far: every transport refuses them before the policy is asked, unless its `origins` list them. Set the
//! cookie `HttpOnly`, `SameSite=Lax` or stricter, and over TLS `Secure`.
//!
//! # Until when
//!
//! [`Admission::with_expiry`](crate::Admission::with_expiry) says until when somebody stays; [`with_rooms`](crate::Admission::with_rooms) and
//! [`with_role`](crate::Admission::with_role) say where, and as what. A client that shows another credential in time stays on its connection, and what that
//! says counts at once. What was said before is taken back by [`Engine::revoke`](crate::Engine::revoke), and [`Engine::end`](crate::Engine::end) ends somebody's
//! sessions for good: change your records first, as whoever comes back is asked about again.
//!
//! [`Engine::add`](crate::Engine::add) brings somebody into a room, wherever they are connected, or invites them; and
//! [`Engine::sessions_of`](crate::Engine::sessions_of) says where they are.
//!
//! Logins that are JSON Web Tokens need no policy of your own (feature `jwt`), and neither do those that a backend of yours is asked about (feature
//! `http-auth`).
