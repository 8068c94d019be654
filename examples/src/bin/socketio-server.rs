//! The smallest chat server that speaks Socket.IO.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use chat_core::Engine;
use clap::Parser;
use examples::{Flags, block_on, run, say};

/// A chat server that speaks Socket.IO at /socket.io/.
#[derive(clap::Parser)]
#[command(name = "socketio-server")]
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
    let router = transport_socketio::routes(engine.clone(), flags.socketio());
    run(&flags, engine, router, |at| say(format_args!("Chat is at {}://{at}/socket.io/", flags.scheme()))).await
}
