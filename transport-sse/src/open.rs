//! `GET /sse`: a session, let into a room where the request asks for it, and then its stream.
//!
//! An `EventSource` never comes back after an answer other than 200, and always after one. So what may pass is told
//! inside a stream that ends, and only what is final is answered with an error.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use chat_core::{Answered, ConnectRequest, Hello, Refusal};
use chat_serve::Shown;

use super::answer;
use super::entry;
use super::shared::Shared;
use super::stream;
use super::stream_request::StreamRequest;

pub(crate) async fn open(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Err(foreign) = shared.check_page(&request) {
        return answer::response(answer::refusal(None, foreign));
    }
    let is_over_tls = shared.config.proxies.is_over_tls(&request);
    let head = request.into_parts().0;
    let asked = match StreamRequest::read(&head, &shared.config.credentials, shared.engine.limits().session.rooms_max) {
        Ok(asked) => asked,
        Err(reject) => return answer::response(answer::refusal(None, reject)),
    };
    let address = shared.config.address.find(&head);
    drop(head);
    let StreamRequest { resume, entry, catch_up, shown } = asked;
    let (credentials, shown_in) = Shown::parts(shown);
    let request = ConnectRequest { transport: "sse", address, credentials, shown_in };
    let connection = match shared.engine.connect(request, Hello { resume, catch_up, ..Hello::default() }).await {
        Ok(connection) => connection,
        Err(Refusal { reject, reconnect_after, .. }) => {
            let reject = match reconnect_after {
                Some(wait) => reject.retry_after(wait),
                None => reject,
            };
            return refuse(&shared, answer::refusal(None, reject));
        }
    };
    match entry::enter(&connection, entry, catch_up).await {
        Ok(late) => {
            // Asked for now: what is set up meanwhile may have taken long.
            let at = shared.config.pass_on.me();
            let cookie = at.as_ref().map(|at| at.cookie(is_over_tls));
            let mut response = stream::of(connection, late, at, &shared);
            if let Some(cookie) = cookie {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
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
