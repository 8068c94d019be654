//! `GET /sse`: a session, let into a room where the request asks for it, and then its stream.
//!
//! An `EventSource` never comes back after an answer other than 200, and always after one. So what may pass is told
//! inside a stream that ends, and only what is final is answered with an error.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use chat_core::wire::{RoomStatus, Status};
use chat_core::{Answered, Command, ConnectRequest, FrameKind, Hello, Position, Refusal, Reply, ServerFrame, Session};

use super::answer;
use super::asked::Asked;
use super::shared::Shared;
use super::stream;

pub(crate) async fn open(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let head = request.into_parts().0;
    let asked = match Asked::read(&head, shared.engine.limits().session.rooms_max) {
        Ok(asked) => asked,
        Err(reject) => return answer::response(answer::refusal(None, reject)),
    };
    let address = shared.config.address.find(&head);
    drop(head);
    let Asked { resume, entry, credentials } = asked;
    let request = ConnectRequest { transport: "sse", address, credentials };
    let session = match shared.engine.connect(request, Hello { id: None, resume }).await {
        Ok(session) => session,
        Err(Refusal { reject, reconnect_after, .. }) => {
            let reject = match reconnect_after {
                Some(wait) => reject.retry_after(wait),
                None => reject,
            };
            return refuse(&shared, answer::refusal(None, reject));
        }
    };
    match enter(&session, entry).await {
        Ok(()) => stream::of(session, &shared),
        Err(refused) => refuse(&shared, refused),
    }
}

fn refuse(shared: &Shared, refused: Answered) -> Response {
    let passing = refused.reject.as_ref().and_then(|reject| Some((answer::passing(reject)?, reject.retry_after)));
    match passing {
        Some((reason, wait)) => stream::turned_away(&refused.json, reason, wait.unwrap_or(shared.config.retry)),
        None => answer::response(refused),
    }
}

/// Brings a session into the room it asks for, unless it is there already.
///
/// A session that came back to other rooms is not given up for one that will not have it: it reads the answer in its
/// stream.
async fn enter(session: &Session, entry: Option<Command>) -> Result<(), Answered> {
    let Some(mut entry) = entry else { return Ok(()) };
    let standings = standings(session);
    // One that waits for its room is taken for being in it: the stream says later how it is.
    let is_in = |standing: &RoomStatus| matches!(standing.status, Status::Live | Status::Gap | Status::Waiting);
    if let Command::Join { room, after, .. } = &mut entry
        && let Some(standing) = standings.iter().find(|standing| standing.room == room.as_str())
    {
        if is_in(standing) {
            return Ok(());
        }
        *after = standing.epoch.zip(standing.seq).map(|(epoch, seq)| Position { epoch, seq });
    }
    // Where a command is not taken, or its answer does not come, a newer connection has the session: the stream says
    // so.
    if standings.iter().any(is_in) {
        let _ = session.submit(entry, Reply::mailbox(None));
        return Ok(());
    }
    let (reply, answer) = Reply::channel(None);
    if session.submit(entry, reply).is_err() {
        return Ok(());
    }
    match answer.await {
        Ok(answered) if answered.reject.is_some() => Err(answered),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Where the session stands in the rooms it came back to, as its `welcome` says.
fn standings(session: &Session) -> Vec<RoomStatus> {
    let welcome = session.peek().filter(|frame| frame.kind == FrameKind::Welcome);
    match welcome.map(|frame| serde_json::from_slice(&frame.json)) {
        Some(Ok(ServerFrame::Welcome { rooms, .. })) => rooms,
        _ => Vec::new(),
    }
}
