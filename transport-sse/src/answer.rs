//! From the answer to a command to an HTTP response: the frame as the body, its meaning as the status.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::{Answered, CloseReason, CommandId, FrameKind, Reject, RejectCode, ServerFrame};

/// Answers with a frame.
pub(crate) fn response(answered: Answered) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let status = answered.reject.as_ref().map_or(StatusCode::OK, status);
    let mut response = (status, headers, answered.json).into_response();
    if is_passing(status) || answered.reject.as_ref().is_some_and(|reject| reject.retry_after.is_some()) {
        let wait = answered.reject.and_then(|reject| reject.retry_after).unwrap_or_default();
        response.headers_mut().insert(RETRY_AFTER, seconds(wait).into());
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The answer to what never reached a session.
pub(crate) fn refusal(id: Option<CommandId>, reject: Reject) -> Answered {
    let frame = ServerFrame::Error {
        until: reject.until,
        id,
        room: None,
        code: reject.code.as_str().to_owned(),
        message: reject.message.clone().into_owned(),
        field: reject.field.map(str::to_owned),
        limit: reject.limit,
        retry_after_ms: reject.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    };
    let json = serde_json::to_vec(&frame).expect("frames have string keys, and a Vec takes every write");
    Answered { kind: FrameKind::Error, json: json.into(), reject: Some(reject) }
}

/// The answer to an end that needed no stream.
pub(crate) fn ended(id: Option<CommandId>) -> Answered {
    let json =
        serde_json::to_vec(&ServerFrame::Ended { id }).expect("frames have string keys, and a Vec takes every write");
    Answered { kind: FrameKind::Ended, json: json.into(), reject: None }
}

/// How a stream ends that a refusal would otherwise have kept from beginning; `None` where trying again is of no use. Whatever says
/// when to try again may pass, also what mostly does not: a nick whose holder is away.
pub(crate) fn passing(reject: &Reject) -> Option<CloseReason> {
    (is_passing(status(reject)) || reject.retry_after.is_some()).then_some(match reject.code {
        RejectCode::Draining => CloseReason::Draining,
        RejectCode::Unavailable => CloseReason::Fault,
        _ => CloseReason::AtCapacity,
    })
}

/// Whether the same may succeed later.
fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn status(reject: &Reject) -> StatusCode {
    use RejectCode::*;
    match reject.code {
        TooLong if reject.field == Some("frame") => StatusCode::PAYLOAD_TOO_LARGE,
        BadFrame | UnknownType | BadField | TooLong => StatusCode::BAD_REQUEST,
        BadToken | AuthExpired => StatusCode::UNAUTHORIZED,
        Forbidden | Banned | NotMember | RoomLocked | SecretWrong | ReadOnly => StatusCode::FORBIDDEN,
        RoomNotFound | MemberNotFound | MessageNotFound | BanNotFound | OutOfReach => StatusCode::NOT_FOUND,
        NameTaken | NickTaken | AlreadyMember | KeyConflict | NotConnected | TooManyRooms | TooManyAttachments
        | RoomFull | RolesFull | BansFull | LiveFull | SignalsFull | TooLate | EditsFull | ReactionsFull => {
            StatusCode::CONFLICT
        }
        RateLimited | Busy => StatusCode::TOO_MANY_REQUESTS,
        Unavailable | AtCapacity | Draining => StatusCode::SERVICE_UNAVAILABLE,
        // One of a later engine: a client does with it what it does with any refusal that it does not know.
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Whole seconds, not fewer than asked for, and at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).clamp(1, u128::from(u32::MAX)) as u64
}
