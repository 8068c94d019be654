//! Which requests are answered, and to whose pages.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chat_core::Engine;

use super::command;
use super::config::SseConfig;
use super::open;
use super::shared::Shared;
use super::stream;
use super::watch::Watch;

/// What these routes are, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// The routes of this transport: `GET /sse`, `POST /sse/{session}`, `GET /sse/openapi.json`; for a router with any state, merged or nested.
///
/// Three things are the serving loop's. It puts [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo) into the requests, as
/// `chat_serve::serve` does, and `axum::serve` where it is given `into_make_service_with_connect_info::<SocketAddr>()`: without it clients are
/// served as well, and none has an address, so that nothing bounds how many come from one, and a policy sees `None`. It sets `TCP_USER_TIMEOUT`, or ends sockets that take nothing some other way: the session of a
/// stalled stream is detached after [`stall_timeout`](chat_core::SessionLimits::stall_timeout), but the socket and what
/// it holds stay. And it keeps layers that cut off slow answers, or compress and gather them, away from `GET /sse`.
///
/// End the streams with [`Engine::drain`] before the loop: a server that waits for its requests waits for its streams.
///
/// # Panics
/// Where a listed origin cannot be one: `*`, or what no header can hold. Where cookies are credentials and any page may connect: see
/// [`Credentials`](chat_serve::Credentials).
pub fn routes<S>(engine: Engine, mut config: SseConfig) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let cors = config.credentials.cors(&config.origins);
    config.credentials = config.credentials.where_read(engine.reads_credentials());
    if config.credentials.reads_message() {
        // The query says what a `hello` says elsewhere.
        config.credentials = config.credentials.query("token");
    }
    let watch = Watch::new(engine.clone());
    let router = Router::new()
        // A HEAD must not join anything.
        .route("/sse", get(open::open).head(async || stream::head()))
        .route("/sse/openapi.json", get(openapi))
        .route("/sse/{session}", post(command::submit))
        .with_state(Arc::new(Shared { engine, config, watch }));
    match cors {
        Some(layer) => router.route_layer(layer),
        None => router,
    }
}

/// Asked for each time, and sent only when it has changed: a new server may have another.
async fn openapi(asked: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        OPENAPI.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    });
    let headers = [(CACHE_CONTROL, "no-cache"), (ETAG, TAG.as_str())];
    match asked.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == TAG.as_bytes()) {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, [(CONTENT_TYPE, "application/json")], OPENAPI).into_response(),
    }
}
