//! The policy: whom a token admits, and what guests may.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use chat_core::{AccessToken, Admission, Command, ConnectRequest, Policy, Reject, RejectCode, SessionView};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};

use super::claims::{self, Claims};
use super::config::JwtConfig;
use super::keys::{Key, KeyError, Keys};
use super::provider;

/// Knows people by JSON Web Tokens. See the [crate](crate).
pub struct JwtPolicy {
    config: JwtConfig,
    file: Option<PathBuf>,
    keys: RwLock<Arc<Keys>>,
}

impl JwtPolicy {
    /// With these keys.
    pub fn new(keys: Keys, config: JwtConfig) -> Self {
        provider::install();
        Self { config, file: None, keys: RwLock::new(Arc::new(keys)) }
    }

    /// With the keys of a file.
    ///
    /// # Errors
    /// Where it cannot be used, and why.
    pub fn load(file: impl AsRef<Path>, config: JwtConfig) -> Result<Self, KeyError> {
        let file = file.as_ref();
        Ok(Self { file: Some(file.to_owned()), ..Self::new(Keys::read(file)?, config) })
    }

    /// Reads the file again. Whoever was admitted stays until their token runs out, whatever key it was signed with.
    ///
    /// # Errors
    /// Where it cannot be used, and why: the keys from before stay.
    pub fn reload(&self) -> Result<(), KeyError> {
        let keys = Arc::new(Keys::read(self.file.as_ref().ok_or(KeyError::NoFile)?)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// What a token is good for.
    ///
    /// # Errors
    /// `auth_expired` where it has run out; else `bad_token`, which never repeats it.
    pub fn verify(&self, token: &str) -> Result<Admission, Reject> {
        let bad = |why: &'static str| Reject::new(RejectCode::BadToken, why);
        if token.len() > AccessToken::BYTES_MAX {
            return Err(bad("the token is longer than any of ours"));
        }
        let header = decode_header(token).map_err(|_| bad("this is no JSON Web Token that can be read here"))?;
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let mut refused = bad("no key here is for a token of this kind");
        for key in keys.of(header.alg, header.kid.as_deref()) {
            match decode::<Claims>(token, &key.key, &self.validation(key)) {
                Ok(data) => return claims::admission(&data.claims, &self.config, self.config.clock.now().wall),
                Err(error) => {
                    let (why, is_signed) = words(error.kind());
                    refused = bad(why);
                    if is_signed {
                        break;
                    }
                }
            }
        }
        Err(refused)
    }

    /// By the key, and nothing of the token: an algorithm that it names may be the attacker's choice. Times are looked at by our own clock.
    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        let mut required = vec!["exp", "sub"];
        if !self.config.audiences.is_empty() {
            validation.set_audience(&self.config.audiences);
            required.push("aud");
        }
        if !self.config.issuers.is_empty() {
            validation.set_issuer(&self.config.issuers);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// Why a token is refused, and whether its signature was a true one. Nothing of the token itself.
fn words(kind: &ErrorKind) -> (&'static str, bool) {
    match kind {
        ErrorKind::InvalidSignature => ("the token is signed with another key", false),
        ErrorKind::InvalidAudience => ("the token is for somebody else (aud)", true),
        ErrorKind::InvalidIssuer => ("the token is of somebody else (iss)", true),
        ErrorKind::MissingRequiredClaim(_) => ("the token lacks a claim: exp, sub, or the aud or iss asked for", true),
        ErrorKind::InvalidClaimFormat(_) => ("a claim of the token has another form", true),
        _ => ("this is no JSON Web Token that can be read here", false),
    }
}

impl fmt::Debug for JwtPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtPolicy")
            .field("guests", &self.config.guests)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for JwtPolicy {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match &request.credentials {
            Some(token) => self.verify(token),
            None => self.config.guests.admit(),
        }
    }

    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        self.config.guests.check(session, command)
    }
}
