//! The full chat server: the page, and every transport in front of the same rooms.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use chat_core::Engine;
use examples::{
    AdminFlags, ConfigFlags, Configured, DataFlags, Flags, Kept, LogFlags, Operator, UserFlags, backup, block_on,
    command, configure, health, healthcheck, page, preflight, restore, run_with, say, tell,
};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// A chat server with its page. Rooms go with their last member, and live in memory unless --data names a folder or a database, or --cluster one that
/// several servers share.
#[derive(clap::Parser)]
#[command(name = "server", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    admin: AdminFlags,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    users: UserFlags,
}

/// What the program does besides serving.
#[derive(clap::Subcommand)]
enum Task {
    /// Copy the rooms in a folder, with the secret that sessions are signed with, to another that has none: also while a server has them open,
    /// and then everything that it has acked until now
    Backup {
        /// The folder that the server is given as --data
        dir: PathBuf,
        /// Where the backup is to be
        to: PathBuf,
    },
    /// Make rooms of a backup, in a folder that has none
    Restore {
        /// The backup
        from: PathBuf,
        /// The folder that the server is to be given as --data
        dir: PathBuf,
    },
    /// Ask the server that listens at --listen, or as CHAT_LISTEN says, whether it is alive
    Healthcheck {
        /// Where it listens, where that is not in the environment
        address: Option<SocketAddr>,
    },
    /// Print what has a shell complete this command line
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The status that says of a command line that it is wrong.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let configured = match configure::<Arguments>(env::args_os()) {
        Ok(configured) => configured,
        Err(answer) if answer.is_answer() => {
            say(answer);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            tell(wrong);
            return ExitCode::from(WRONG_USAGE);
        }
    };
    if configured.arguments.config.check_config {
        return check(&configured);
    }
    match configured.arguments.task {
        None => block_on(serve(configured.arguments)),
        Some(Task::Backup { dir, to }) => match backup(&dir, &to) {
            Ok(made) if made.is_whole() => done(format_args!("Backed up to {}: {made}.", to.display())),
            Ok(made) => failed(format_args!("Backed up to {}, but the log is damaged: {made}.", to.display())),
            Err(error) => failed(error),
        },
        Some(Task::Restore { from, dir }) => match restore(&from, &dir) {
            Ok(()) => done(format_args!("Restored to {}.", dir.display())),
            Err(error) => failed(error),
        },
        Some(Task::Healthcheck { address }) => {
            let at = address.unwrap_or(configured.arguments.flags.listen);
            match healthcheck(at, configured.arguments.flags.tls_cert.is_some()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(format_args!("{at} does not answer: {error}")),
            }
        }
        Some(Task::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command::<Arguments>(), "server", &mut script);
            say(String::from_utf8_lossy(&script).trim_end());
            ExitCode::SUCCESS
        }
    }
}

fn done(what: impl Display) -> ExitCode {
    say(what);
    ExitCode::SUCCESS
}

fn failed(what: impl Display) -> ExitCode {
    tell(what);
    ExitCode::FAILURE
}

/// Says what would be used, or what cannot be.
fn check(configured: &Configured<Arguments>) -> ExitCode {
    say(configured.report().trim_end());
    let Arguments { flags, data, .. } = &configured.arguments;
    let tls = flags.tls().map(drop).map_err(|error| format!("Cannot use TLS: {error}"));
    match tls.and_then(|()| data.check_secrets().map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            tell(wrong);
            ExitCode::from(WRONG_USAGE)
        }
    }
}

/// Leaves what the server had joined already, so that its rooms do not wait until it is found dead.
async fn not_started(why: impl Display, kept: &Kept) -> ExitCode {
    tell(why);
    // Why it has not started is what matters.
    let _ = kept.close().await;
    ExitCode::FAILURE
}

async fn serve(arguments: Arguments) -> ExitCode {
    let Arguments { flags, data, admin, log, users, .. } = arguments;
    log.begin();
    if let Err(error) = preflight(&flags, &admin, &data.webhook) {
        tell(error);
        return ExitCode::FAILURE;
    }
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
    let sending = match data.webhook.start(&engine).await {
        Ok(sending) => sending,
        Err(error) => return not_started(error, &kept).await,
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
    let admin = match admin.serve(&engine, &kept) {
        Ok(admin) => admin,
        Err(error) => {
            drop((engine, router));
            sending.end().await;
            return not_started(error, &kept).await;
        }
    };
    if let Some(admin) = &admin {
        tell(format_args!("Metrics are at http://{}/metrics", admin.at));
    }
    let greet = |at| say(format_args!("Chat is at {}://{at}/", flags.scheme()));
    let ended = run_with(Arc::clone(&kept), &flags, users, engine, router, greet).await;
    // It holds the engine, and that the log.
    drop(admin);
    sending.end().await;
    if let Err(error) = kept.close().await {
        tell(format_args!("What is kept is whole, but was not closed properly: {error}"));
        return ExitCode::FAILURE;
    }
    ended
}
