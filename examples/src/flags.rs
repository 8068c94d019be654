//! The command line of a chat server.

use std::net::SocketAddr;
use std::time::Duration;

use chat_core::Limits;

/// Flags that every example server takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,

    /// Messages that one session may send per second in the long run; 0 for no bound
    #[arg(long, value_name = "N", default_value_t = Limits::default().session.send_per_second)]
    pub send_rate: u32,

    /// Going down, tell clients to come back spread over so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub drain_spread: u64,
}

impl Flags {
    /// The default bounds, with what the flags say.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.session.send_per_second = self.send_rate;
        if self.send_rate == 0 {
            // Who may say any amount may ask for any amount.
            limits.session.command_per_second = 0;
        }
        limits
    }

    /// How far apart clients are told to come back.
    pub fn drain_spread(&self) -> Duration {
        Duration::from_secs(self.drain_spread)
    }
}
