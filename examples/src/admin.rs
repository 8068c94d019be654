//! The operator's own listener: metrics, and whether the server is alive and ready. No client has business there.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_core::Engine;
use chat_metrics::Metrics;
use chat_serve::{Hosts, ServeConfig, TrustedProxies, serve};
use tokio::task::JoinHandle;

use super::data::Kept;
use super::flags::parse_listen;
use super::health::health;
use super::run::listen;

/// Holds what whoever asks for metrics has to show, as `Authorization: Bearer`.
pub const ADMIN_TOKEN_VARIABLE: &str = "CHAT_ADMIN_TOKEN";
/// Fewer characters could be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Flags about the operator's own listener.
#[derive(Clone, Debug, clap::Args)]
pub struct AdminFlags {
    /// Answer GET /metrics, /healthz and /readyz here, on a listener of its own; a port alone listens on 127.0.0.1. CHAT_ADMIN_TOKEN (16 characters or
    /// more) in the environment has to be shown then, as `Authorization: Bearer`, for /metrics; without it this may be a loopback address only
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub admin: Option<SocketAddr>,
}

/// Why there is no listener for operators.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Other machines could read it.
    #[error(
        "Cannot listen on {0} for --admin: other machines could read it; set {ADMIN_TOKEN_VARIABLE}, or choose a loopback address"
    )]
    Open(SocketAddr),
    /// A token that says nothing.
    #[error(
        "{ADMIN_TOKEN_VARIABLE} must be {TOKEN_CHARS_MIN} visible ASCII characters or more (`openssl rand -hex 32` draws some)"
    )]
    Token,
    /// The address.
    #[error("Cannot listen on {0} for --admin: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// The operator's listener, for as long as this is there.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub at: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl AdminFlags {
    /// Whether there may be a listener, as far as the flags and the environment tell.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn check(&self) -> Result<(), AdminError> {
        self.admin.map(token_for).transpose().map(drop)
    }

    /// Listens, if that is asked for.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn serve(&self, engine: &Engine, kept: &Arc<Kept>) -> Result<Option<Admin>, AdminError> {
        let Some(address) = self.admin else { return Ok(None) };
        let token = token_for(address)?;
        let listener = listen(address).map_err(|error| AdminError::Listen(address, error))?;
        let at = listener.local_addr().map_err(|error| AdminError::Listen(address, error))?;
        // A page of a stranger may have a name of its own point to this machine.
        let hosts = if token.is_some() { Hosts::Any } else { Hosts::Named(Vec::new()) };
        let router = hosts.guard(routes(engine.clone(), Arc::clone(kept), token), TrustedProxies::default());
        let task = tokio::spawn(serve(listener, router, bounds(), pending()));
        Ok(Some(Admin { at, task }))
    }
}

/// Those who operate the server are few; they hold no more file descriptors than were kept back for what is not a client.
fn bounds() -> ServeConfig {
    ServeConfig { connections_max: 16, connections_per_address_max: 16, ..ServeConfig::default() }
}

fn routes(engine: Engine, kept: Arc<Kept>, token: Option<String>) -> Router {
    let metrics = Metrics::new(&engine);
    let page = async move |headers: HeaderMap| {
        let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
        let page = metrics.page(accepted);
        ([(header::CONTENT_TYPE, page.content_type), (header::CACHE_CONTROL, "no-store")], page.text)
    };
    let token = Arc::new(token);
    let check = middleware::from_fn(move |request: Request, next: Next| {
        let token = Arc::clone(&token);
        async move {
            match token.as_deref() {
                Some(token) if !shows(request.headers(), token) => refused(),
                _ => next.run(request).await,
            }
        }
    });
    Router::new().route("/metrics", get(page)).route_layer(check).merge(health(engine, kept))
}

fn refused() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "show the admin token\n").into_response()
}

/// Whether a request shows the token. How long that takes says nothing of how much of a wrong one was right.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    let shown =
        shown.and_then(|shown| shown.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, shown)) = shown else { return false };
    let (shown, token) = (shown.trim().as_bytes(), token.as_bytes());
    shown.len() == token.len() && shown.iter().zip(token).fold(0, |wrong, (one, other)| wrong | (one ^ other)) == 0
}

/// What has to be shown to a listener at this address.
fn token_for(address: SocketAddr) -> Result<Option<String>, AdminError> {
    let token = token(std::env::var_os(ADMIN_TOKEN_VARIABLE))?;
    let is_open = token.is_none() && !address.ip().to_canonical().is_loopback();
    if is_open { Err(AdminError::Open(address)) } else { Ok(token) }
}

fn token(text: Option<std::ffi::OsString>) -> Result<Option<String>, AdminError> {
    let Some(text) = text else { return Ok(None) };
    let is_good = |text: &String| text.len() >= TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
    text.into_string().ok().filter(is_good).map(Some).ok_or(AdminError::Token)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    async fn ask(token: Option<&str>, path: &str, shown: Option<&str>) -> (StatusCode, String) {
        let router = routes(Engine::builder().build(), Arc::new(Kept::Nowhere), token.map(str::to_owned));
        let request = Request::get(path);
        let request = shown.into_iter().fold(request, |request, shown| request.header("authorization", shown));
        let response = router.oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("all of it");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn metrics_are_for_who_shows_the_token_and_health_is_for_anybody() {
        for wrong in
            [None, Some("Bearer"), Some("Bearer 0123456789abcdeF"), Some("Bearer 0123456789abcde"), Some("Basic x")]
        {
            let (status, body) = ask(Some(TOKEN), "/metrics", wrong).await;
            assert_eq!((status, body.contains("chat_")), (StatusCode::UNAUTHORIZED, false), "{wrong:?}");
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(ask(Some(TOKEN), path, None).await.0, StatusCode::OK);
        }
        for (token, shown) in [(None, None), (Some(TOKEN), Some("bearer 0123456789abcdef"))] {
            let (status, body) = ask(token, "/metrics", shown).await;
            assert_eq!((status, body.contains("chat_draining 0")), (StatusCode::OK, true), "{body}");
        }
    }

    #[tokio::test]
    async fn without_a_token_no_other_machine_can_ask() {
        let (engine, kept) = (Engine::builder().build(), Arc::new(Kept::Nowhere));
        let listen =
            |address: &str| AdminFlags { admin: Some(address.parse().expect("an address")) }.serve(&engine, &kept);
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert!(matches!(listen(address), Err(AdminError::Open(_))), "{address}");
        }
        let admin = listen("127.0.0.1:0").expect("a free port").expect("asked for");
        assert_ne!(admin.at.port(), 0);
        let again = AdminFlags { admin: Some(admin.at) }.serve(&engine, &kept);
        assert!(matches!(again, Err(AdminError::Listen(..))), "{again:?}");
        assert!(AdminFlags { admin: None }.serve(&engine, &kept).expect("nothing is wrong").is_none());
    }

    #[test]
    fn a_token_is_long_and_can_be_typed() {
        assert!(matches!(token(None), Ok(None)));
        assert!(matches!(token(Some(TOKEN.into())), Ok(Some(_))));
        for wrong in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\u{e9}"] {
            assert!(matches!(token(Some(wrong.into())), Err(AdminError::Token)), "{wrong}");
        }
    }
}
