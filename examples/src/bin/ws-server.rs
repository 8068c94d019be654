//! The smallest chat server that speaks WebSocket.

use chat_core::Engine;
use clap::Parser;
use examples::{Flags, run};

/// A chat server that speaks WebSocket at /ws.
#[derive(clap::Parser)]
#[command(name = "ws-server")]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Arguments { flags } = Arguments::parse();
    let engine = Engine::builder().limits(flags.limits()).build();
    let router = transport_ws::routes(engine.clone(), flags.ws());
    run(&flags, engine, router, |at| println!("Chat is at ws://{at}/ws")).await
}
