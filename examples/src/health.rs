//! `/healthz`, whether this process is alive, and `/readyz`, whether a load balancer should send clients here.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chat_core::Engine;

use super::kept::Kept;

/// `/healthz` answers 200 as long as the process answers at all. `/readyz` answers 503, with the reason, from the moment the server goes down, and
/// while it shares a database that does not answer.
pub fn health(engine: Engine, kept: Arc<Kept>) -> Router {
    let ready = move || {
        let why_not = if engine.is_draining() { Some("draining") } else { kept.why_not_ready() };
        async move {
            match why_not {
                Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
                None => (StatusCode::OK, "ok\n".to_owned()),
            }
        }
    };
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_server_that_drains_is_alive_and_not_ready() {
        let engine = Engine::builder().build();
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            health(engine.clone(), Arc::new(Kept::Nowhere)).oneshot(request).await.expect("infallible").status()
        };
        assert_eq!([ask("/healthz").await, ask("/readyz").await], [StatusCode::OK; 2]);
        engine.drain(Duration::ZERO).await;
        assert_eq!([ask("/healthz").await, ask("/readyz").await], [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE]);
    }
}
