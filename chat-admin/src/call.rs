//! The way of one request: who asks, what is asked, done within its time, told to the audit, answered.

use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::{Engine, Reject, RejectCode, RoomCode};
use chat_metrics::Metrics;
use chat_serve::{Origins, TrustedProxies, within};
use http_body_util::LengthLimitError;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit::AuditLine;
use super::config::AdminConfig;
use super::operation::Operation;
use super::refusal::{Refusal, json};

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: AdminConfig,
    pub(crate) metrics: Metrics,
}

/// A part of a request, as it is read: the path, the query or the body.
pub(crate) trait Part: DeserializeOwned + JsonSchema + Send + 'static {
    /// Whether there is nothing to be read.
    const IS_NOTHING: bool = false;

    /// Adds what the audit says of it.
    fn note(&self, _engine: &Engine, _line: &mut AuditLine) {}
}

/// What an operation is given.
pub(crate) struct Call<P, Q, B> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) path: P,
    pub(crate) query: Q,
    pub(crate) body: B,
    told_of: Arc<OnceLock<RoomCode>>,
}

impl<P, Q, B> Call<P, Q, B> {
    /// Which room it was about, where the request did not say so.
    pub(crate) fn tells_of(&self, room: &RoomCode) {
        // What was told first is so.
        let _ = self.told_of.set(room.clone());
    }
}

/// Answers a request for an operation, which is `run`.
pub(crate) async fn answer<P, Q, B, A, F>(
    shared: Arc<Shared>,
    operation: &'static Operation,
    request: Request,
    run: impl FnOnce(Call<P, Q, B>) -> F + Send + 'static,
) -> Response
where
    P: Part,
    Q: Part,
    B: Part,
    A: Serialize + Send + 'static,
    F: Future<Output = Result<A, Reject>> + Send,
{
    if let Err(refusal) = let_in(&shared, &request) {
        return refusal.into_response();
    }
    let (mut head, body) = request.into_parts();
    let call = async move {
        let mut line = AuditLine::default();
        let answered = carry_out(&shared, &mut head, body, &mut line, run).await;
        if operation.is_act {
            let outcome = answered.as_ref().map_or_else(|refusal| refusal.reject.code.as_str(), |_| "done");
            line.write(&shared.engine, operation.act, outcome, shared.config.address.find(&head));
        }
        answered
    };
    let answered = match operation.is_act {
        // Whoever asked may hang up; what is done is told to the audit all the same.
        true => match tokio::spawn(call).await {
            Ok(answered) => answered,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Reject::new(RejectCode::Unavailable, "the server goes down").into()),
            },
        },
        false => call.await,
    };
    match answered {
        Ok(answer) => json(operation.status(), &answer),
        Err(refusal) => {
            debug_assert!(operation.may_answer(refusal.status), "{}: {refusal:?} is not described", operation.id);
            refusal.into_response()
        }
    }
}

/// Whether somebody may ask at all: with the token where there is one, and from no page of elsewhere. Browsers say of each page where it comes from,
/// and of a request that changes anything always.
pub(crate) fn let_in(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    if !Origins::SameHost.allow(request, &TrustedProxies::default()) {
        return Err(Reject::new(RejectCode::Forbidden, "pages of elsewhere may not ask here").into());
    }
    match &shared.config.token {
        Some(token) if !token.is_shown(request.headers()) => {
            let message = "show the admin token, as Authorization: Bearer, and once";
            Err(Reject::new(RejectCode::BadToken, message).into())
        }
        _ => Ok(()),
    }
}

async fn carry_out<P, Q, B, A, F>(
    shared: &Arc<Shared>,
    head: &mut Parts,
    body: Body,
    line: &mut AuditLine,
    run: impl FnOnce(Call<P, Q, B>) -> F,
) -> Result<A, Refusal>
where
    P: Part,
    Q: Part,
    B: Part,
    F: Future<Output = Result<A, Reject>>,
{
    let Path(path) = match P::IS_NOTHING {
        true => Path(serde_json::from_str("{}").expect("nothing is to be read")),
        false => Path::<P>::from_request_parts(head, &()).await.map_err(|error| bad("path", error.body_text()))?,
    };
    path.note(&shared.engine, line);
    let Query(query) = Query::<Q>::try_from_uri(&head.uri).map_err(|error| bad("query", error.body_text()))?;
    let nothing = || serde_json::from_str("{}").expect("nothing is to be read");
    let body = match B::IS_NOTHING {
        true if head.method == Method::GET || body.is_end_stream() => nothing(),
        // Where there is nothing to say, what is said is looked at all the same: a form's is not.
        true => read::<Option<B>>(shared, &head.headers, body).await?.unwrap_or_else(nothing),
        false => read::<B>(shared, &head.headers, body).await?,
    };
    body.note(&shared.engine, line);
    let told_of = Arc::<OnceLock<RoomCode>>::default();
    let run = run(Call { shared: Arc::clone(shared), path, query, body, told_of: Arc::clone(&told_of) });
    let answered = within(shared.config.answer_timeout, run).await;
    line.room = line.room.take().or_else(|| told_of.get().cloned());
    let late = || Reject::new(RejectCode::Unavailable, "there was no answer in time; it may have been done");
    Ok(answered.unwrap_or_else(|| Err(late()))?)
}

async fn read<B: DeserializeOwned>(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<B, Refusal> {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    // What a form of another page can send is never that.
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let reject = Reject::new(RejectCode::BadFrame, "the body is application/json");
        return Err(Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, reject));
    }
    let bytes_max = shared.config.body_bytes_max;
    let too_long = || {
        let reject = Reject::too_long("body", bytes_max as u64, "bytes");
        Refusal::with(StatusCode::PAYLOAD_TOO_LARGE, reject)
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long());
    }
    let slow = || {
        let reject = Reject::new(RejectCode::BadFrame, "the body did not come in time");
        Refusal::with(StatusCode::REQUEST_TIMEOUT, reject)
    };
    let bytes = match within(shared.config.body_timeout, to_bytes(body, bytes_max)).await {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) if causes(&error).any(|cause| cause.is::<LengthLimitError>()) => return Err(too_long()),
        // The serving loop has a bound of its own.
        Some(Err(error)) if causes(&error).any(is_timeout) => return Err(slow()),
        Some(Err(_)) => return Err(Reject::new(RejectCode::BadFrame, "the body did not come whole").into()),
        None => return Err(slow()),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let is_json =
            !matches!(error.classify(), serde_json::error::Category::Syntax | serde_json::error::Category::Eof);
        match is_json {
            true => bad("body", error.to_string()),
            false => Reject::new(RejectCode::BadFrame, format!("the body is no JSON: {error}")).into(),
        }
    })
}

fn bad(part: &'static str, message: String) -> Refusal {
    Reject::bad_field(part, message).into()
}

fn causes(error: &axum::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

fn is_timeout(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::asked::Nothing;
    use crate::operation::Verb;

    static HANGS: Operation = Operation::act(Verb::Post, "hang", "/hang", "Never answers.");

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_in_time_is_unavailable() {
        let engine = Engine::builder().build();
        let metrics = Metrics::new(&engine);
        let shared = Arc::new(Shared { engine, config: AdminConfig::without_token(), metrics });
        let request = Request::post("/hang").body(Body::empty()).expect("a request");
        let hang = |_: Call<Nothing, Nothing, Nothing>| pending::<Result<(), Reject>>();
        let response = answer(shared, &HANGS, request, hang).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
}
