//! The smallest chat server that speaks Socket.IO.

use chat_core::Engine;
use clap::Parser;
use examples::{Flags, run};

/// A chat server that speaks Socket.IO at /socket.io/.
#[derive(clap::Parser)]
#[command(name = "socketio-server")]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let Arguments { flags } = Arguments::parse();
    let engine = Engine::builder().limits(flags.limits()).build();
    let router = transport_socketio::routes(engine.clone(), flags.socketio());
    run(&flags, engine, router, |at| println!("Chat is at http://{at}/socket.io/")).await
}
