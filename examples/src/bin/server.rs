//! The full chat server: the page, and every transport in front of the same rooms.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use chat_core::Engine;
use clap::Parser;
use examples::{DataFlags, Flags, Operator, block_on, health, page, run_with, say, tell};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;

/// A chat server with its page. Rooms go with their last member, and live in memory unless --data names a folder or a database, or --cluster one that
/// several servers share.
#[derive(clap::Parser)]
#[command(name = "server", version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    data: DataFlags,
}

fn main() -> ExitCode {
    block_on(serve())
}

async fn serve() -> ExitCode {
    let Arguments { flags, data } = Arguments::parse();
    let engine = Engine::builder().limits(data.limits(flags.limits())).observer(Arc::new(Operator));
    let (engine, kept) = match data.open(engine).await {
        Ok((engine, kept)) => (engine.build(), Arc::new(kept)),
        Err(error) => {
            tell(error);
            return ExitCode::FAILURE;
        }
    };
    let sending = match data.webhook.start(&engine).await {
        Ok(sending) => sending,
        Err(error) => {
            tell(error);
            return ExitCode::FAILURE;
        }
    };
    let sse = SseConfig { pass_on: kept.pass_on(), ..flags.sse() };
    let socketio = SocketIoConfig { pass_on: kept.pass_on(), ..flags.socketio() };
    let router = Router::new()
        .merge(page())
        .merge(transport_ws::routes(engine.clone(), flags.ws()))
        .merge(transport_sse::routes(engine.clone(), sse))
        .merge(transport_socketio::routes(engine.clone(), socketio))
        .merge(health(engine.clone(), Arc::clone(&kept)));
    let greet = |at| say(format_args!("Chat is at {}://{at}/", flags.scheme()));
    let ended = run_with(Arc::clone(&kept), &flags, engine, router, greet).await;
    sending.end().await;
    if let Err(error) = kept.close().await {
        tell(format_args!("What is kept is whole, but was not closed properly: {error}"));
        return ExitCode::FAILURE;
    }
    ended
}
