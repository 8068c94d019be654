//! The full chat server: the page, and every transport in front of the same rooms.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chat_core::Engine;
use clap::Parser;
use examples::{Flags, page, run};

/// A chat server with its page. Rooms live in memory, and go with their last member.
#[derive(clap::Parser)]
#[command(name = "server", version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Arguments { flags } = Arguments::parse();
    let engine = Engine::builder().limits(flags.limits()).build();
    let router = Router::new()
        .merge(page())
        .merge(transport_ws::routes(engine.clone(), flags.ws()))
        .merge(transport_sse::routes(engine.clone(), flags.sse()))
        .merge(transport_socketio::routes(engine.clone(), flags.socketio()))
        .merge(health(engine.clone()));
    run(&flags, engine, router, |at| println!("Chat is at http://{at}/")).await
}

/// Whether a load balancer should send clients here.
fn health(engine: Engine) -> Router {
    let answer = move || {
        let is_draining = engine.is_draining();
        async move { if is_draining { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") } else { (StatusCode::OK, "ok\n") } }
    };
    Router::new().route("/healthz", get(answer))
}
