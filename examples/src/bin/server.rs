//! The full chat server: the page, and every transport in front of the same rooms.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use chat_core::Engine;
use clap::Parser;
use examples::{DataFlags, Flags, Operator, UserFlags, block_on, health, page, run_with, say, tell};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// A chat server with its page. Rooms go with their last member, and live in memory unless --data names a folder or a database, or --cluster one that
/// several servers share.
#[derive(clap::Parser)]
#[command(name = "server", version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    users: UserFlags,
}

fn main() -> ExitCode {
    block_on(serve())
}

async fn serve() -> ExitCode {
    let Arguments { flags, data, users } = Arguments::parse();
    let mut engine = Engine::builder().limits(data.limits(flags.limits())).observer(Arc::new(Operator));
    match users.policy() {
        Ok(None) => {}
        Ok(Some(policy)) => engine = engine.policy(policy),
        Err(error) => {
            tell(format_args!("Cannot use the key of tokens: {error}"));
            return ExitCode::FAILURE;
        }
    }
    let credentials = users.credentials();
    let (engine, kept) = match data.open(engine).await {
        Ok((engine, kept)) => (engine.build(), Arc::new(kept)),
        Err(error) => {
            tell(error);
            return ExitCode::FAILURE;
        }
    };
    let ws = WsConfig { credentials: credentials.clone(), ..flags.ws() };
    let sse = SseConfig { pass_on: kept.pass_on(), credentials: credentials.clone(), ..flags.sse() };
    let socketio = SocketIoConfig { pass_on: kept.pass_on(), credentials, ..flags.socketio() };
    let router = Router::new()
        .merge(page())
        .merge(transport_ws::routes(engine.clone(), ws))
        .merge(transport_sse::routes(engine.clone(), sse))
        .merge(transport_socketio::routes(engine.clone(), socketio))
        .merge(health(engine.clone(), Arc::clone(&kept)));
    let greet = |at| say(format_args!("Chat is at {}://{at}/", flags.scheme()));
    let ended = run_with(Arc::clone(&kept), &flags, users, engine, router, greet).await;
    if let Err(error) = kept.close().await {
        tell(format_args!("What is kept is whole, but was not closed properly: {error}"));
        return ExitCode::FAILURE;
    }
    ended
}
