//! Which names a server answers to.
//!
//! A page of `evil.test` may have its own name point at this machine once it is loaded (DNS rebinding): the browser then takes the server for
//! the page's own, and no `Origin` tells. The `Host` of its requests does.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::uri::Authority;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::proxies::TrustedProxies;

/// Names that requests may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// All.
    #[default]
    Any,
    /// These, without a port, beside literal addresses and `localhost`, which nobody can have point elsewhere.
    Named(Vec<String>),
}

impl Hosts {
    /// Whether a request may have been sent to this host, with or without a port.
    pub fn allow(&self, host: &str) -> bool {
        let Self::Named(names) = self else { return true };
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        !host.contains('@')
            && (bare.parse::<IpAddr>().is_ok() || is("localhost") || names.iter().any(|known| is(known)))
    }

    /// The same routes, which answer requests to other hosts with 403 and do nothing. Where a request comes from a trusted proxy, its
    /// host is the one that the proxy names. One without a host is let through: browsers always send it.
    pub fn guard(self, routes: Router, proxies: TrustedProxies) -> Router {
        match self {
            Self::Any => routes,
            Self::Named(_) => routes.layer(from_fn_with_state(Arc::new((self, proxies)), check)),
        }
    }
}

async fn check(State(guard): State<Arc<(Hosts, TrustedProxies)>>, request: Request, next: Next) -> Response {
    let (hosts, proxies) = &*guard;
    match proxies.host(&request) {
        Some(host) if !hosts.allow(host) => {
            (StatusCode::FORBIDDEN, "this server does not answer to that name\n").into_response()
        }
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_listed_names_are_answered_to_and_no_others() {
        let hosts = Hosts::Named(vec!["chat.example.org".to_owned()]);
        for host in [
            "chat.example.org",
            "Chat.Example.ORG:5000",
            "localhost",
            "LOCALHOST:5000",
            "127.0.0.1:5000",
            "192.168.1.7",
            "[::1]:5000",
            "[fd00::1]",
        ] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:5000",
            "chat.example.org.evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "localhost@evil.test",
            "evil.test@localhost",
            "",
            "a b",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
        assert!(Hosts::Any.allow("evil.test"));
    }
}
