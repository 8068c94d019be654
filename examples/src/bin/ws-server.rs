//! The smallest chat server that speaks WebSocket.

use std::process::ExitCode;

use chat_core::Engine;
use clap::Parser;
use examples::{Flags, block_on, run};

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
    run(&flags, engine, router, |at| println!("Chat is at ws://{at}/ws")).await
}
