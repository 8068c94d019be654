//! A server's process under measurement: started, waited for, and ended with its owner.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const START_MAX: Duration = Duration::from_secs(10);

/// A server's process; ends with its owner.
pub struct Running(Child);

impl Running {
    /// Starts it, without input, and deaf to what it says.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    /// It has ended, or does not listen within ten seconds.
    pub fn wait_until_ready(&mut self, address: SocketAddr) -> io::Result<()> {
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.0.try_wait()? {
                return Err(io::Error::other(format!("the server has ended: {status}")));
            }
            if start.elapsed() > START_MAX {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server does not listen"));
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(200));
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end and nobody to wait for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An address on loopback that nobody listens on at the moment.
///
/// # Errors
/// There is none.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
