//! A policy that knows people by JSON Web Tokens of an application's own: who they are, what they are called, what they may.
//!
//! ```no_run
//! # fn example() -> Result<(), policy_jwt::KeyError> {
//! use std::sync::Arc;
//!
//! use chat_core::Engine;
//! use policy_jwt::{Guests, JwtConfig, JwtPolicy};
//!
//! let config = JwtConfig::default().with_guests(Guests::Deny);
//! let policy = Arc::new(JwtPolicy::load("jwt-key.pem", config)?);
//! let engine = Engine::builder().policy(Arc::clone(&policy) as _).build();
//! // When the file has changed:
//! policy.reload()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Keys
//!
//! One file, in one of three forms, which is recognised by what is in it:
//!
//! | what is in it | tokens are signed with |
//! |---|---|
//! | a public key in PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`) | RS256 (2,048 bits or more), or EdDSA (Ed25519) |
//! | a key set (JWKS), or one key of it, in JSON: keys of RSA and Ed25519; others in it are passed over | RS256, EdDSA |
//! | anything else, of 32 bytes or more: a secret, without the line's end behind it | HS256 |
//!
//! **The key says which algorithm, never the token.** A token whose header names another one is refused, and so is one without a signature
//! (`none`). A public key is never taken for a secret, and a secret in a key set, which others can read, is an error. What a token's header says of
//! keys elsewhere (`jku`, `x5u`, `jwk`) is not looked at.
//!
//! # Claims
//!
//! | claim | means |
//! |---|---|
//! | `sub`, required | the [`Identity`](chat_core::Identity), of at most 128 bytes |
//! | `exp`, required | until when the person stays; with the leeway behind it ([`Admission::expires_at`](chat_core::Admission::expires_at)) |
//! | `nbf` | not before then |
//! | `aud`, `iss` | as [`JwtConfig`] says. A token for an audience is refused where none is configured |
//! | `name` | what the person is called, as far as a nick holds it ([`Nick::of_name`](chat_core::Nick::of_name)); absent where it is empty, and refused where nothing is left of it |
//! | `chat_role` | `owner`, `moderator` or `member`: [`Admission::with_role`](chat_core::Admission::with_role) |
//! | `chat_rooms` | the codes of the rooms that the person may enter: [`Admission::with_rooms`](chat_core::Admission::with_rooms) |
//!
//! A token that has run out is refused as `auth_expired`, so that its client comes back with another; any other as `bad_token`. No refusal, and nothing
//! that is logged, shows a token.

mod claims;
mod config;
mod der;
mod keys;
mod policy;
mod provider;

pub use chat_core::Guests;
pub use config::JwtConfig;
pub use keys::{KeyError, Keys};
pub use policy::JwtPolicy;
