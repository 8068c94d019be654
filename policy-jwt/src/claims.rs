//! What the claims of a token say of its person.

use std::time::Duration;

use chat_core::{Admission, Identity, Nick, Reject, RejectCode, Role, RoomCode, Wall};
use serde_json::{Map, Value};

use super::config::JwtConfig;

/// The most rooms that a token names.
const ROOMS_MAX: usize = 1_024;

pub(crate) type Claims = Map<String, Value>;

/// The admission that a token of these claims is good for; the signature, `aud` and `iss` have been looked at.
///
/// # Errors
/// `auth_expired`, or `bad_token` with the claim that is wrong.
pub(crate) fn admission(claims: &Claims, config: &JwtConfig, now: Wall) -> Result<Admission, Reject> {
    let identity = claims.get("sub").and_then(Value::as_str).and_then(Identity::new);
    let identity = identity.ok_or_else(|| wrong("sub is a text of 1 to 128 bytes"))?;
    let leeway = u64::try_from(config.leeway.as_millis()).unwrap_or(u64::MAX);
    let expires_at = time(claims, "exp")?.ok_or_else(|| wrong("exp is missing"))?.0.saturating_add(leeway);
    if expires_at <= now.0 {
        return Err(Reject::new(RejectCode::AuthExpired, "the token has run out: come with a new one"));
    }
    if let Some(Wall(begins)) = time(claims, "nbf")?
        && begins > now.0.saturating_add(leeway)
    {
        let reject = Reject::new(RejectCode::BadToken, "the token is not good yet");
        return Err(reject.retry_after(Duration::from_millis(begins - now.0)));
    }
    let mut admission = Admission::of(identity).with_expiry(Wall(expires_at));
    if let Some(nick) = nick(claims, &config.nick_claim)? {
        admission = admission.with_nick(nick);
    }
    if let Some(said) = given(claims, &config.role_claim) {
        admission = admission.with_role(match said.as_str() {
            Some("owner") => Role::Owner,
            Some("moderator") => Role::Moderator,
            Some("member") => Role::Member,
            _ => return Err(wrong("the role is owner, moderator or member")),
        });
    }
    if let Some(said) = given(claims, &config.rooms_claim) {
        let codes = said.as_array().filter(|codes| codes.len() <= ROOMS_MAX);
        let codes = codes.ok_or_else(|| wrong("the rooms are a list of at most 1024 codes"))?;
        let parse = |code: &Value| code.as_str().and_then(|code| RoomCode::parse(code).ok());
        let rooms: Option<Vec<RoomCode>> = codes.iter().map(parse).collect();
        admission = admission.with_rooms(rooms.ok_or_else(|| wrong("one of the rooms is no code"))?);
    }
    Ok(admission)
}

/// What somebody is called. An empty name says nothing; one that is there and holds nothing to show is wrong, or whoever has chosen it would go
/// by whatever they ask for here.
fn nick(claims: &Claims, claim: &str) -> Result<Option<Nick>, Reject> {
    let Some(said) = given(claims, claim) else { return Ok(None) };
    match said.as_str() {
        Some(name) if name.trim_matches(' ').is_empty() => Ok(None),
        Some(name) => {
            Nick::of_name(name).map(Some).ok_or_else(|| wrong("the name has nothing in it that may be shown"))
        }
        None => Err(wrong("the name is a text")),
    }
}

/// `null` counts as absent.
fn given<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).filter(|value| !value.is_null())
}

/// Seconds since 1970, of which a fraction is left out.
fn time(claims: &Claims, name: &'static str) -> Result<Option<Wall>, Reject> {
    let Some(said) = given(claims, name) else { return Ok(None) };
    let seconds = match said {
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = number.as_f64()?;
            // The greatest number of milliseconds that is told as a time is far below.
            (0.0..=1e12).contains(&seconds).then_some(seconds as u64)
        }),
        _ => None,
    };
    let seconds = seconds.ok_or_else(|| wrong(if name == "exp" { "exp is no time" } else { "nbf is no time" }))?;
    Ok(Some(Wall(seconds.saturating_mul(1_000).min(1_000_000_000_000_000))))
}

fn wrong(what: &'static str) -> Reject {
    Reject::new(RejectCode::BadToken, format!("the token is not good here: {what}"))
}
