//! What a client shows to say who it is, from wherever it came: one thing, for a policy that is there.

use crate::engine::shared::Refusal;
use crate::ports::ConnectRequest;
use crate::types::{AccessToken, CloseReason, Reject};

/// Where a credential is that the client itself says.
pub(super) const IN_A_MESSAGE: &str = "message";

/// The request with what the first message shows beside it.
///
/// # Errors
/// `bad_field` or `too_long`, naming `token`: where the two differ, and where the client says one and there is no policy that would look at it: it
/// would take itself for somebody. What a transport hands in is its own affair.
pub(super) fn shown(
    mut request: ConnectRequest,
    said: Option<AccessToken>,
    has_policy: bool,
) -> Result<ConnectRequest, Refusal> {
    if said.is_some() && !has_policy {
        return Err(refusal(Reject::bad_field("token", "nobody here reads credentials: come without")));
    }
    let found = request.credentials.take();
    request.credentials = match (found, said) {
        (Some(found), Some(said)) if found != said.expose() => {
            return Err(refusal(Reject::bad_field("token", "two credentials were sent that are not the same")));
        }
        (None, Some(said)) => {
            request.shown_in = IN_A_MESSAGE;
            Some(said.expose().to_owned())
        }
        (found, _) => found,
    };
    match &request.credentials {
        Some(shown) if shown.len() > AccessToken::BYTES_MAX => {
            Err(refusal(Reject::too_long("token", AccessToken::BYTES_MAX as u64, "bytes")))
        }
        _ => Ok(request),
    }
}

fn refusal(reject: Reject) -> Refusal {
    Refusal { close: CloseReason::ProtocolViolation, reject, reconnect_after: None }
}
