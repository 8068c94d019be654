//! What was refused, as an HTTP response: a status, and the codes of the protocol in JSON.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::{Reject, RejectCode};
use schemars::JsonSchema;
use serde::Serialize;

/// Why nothing was answered, with the status that says so.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reject: Reject,
}

/// Why it was refused.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Refused {
    /// Why, for programs: a code of the wire protocol.
    code: &'static str,
    /// Why, for people.
    message: String,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// The bound that was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// After how many milliseconds the same may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal under another status than that of its code.
    pub(crate) fn with(status: StatusCode, reject: Reject) -> Self {
        Self { status, reject }
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self { status: status(reject.code), reject }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, reject } = self;
        let wait = reject.retry_after;
        let body = Refused {
            code: reject.code.as_str(),
            message: reject.message.into_owned(),
            field: reject.field,
            limit: reject.limit,
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        let mut response = json(status, &body);
        if wait.is_some() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, seconds(wait.unwrap_or_default()).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer that nobody keeps.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let json = serde_json::to_vec(body).expect("answers have string keys, and a Vec takes every write");
    let headers =
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, json).into_response()
}

/// The status of a code, as the routes of a transport have it.
pub(crate) fn status(code: RejectCode) -> StatusCode {
    use RejectCode::*;
    match code {
        BadToken => StatusCode::UNAUTHORIZED,
        Forbidden | Banned => StatusCode::FORBIDDEN,
        RoomNotFound | MemberNotFound | MessageNotFound | BanNotFound => StatusCode::NOT_FOUND,
        NameTaken | NickTaken | KeyConflict | RolesFull | BansFull => StatusCode::CONFLICT,
        RateLimited | Busy => StatusCode::TOO_MANY_REQUESTS,
        Unavailable | AtCapacity | Draining => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Whole seconds, not fewer than asked for, and at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).clamp(1, u128::from(u32::MAX)) as u64
}
