//! `/healthz`: whether a load balancer should send clients here.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chat_core::Engine;

/// Answers 200 while clients are let in, and 503 from the moment the engine drains.
pub fn health(engine: Engine) -> Router {
    let answer = move || {
        let is_draining = engine.is_draining();
        async move { if is_draining { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") } else { (StatusCode::OK, "ok\n") } }
    };
    Router::new().route("/healthz", get(answer))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_page_turns_when_the_engine_drains() {
        let engine = Engine::builder().build();
        let ask = || {
            let request = Request::get("/healthz").body(Body::empty()).expect("a request");
            health(engine.clone()).oneshot(request)
        };
        assert_eq!(ask().await.expect("infallible").status(), StatusCode::OK);
        engine.drain(Duration::ZERO).await;
        assert_eq!(ask().await.expect("infallible").status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
