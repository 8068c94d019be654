//! What the system's service manager is told: ready, alive, going down. That is systemd, or whoever else sets `NOTIFY_SOCKET`.

use std::time::Duration;

/// Whoever has started this process and wants to be told; nobody, where the environment names none.
pub(crate) struct ServiceManager {
    #[cfg(target_os = "linux")]
    socket: Option<std::os::unix::net::UnixDatagram>,
    /// How often it wants to hear that all is well.
    beat: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names.
    #[cfg(target_os = "linux")]
    pub(crate) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| on_linux::connect(&name).ok());
        let is_for_us = std::env::var("WATCHDOG_PID").ok().is_none_or(|id| id == std::process::id().to_string());
        let patience = std::env::var("WATCHDOG_USEC").ok().filter(|_| is_for_us && socket.is_some());
        let patience = patience.and_then(|micros| micros.parse().ok()).map(Duration::from_micros);
        // Twice in the time that it waits: one may be late.
        Self { socket, beat: patience.map(|patience| patience / 2).filter(|beat| !beat.is_zero()) }
    }

    /// Nobody: other systems have none.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn from_environment() -> Self {
        Self { beat: None }
    }

    /// Says that clients can connect.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Says that the server goes down.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Says again and again that all is well, for as long as the runtime comes to it; never returns.
    pub(crate) async fn beat(&self) {
        let Some(every) = self.beat else { return std::future::pending().await };
        let mut beats = tokio::time::interval(every);
        loop {
            beats.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    /// What cannot be told is nothing to end over: who waits for it will see.
    #[cfg(target_os = "linux")]
    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(what.as_bytes());
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn tell(&self, _: &str) {}
}

#[cfg(target_os = "linux")]
mod on_linux {
    use std::ffi::OsStr;
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    /// A name that begins with `@` is in no file system.
    pub(super) fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        // Whoever does not read must not hold up the server.
        socket.set_nonblocking(true)?;
        match name.as_bytes() {
            [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
            _ => socket.connect(name)?,
        }
        Ok(socket)
    }
}
