//! From a listening socket to an orderly end: serve, drain at the first signal, end at once at the second.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use chat_core::Engine;
use chat_serve::{ServeConfig, serve};
use tokio::net::TcpListener;

use super::flags::Flags;

/// Serves `router` until a signal comes (SIGTERM, or Ctrl-C), and then drains `engine`. `greet` says where, once clients can
/// connect.
///
/// Fails, with words on standard error, when the address cannot be listened on.
pub async fn run(flags: &Flags, engine: Engine, router: Router, greet: impl FnOnce(SocketAddr)) -> ExitCode {
    let bound = TcpListener::bind(flags.listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (at, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::AddrInUse => "; is another server running? Choose another port with --listen",
                ErrorKind::PermissionDenied => "; ports below 1024 need privileges. Choose another with --listen",
                _ => "",
            };
            eprintln!("Cannot listen on {}: {error}{advice}", flags.listen);
            return ExitCode::FAILURE;
        }
    };
    greet(at);
    let spread = flags.drain_spread();
    let ended = async move {
        signalled().await;
        eprintln!("Going down; a second signal ends at once.");
        tokio::spawn(async {
            signalled().await;
            std::process::exit(130);
        });
        engine.drain(spread).await;
    };
    serve(listener, router, ServeConfig::default(), ended).await;
    ExitCode::SUCCESS
}

async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).expect("a runtime with signals can listen for them");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}
