//! The full chat server: the page, and every transport in front of the same rooms.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::fmt::Display;
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use chat_core::Engine;
use examples::{
    ADMIN_TOKEN_VARIABLE, AUTH_SECRET_VARIABLE, Admin, AdminFlags, ConfigFlags, Configured, DataFlags, Flags, Kept,
    LobbyFor, LogFlags, OLD_SECRET_VARIABLE, Operator, SECRET_VARIABLE, UserFlags, WEBHOOK_SECRET_VARIABLE, backup,
    block_on, command, configure, health, healthcheck, lobby, page, parse_listen, preflight, restore, run_with, say,
    tell, tell_failure,
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
    /// Ask the server that listens where CHAT_LISTEN or its file say, or at this address, whether it is alive
    Healthcheck {
        /// Where it listens, written as for --listen (a port alone is of this machine), where that is neither in the environment nor in a file
        #[arg(value_name = "ADDRESS:PORT", value_parser = parse_listen)]
        address: Option<SocketAddr>,
        /// The file that the server reads its flags from, where CHAT_CONFIG does not name it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print what has a shell complete this command line
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What is read from the environment alone, as it is in no file.
const SECRETS: [&str; 5] =
    [SECRET_VARIABLE, OLD_SECRET_VARIABLE, ADMIN_TOKEN_VARIABLE, WEBHOOK_SECRET_VARIABLE, AUTH_SECRET_VARIABLE];

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
            tell_failure(wrong);
            return ExitCode::from(WRONG_USAGE);
        }
    };
    if configured.arguments.config.check_config {
        return check(&configured);
    }
    match configured.arguments.task {
        None => {
            let strangers = strangers(&configured);
            block_on(serve(configured.arguments, strangers))
        }
        Some(Task::Backup { dir, to }) => match backup(&dir, &to) {
            Ok(made) if made.is_whole() => done(format_args!("Backed up to {}: {made}.", to.display())),
            Ok(made) => failed(format_args!("Backed up to {}, but the log is damaged: {made}.", to.display())),
            Err(error) => failed(error),
        },
        Some(Task::Restore { from, dir }) => match restore(&from, &dir) {
            Ok(()) => done(format_args!("Restored to {}.", dir.display())),
            Err(error) => failed(error),
        },
        Some(Task::Healthcheck { address, config }) => {
            let Arguments { flags, config: of_environment, .. } = configured.arguments;
            let flags = match config.or(of_environment.config) {
                None => flags,
                // As the server itself would read it.
                Some(file) => match configure::<Arguments>(["server".into(), "--config".into(), file.into()]) {
                    Ok(configured) => configured.arguments.flags,
                    Err(wrong) => return failed(wrong),
                },
            };
            let at = address.unwrap_or(flags.listen);
            match healthcheck(at, flags.tls_cert.is_some()) {
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

/// Variables that somebody may have meant for this program, and that it does not read.
fn strangers(configured: &Configured<Arguments>) -> Vec<String> {
    configured.strangers(env::vars_os().map(|(name, _)| name), &SECRETS)
}

fn done(what: impl Display) -> ExitCode {
    say(what);
    ExitCode::SUCCESS
}

fn failed(what: impl Display) -> ExitCode {
    tell_failure(what);
    ExitCode::FAILURE
}

/// Says what would be used, or what cannot be.
fn check(configured: &Configured<Arguments>) -> ExitCode {
    say(configured.report().trim_end());
    strangers(configured)
        .iter()
        .for_each(|name| say(format_args!("# {name} is in the environment, and nothing reads it")));
    let Arguments { flags, data, admin, users, .. } = &configured.arguments;
    let wrong: Vec<String> = [
        flags.tls().err().map(|error| format!("Cannot use TLS: {error}")),
        data.check_secrets().err().map(|error| error.to_string()),
        data.webhook.check().err().map(|error| error.to_string()),
        admin.check(flags.listen).err().map(|error| error.to_string()),
        users.policy().err().map(|error| error.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect();
    wrong.iter().for_each(tell_failure);
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG_USAGE) }
}

/// Leaves what the server had joined already, so that its rooms do not wait until it is found dead.
async fn not_started(why: impl Display, kept: &Kept) -> ExitCode {
    tell_failure(why);
    // Why it has not started is what matters.
    let _ = kept.close().await;
    ExitCode::FAILURE
}

async fn serve(arguments: Arguments, strangers: Vec<String>) -> ExitCode {
    let Arguments { flags, data, admin, log, users, .. } = arguments;
    log.begin();
    for variable in strangers {
        tracing::warn!(variable, "a variable of the environment is read by nothing: it may be misspelt");
    }
    if let Err(error) = preflight(&flags, &admin, &data.webhook) {
        tell_failure(error);
        return ExitCode::FAILURE;
    }
    let mut engine = Engine::builder().limits(data.limits(flags.limits())).observer(Arc::new(Operator));
    engine = admin.name(engine);
    let mut lobby_for = LobbyFor::Everybody;
    match users.policy() {
        Ok(None) => {}
        Ok(Some(policy)) => {
            lobby_for = LobbyFor::admitted(Arc::clone(&policy), users.credentials(), flags.ws().address);
            engine = engine.policy(policy);
        }
        Err(error) => {
            tell_failure(error);
            return ExitCode::FAILURE;
        }
    }
    let credentials = users.credentials();
    let (engine, kept) = match data.open(engine).await {
        Ok((engine, kept)) => (engine.build(), Arc::new(kept)),
        Err(error) => {
            tell_failure(error);
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
        .merge(lobby(engine.clone(), lobby_for))
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
        tell(format_args!("Operators go to http://{0}/, and metrics are at http://{0}/metrics", admin.at));
    }
    let drain_asked = admin.as_ref().map(Admin::drain_asked);
    let drain_asked = async move {
        match drain_asked {
            Some(asked) => asked.await,
            None => pending().await,
        }
    };
    let greet = |at| say(format_args!("Chat is at {}://{at}/", flags.scheme()));
    let ended = run_with(Arc::clone(&kept), &flags, users, engine, router, drain_asked, greet).await;
    // It holds the engine, and that the log.
    drop(admin);
    sending.end().await;
    if let Err(error) = kept.close().await {
        tell_failure(format_args!("What is kept is whole, but was not closed properly: {error}"));
        return ExitCode::FAILURE;
    }
    ended
}
