//! From a listening socket to an orderly end: serve, drain at the first signal, end at once at the second.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;

use axum::Router;
use chat_core::Engine;
use chat_serve::{ServeConfig, Tls, serve};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::console::{tell, tell_failure, tell_warning};
use super::descriptors::Descriptors;
use super::flags::Flags;
use super::kept::Kept;
use super::service_manager::ServiceManager;
use super::signals::{Asked, Signals};
use super::users::UserFlags;

/// After how many tasks the runtime asks the kernel what is new. 16: with many readers nearly every task writes to a socket, which
/// takes 10 us or more. After tokio's 61, whoever speaks would wait for up to a millisecond until they are read, and the readers
/// would get less with each write.
const TASKS_BETWEEN_POLLS: u32 = 16;

/// Connections that the kernel holds until they are accepted. 4,096, or as many as it allows: after a restart everybody comes at
/// once, and whoever finds the 128 places of tokio's listeners taken comes again after a second, and then after three.
const PENDING_MAX: u32 = 4096;

/// Runs a server on a runtime with as many threads as cores, to its end.
pub fn block_on(server: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime::Builder::new_multi_thread().enable_all().event_interval(TASKS_BETWEEN_POLLS).build() {
        Ok(runtime) => runtime.block_on(server),
        Err(error) => {
            tell_failure(format_args!("Cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves `router` until a signal comes (SIGTERM, Ctrl-C, or SIGHUP where the terminal is gone), and then drains `engine`. `greet` says
/// where, once clients can connect.
///
/// Fails, with words on standard error, when the address cannot be listened on, or the certificate not used.
pub async fn run(flags: &Flags, engine: Engine, router: Router, greet: impl FnOnce(SocketAddr)) -> ExitCode {
    run_with(Arc::new(Kept::Nowhere), flags, UserFlags::default(), engine, router, pending(), greet).await
}

/// As [`run`], and also until `asked`, or until what rooms are kept in is another server's. That is no failure: whoever starts servers that have failed is not to start
/// this one again. Before anybody who is connected is told that the server goes, other servers are given its rooms, where there are some.
pub async fn run_with(
    kept: Arc<Kept>,
    flags: &Flags,
    users: UserFlags,
    engine: Engine,
    router: Router,
    asked: impl Future<Output = ()> + Send + 'static,
    greet: impl FnOnce(SocketAddr),
) -> ExitCode {
    let tls = match flags.tls() {
        Ok(tls) => tls,
        Err(error) => {
            tell_failure(format_args!("Cannot use TLS: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let bound = listen(flags.listen).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (at, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            tell_failure(cannot_listen(flags.listen, &error));
            return ExitCode::FAILURE;
        }
    };
    // Listened for before anybody is told that we are ready: whoever waits for that may send a signal at once.
    let mut signals = Signals::listen();
    let descriptors = Descriptors::raise();
    tell(descriptors);
    if flags.is_in_the_open() {
        tell_warning(
            "Other machines can reach this without TLS, and whoever is on the way can read it: give --tls-cert, or --trusted-proxy.",
        );
    }
    greet(at);
    let manager = Arc::new(ServiceManager::from_environment());
    manager.ready();
    let beats = Arc::clone(&manager);
    let beating = AbortOnDrop(tokio::spawn(async move { beats.beat().await }));
    let spread = flags.drain_spread();
    let config = ServeConfig { tls: tls.clone(), ..flags.serve(descriptors.connections_max()) };
    let reads_files = tls.is_some() || users.jwt_key.is_some();
    let reloads = Reloads::begin(tls.clone(), users);
    let sending = kept.send_away_when_apart(engine.clone(), spread).map(|task| AbortOnDrop(tokio::spawn(task)));
    let router = flags.guard(router);
    let passed_on = kept.serve_passed_on(router.clone(), config.clone()).map(|task| AbortOnDrop(tokio::spawn(task)));
    let ended = async move {
        let (mut end, mut drain) = (Box::pin(kept.deposed()), Box::pin(asked));
        loop {
            let asked = tokio::select! {
                asked = signals.next() => asked,
                () = &mut drain => Asked::End,
                why = &mut end => {
                    tell_warning(why);
                    break;
                }
            };
            match asked {
                Asked::End => break,
                Asked::TerminalGone if !reads_files => break,
                Asked::TerminalGone | Asked::Reload => reloads.ask(),
            }
        }
        // What it would say now is what the drain says.
        drop(sending);
        manager.stopping();
        tell("Going down; a second signal ends at once.");
        tokio::spawn(async move {
            while signals.next().await != Asked::End {}
            std::process::exit(130);
        });
        kept.hand_over().await;
        engine.drain(spread).await;
    };
    serve(listener, router, config, ended).await;
    drop((passed_on, beating));
    ExitCode::SUCCESS
}

/// Why nobody can be let in at an address, and what to do about it.
pub(crate) fn cannot_listen(at: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "; is another server running? Choose another port with --listen",
        ErrorKind::PermissionDenied => "; ports below 1024 need privileges. Choose another with --listen",
        _ => "",
    };
    format!("Cannot listen on {at}: {error}{advice}")
}

/// A task that ends with this.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One reload after the other, on a thread that nobody waits for, not even the end of the process: files may keep their reader waiting
/// for ever (a pipe, a network that is gone).
struct Reloads(SyncSender<()>);

impl Reloads {
    fn begin(tls: Option<Tls>, users: UserFlags) -> Self {
        let (ask, asked) = mpsc::sync_channel(1);
        let all = move || asked.iter().for_each(|()| reload(tls.as_ref(), &users));
        // Where there cannot be a thread, that is told once somebody asks.
        let _ = thread::Builder::new().name("reload".to_owned()).spawn(all);
        Self(ask)
    }

    /// Has everything read again, once what is being read has been. One that waits for that is enough: it finds the newest.
    fn ask(&self) {
        match self.0.try_send(()) {
            Ok(()) => {}
            Err(TrySendError::Full(())) => tell("The files of the reload before are still being read."),
            Err(TrySendError::Disconnected(())) => tell_failure("Cannot reload: there is no thread for it."),
        }
    }
}

/// Reads again what can be read again.
fn reload(tls: Option<&Tls>, users: &UserFlags) {
    let (tls, key) = (tls.map(Tls::reload), users.reload());
    if tls.is_none() && key.is_none() {
        tell("There is nothing to reload.");
    }
    match tls {
        None => {}
        Some(Ok(())) => tell("The certificate was read again."),
        Some(Err(error)) => tell_failure(format_args!("Cannot use TLS anew: {error}; the old certificate stays.")),
    }
    match key {
        None => {}
        Some(Ok(())) => tell("The key of tokens was read again."),
        Some(Err(error)) => {
            tell_failure(format_args!("Cannot use the key of tokens anew: {error}; the old one stays."))
        }
    }
}

pub(crate) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    bind(at)?.listen(PENDING_MAX)
}

/// Has an address to itself, where nobody is let in yet: a client is refused, and does not wait for a server that has not started.
pub(crate) fn bind(at: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio's listeners have it: a server that comes back takes the address of one that has just ended.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    Ok(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_crowd_that_comes_at_once_finds_a_place() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("of the kernel");
        let crowd = allowed.trim().parse::<usize>().expect("a number").min(400);
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let at = listener.local_addr().expect("bound");
        // Nobody is accepted. Who finds no place is answered nothing, and would try again and again.
        let came = (0..crowd).map(|_| TcpStream::connect_timeout(&at, Duration::from_millis(500)));
        let inside = came.collect::<Result<Vec<_>, _>>().expect("a place for each");
        assert_eq!(inside.len(), crowd);
    }
}
