//! The smallest chat server that speaks WebSocket.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use chat_core::Engine;
use clap::Parser;
use examples::{Flags, block_on, run, say};

/// A chat server that speaks WebSocket at /ws.
#[derive(clap::Parser)]
#[command(name = "ws-server")]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    block_on(serve())
}

async fn serve() -> ExitCode {
    let Arguments { flags } = Arguments::parse();
    let engine = Engine::builder().limits(flags.limits()).build();
    let router = transport_ws::routes(engine.clone(), flags.ws());
    run(&flags, engine, router, |at| say(format_args!("Chat is at {}://{at}/ws", flags.scheme().replace("http", "ws"))))
        .await
}
