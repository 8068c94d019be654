//! The operator's own listener: JSON for rooms and people, metrics, health and a page. No client has business there.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use chat_admin::{AdminConfig, AdminToken};
use chat_core::{Engine, EngineBuilder, Nick};
use chat_serve::{ServeConfig, serve};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::flags::parse_listen;
use super::kept::Kept;
use super::run::listen;

/// Holds what whoever operates the server has to show, as `Authorization: Bearer`.
pub const ADMIN_TOKEN_VARIABLE: &str = "CHAT_ADMIN_TOKEN";

/// Flags about the operator's own listener.
#[derive(Clone, Debug, clap::Args)]
pub struct AdminFlags {
    /// Answer operators here, on a listener of its own: a page, JSON for rooms and people (GET /openapi.json describes it), GET /metrics, /healthz and
    /// /readyz; a port alone listens on 127.0.0.1. CHAT_ADMIN_TOKEN (16 characters or more) in the environment has to be shown then, as
    /// `Authorization: Bearer`; without it this may be a loopback address only, and every user of this machine may act
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub admin: Option<SocketAddr>,

    /// Speak in rooms under this name, which nobody else may take where there is --admin; may be given several times. Servers of one --cluster have the
    /// same
    #[arg(long = "admin-name", value_name = "NAME", default_value = "Operator", value_parser = parse_name)]
    pub admin_names: Vec<String>,
}

/// Why there is no listener for operators.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Other machines could act.
    #[error(
        "Cannot listen on {0} for --admin: other machines could act there; set {ADMIN_TOKEN_VARIABLE}, or choose a loopback address"
    )]
    Open(SocketAddr),
    /// Clients could not, or operators.
    #[error("Cannot listen on {0} for --admin: clients are listened to there; choose another port")]
    Taken(SocketAddr),
    /// A token that says nothing.
    #[error(
        "{ADMIN_TOKEN_VARIABLE} must be {} visible ASCII characters or more (`openssl rand -hex 32` draws some)",
        AdminToken::CHARS_MIN
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
    drain: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Admin {
    /// Waits until an operator asks for the server to go down.
    pub fn drain_asked(&self) -> impl Future<Output = ()> + Send + 'static {
        let drain = Arc::clone(&self.drain);
        async move { drain.notified().await }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl AdminFlags {
    /// Whether there may be a listener beside that of clients, as far as the flags and the environment tell.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn check(&self, clients: SocketAddr) -> Result<(), AdminError> {
        match self.admin {
            Some(address) if is_taken_by(clients, address) => Err(AdminError::Taken(address)),
            Some(address) => token_for(address).map(drop),
            None => Ok(()),
        }
    }

    /// An engine that has the operator's names, where there is an operator.
    pub fn name(&self, engine: EngineBuilder) -> EngineBuilder {
        match self.admin {
            Some(_) => engine.host_names(&self.admin_names).expect("names were read as nicks"),
            None => engine,
        }
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
        let drain = Arc::new(Notify::new());
        let router = routes(engine.clone(), Arc::clone(kept), token, Arc::clone(&drain));
        let task = tokio::spawn(serve(listener, router, bounds(), pending()));
        Ok(Some(Admin { at, drain, task }))
    }
}

/// Those who operate the server are few; they hold no more file descriptors than were kept back for what is not a client.
fn bounds() -> ServeConfig {
    ServeConfig { connections_max: 16, connections_per_address_max: 16, ..ServeConfig::default() }
}

fn routes(engine: Engine, kept: Arc<Kept>, token: Option<AdminToken>, drain: Arc<Notify>) -> Router {
    let config = token.map_or_else(AdminConfig::without_token, AdminConfig::new);
    let config = config.on_drain(move || drain.notify_one()).why_not_ready(move || kept.why_not_ready());
    chat_admin::routes(engine, config)
}

/// Whether nobody can listen at an address while the clients' is listened on. What depends on the system (`[::]` beside an address of IPv4) it says
/// by itself, once it is asked.
fn is_taken_by(clients: SocketAddr, address: SocketAddr) -> bool {
    let (theirs, own) = (clients.ip(), address.ip());
    let is_everywhere = theirs.is_unspecified() || own.is_unspecified();
    let meets = theirs == own || (is_everywhere && theirs.is_ipv4() == own.is_ipv4());
    clients.port() == address.port() && address.port() != 0 && meets
}

/// What has to be shown to a listener at this address.
fn token_for(address: SocketAddr) -> Result<Option<AdminToken>, AdminError> {
    let token = token(std::env::var_os(ADMIN_TOKEN_VARIABLE))?;
    let is_open = token.is_none() && !address.ip().to_canonical().is_loopback();
    if is_open { Err(AdminError::Open(address)) } else { Ok(token) }
}

fn token(text: Option<std::ffi::OsString>) -> Result<Option<AdminToken>, AdminError> {
    let Some(text) = text else { return Ok(None) };
    let token = text.to_str().ok_or(AdminError::Token)?;
    AdminToken::parse(token).map(Some).map_err(|_| AdminError::Token)
}

fn parse_name(text: &str) -> Result<String, String> {
    Nick::parse(text).map(|name| name.to_string()).map_err(|reject| reject.message.into_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn flags(admin: Option<SocketAddr>) -> AdminFlags {
        AdminFlags { admin, admin_names: vec!["Operator".to_owned()] }
    }

    async fn ask(token: Option<&str>, path: &str, shown: Option<&str>) -> (StatusCode, String) {
        let token = token.map(|token| AdminToken::parse(token).expect("it is long enough"));
        let router = routes(Engine::builder().build(), Arc::new(Kept::Nowhere), token, Arc::default());
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
        let listen = |address: &str| flags(Some(address.parse().expect("an address"))).serve(&engine, &kept);
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert!(matches!(listen(address), Err(AdminError::Open(_))), "{address}");
        }
        let admin = listen("127.0.0.1:0").expect("a free port").expect("asked for");
        assert_ne!(admin.at.port(), 0);
        let again = flags(Some(admin.at)).serve(&engine, &kept);
        assert!(matches!(again, Err(AdminError::Listen(..))), "{again:?}");
        assert!(flags(None).serve(&engine, &kept).expect("nothing is wrong").is_none());
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
