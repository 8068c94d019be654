//! People and the server: the sessions of a person, the end of them, how the server is, and its drain.

use chat_core::{Reject, RejectCode};

use super::asked::{EndAsked, Nothing, SessionsAsked};
use super::call::Call;
use super::shown::{Draining, Ended, Sessions, Status};

pub(crate) async fn sessions(call: Call<Nothing, SessionsAsked, Nothing>) -> Result<Sessions, Reject> {
    Ok(call.shared.engine.sessions_of(&call.query.identity()?).await.into())
}

pub(crate) async fn end(call: Call<Nothing, Nothing, EndAsked>) -> Result<Ended, Reject> {
    call.shared.engine.end(call.body.who()?).await?;
    Ok(Ended {})
}

pub(crate) async fn status(call: Call<Nothing, Nothing, Nothing>) -> Result<Status, Reject> {
    Ok(Status::of(&call.shared.engine))
}

pub(crate) async fn drain(call: Call<Nothing, Nothing, Nothing>) -> Result<Draining, Reject> {
    let drain = call.shared.config.drain.as_ref();
    let drain = drain.ok_or_else(|| Reject::new(RejectCode::Unavailable, "nothing is set to be done for a drain"))?;
    drain();
    Ok(Draining {})
}
