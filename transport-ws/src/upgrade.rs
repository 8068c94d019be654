//! From an HTTP request to a WebSocket connection with its own task.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_core::{ConnectRequest, Engine};
use chat_serve::{Shown, reclaim};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::config::WsConfig;
use super::connection;
use super::shared::Shared;

/// The name of this protocol, for clients that want to be sure of it.
const SUBPROTOCOL: &str = "chat.v1";

/// The one route of this transport, `GET /ws` unless the configuration says otherwise; for a router with any state, merged or nested.
///
/// Serve it with a loop that allows HTTP/1.1 upgrades. Tasks of connections outlive the server that accepted them: end
/// them with [`Engine::drain`].
///
/// A client's address is in [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), which `chat_serve::serve` puts into each request, and
/// `axum::serve` where it is given `into_make_service_with_connect_info::<SocketAddr>()`. Without it clients are served as well, and none
/// has an address: nothing bounds how many come from one, and a policy sees `None`.
///
/// # Panics
/// Where cookies are credentials and any page may connect: see [`Credentials`](chat_serve::Credentials).
pub fn routes<S>(engine: Engine, mut config: WsConfig) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    config.credentials.check(&config.origins);
    config.credentials = config.credentials.where_read(engine.reads_credentials());
    let path = config.path.clone();
    Router::new().route(&path, get(upgrade)).with_state(Arc::new(Shared::new(engine, config)))
}

async fn upgrade(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    if !shared.config.origins.allow(&request, &shared.config.proxies) {
        return (StatusCode::FORBIDDEN, "pages of this origin may not connect\n").into_response();
    }
    let Ok(mut response) = create_response_with_body(&request, Body::empty) else {
        let wanted = [(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")];
        return (StatusCode::UPGRADE_REQUIRED, wanted, "this is a WebSocket, version 13\n").into_response();
    };
    if offers_subprotocol(request.headers()) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    let upgrading = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    // What is wrong in it is told once the client listens: no page sees how an upgrade is refused.
    let asked = shared.config.credentials.find(&head).map(|shown| {
        let (credentials, shown_in) = Shown::parts(shown);
        ConnectRequest { transport: "ws", address: shared.config.address.find(&head), credentials, shown_in }
    });
    tokio::spawn(async move {
        // A client that goes away before the answer has reached it has lost nothing yet.
        let Ok(upgraded) = upgrading.await else { return };
        // In a task of its own: this one, with what it has kept for the upgrade, ends here.
        match reclaim(upgraded) {
            Ok(socket) => tokio::spawn(connection::serve(socket, shared, asked)),
            Err(upgraded) => tokio::spawn(connection::serve(TokioIo::new(upgraded), shared, asked)),
        };
    });
    response
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|ws| ws.to_str().ok())
        .flat_map(|ws| ws.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
}
