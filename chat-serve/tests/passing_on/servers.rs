//! Servers that say what they have been asked, and clients that ask them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::http::{StatusCode, request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chat_serve::{PassOn, PassOnLimits, Passed, ServerName};
use hyper_util::rt::TokioIo;
use tokio::io::{copy, split};

use super::several::{Net, call};

/// A server of this name, to which the others find, and its router.
pub(crate) fn join(net: &Arc<Net>, me: &'static str) -> Router {
    join_as(net, me, None, PassOnLimits::default())
}

pub(crate) fn join_as(net: &Arc<Net>, me: &'static str, former: Option<&'static str>, limits: PassOnLimits) -> Router {
    net.join_as(me, former, limits, |pass_on| {
        let routes = Router::new().route("/{*rest}", any(answer)).with_state((me, pass_on));
        Router::new().nest("/deep", routes.clone()).merge(routes)
    })
}

async fn answer(State((me, pass_on)): State<(&'static str, PassOn)>, request: Request) -> Response {
    let at = ServerName::said(&request).map(str::to_owned);
    match pass_on.take(at.as_deref(), request).await {
        Ok(Passed::Here(request)) => here(me, request).await,
        Ok(Passed::Answered(response)) => response,
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error:?}")).into_response(),
    }
}

/// Says who answers, where the request came from, and what it asks; or changes the protocol to one that says everything back.
async fn here(me: &str, mut request: Request) -> Response {
    if request.headers().contains_key("upgrade") {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = split(TokioIo::new(upgraded.await.expect("upgraded")));
            let _ = copy(&mut read, &mut write).await;
        });
        return (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")]).into_response();
    }
    let (head, body) = request.into_parts();
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map_or("nowhere".to_owned(), |peer| peer.0.to_string());
    let uri = head.extensions.get::<OriginalUri>().map_or(&head.uri, |original| &original.0);
    let mut headers: Vec<_> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.sort_unstable();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let body = String::from_utf8(body.into()).expect("text");
    let text = format!("{me} {peer} {} {uri} [{}] {body}", head.method, headers.join(" "));
    (StatusCode::CREATED, [("x-answer", "as it is")], text).into_response()
}

/// Asks a router as a client at 192.0.2.1 would.
pub(crate) async fn ask(router: &Router, request: request::Builder, body: impl Into<Body>) -> Response {
    let peer = SocketAddr::from(([192, 0, 2, 1], 1234));
    call(router, request.extension(ConnectInfo(peer)).body(body.into()).expect("a request")).await
}

pub(crate) async fn text(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, String::from_utf8(body.into()).expect("text"))
}
