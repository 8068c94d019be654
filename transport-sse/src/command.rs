//! `POST /sse/{session}`: one client frame in, its answer out.

use std::error::Error;
use std::io;
use std::sync::Arc;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use chat_core::{
    Answered, BadFrame, Busy, ClientFrame, Command, CommandId, CommandSender, ConnectRequest, Extent, Reject,
    RejectCode, Reply, Request as Asked, SessionId,
};
use chat_serve::{NotPassedOn, Passed, ServerName, bearer, within};
use http_body_util::LengthLimitError;

use super::answer;
use super::shared::Shared;

/// How much longer than a frame a body may be before it is not even read.
const BODY_FRAMES_MAX: usize = 4;

pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    session: Result<Path<SessionId>, PathRejection>,
    request: Request,
) -> Response {
    if let Err(foreign) = shared.check_page(&request) {
        return answer::response(answer::refusal(None, foreign));
    }
    let at = ServerName::said(&request).map(str::to_owned);
    let request = match shared.config.pass_on.take(at.as_deref(), request).await {
        Ok(Passed::Here(request)) => request,
        Ok(Passed::Answered(response)) => return response,
        Err(error) => return answer::response(answer::refusal(None, not_passed_on(error))),
    };
    let (head, body) = request.into_parts();
    let session = session.ok().map(|Path(session)| session);
    match take_in(&shared, session, &head.headers, body).await {
        Ok(Taken::Command(sender, frame)) => answer::response(hand_in(&sender, frame).await),
        Ok(Taken::End { session, token, id, extent }) => {
            let from = ConnectRequest {
                transport: "sse",
                address: shared.config.address.find(&head),
                ..ConnectRequest::default()
            };
            let ended = shared.engine.end_by_token(&from, session, &token, extent).await;
            answer::response(ended.map_or_else(|reject| answer::refusal(id, reject), |()| answer::ended(id)))
        }
        Err(Untaken::Refused(reject)) => answer::response(answer::refusal(None, reject)),
        Err(Untaken::Slow) => {
            let reject = Reject::new(RejectCode::BadFrame, "the frame did not come in time");
            let mut response = answer::response(answer::refusal(None, reject));
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response
        }
    }
}

/// Never `not_connected`: the session has its stream, and would lose it to another one.
fn not_passed_on(error: NotPassedOn) -> Reject {
    Reject::new(RejectCode::Unavailable, error.to_string()).retry_after(NotPassedOn::RETRY_AFTER)
}

/// Why no frame reached the session.
enum Untaken {
    Refused(Reject),
    /// The body took too long.
    Slow,
}

impl From<Reject> for Untaken {
    fn from(reject: Reject) -> Self {
        Self::Refused(reject)
    }
}

/// What a request asks.
enum Taken {
    /// For a session with a stream.
    Command(CommandSender, Result<ClientFrame, BadFrame>),
    /// What a session without a stream can do as well, and a token that was superseded.
    End { session: SessionId, token: String, id: Option<CommandId>, extent: Extent },
}

/// Reads the frame of somebody who may speak for the session.
async fn take_in(
    shared: &Shared,
    session: Option<SessionId>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Taken, Untaken> {
    let token = bearer(headers).ok_or_else(|| Reject::new(RejectCode::BadToken, "the token is missing"))?;
    let session = session.ok_or_else(|| Reject::new(RejectCode::BadToken, "the token is not of this session"))?;
    // Nothing is read of somebody who may do nothing.
    if let Err(reject) = shared.engine.sender(session, token) {
        shared.engine.may_end(session, token).map_err(|_| reject)?;
    }
    let bytes = read(shared, body).await?;
    let limits = shared.engine.limits();
    let frame = ClientFrame::parse(&bytes, &limits.room, &limits.session);
    // Asked for again: reading may have taken longer than the stream lived.
    match (shared.engine.sender(session, token), frame) {
        (Ok(sender), frame) => Ok(Taken::Command(sender, frame)),
        (Err(_), Ok(ClientFrame { id, request: Asked::Command(Command::End { token: None, extent, .. }) })) => {
            Ok(Taken::End { session, token: token.to_owned(), id, extent })
        }
        (Err(reject), _) => Err(reject.into()),
    }
}

async fn read(shared: &Shared, body: Body) -> Result<Bytes, Untaken> {
    let frame_bytes_max = shared.engine.limits().session.frame_bytes_max;
    let bytes_max = frame_bytes_max.saturating_mul(BODY_FRAMES_MAX);
    let too_long = || Reject::too_long("frame", frame_bytes_max as u64, "bytes");
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long().into());
    }
    match within(shared.config.body_timeout, to_bytes(body, bytes_max)).await {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) if causes(&error).any(|cause| cause.is::<LengthLimitError>()) => Err(too_long().into()),
        // The serving loop has a bound of its own.
        Some(Err(error)) if causes(&error).any(is_timeout) => Err(Untaken::Slow),
        Some(Err(_)) => Err(Reject::new(RejectCode::BadFrame, "the frame did not come whole").into()),
        None => Err(Untaken::Slow),
    }
}

fn causes(error: &axum::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

fn is_timeout(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

async fn hand_in(sender: &CommandSender, frame: Result<ClientFrame, BadFrame>) -> Answered {
    let (id, command) = match frame {
        Ok(ClientFrame { id, request: Asked::Command(command) }) => (id, Ok(command)),
        Ok(ClientFrame { id, request: Asked::Hello(_) }) => {
            (id, Err(Reject::new(RejectCode::UnknownType, "a stream is asked for with GET, not with hello")))
        }
        Err(BadFrame { id, reject }) => (id, Err(reject)),
    };
    let (reply, answer) = Reply::channel(id);
    let taken = match command {
        Ok(command) => sender.submit(command, reply),
        Err(reject) => sender.refuse(BadFrame { id, reject }, reply),
    };
    if let Err(Busy) = taken {
        return answer::refusal(id, Reject::new(RejectCode::Busy, "too many commands are in flight"));
    }
    answer.await.unwrap_or_else(|_| {
        let reject = Reject::new(RejectCode::Unavailable, "the stream was replaced before the answer");
        answer::refusal(id, reject)
    })
}
