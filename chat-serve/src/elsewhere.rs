//! The other servers of one service, as far as requests are passed on to them.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use super::server_name::ServerName;

/// A way to another server: what [`serve_passed_on`](crate::serve_passed_on) is given at its other end.
pub trait PeerStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> PeerStream for S {}

/// Which server this is, and the way to the others.
#[async_trait]
pub trait Elsewhere: Send + Sync + 'static {
    /// The name of this server; `None` while it has none. It is asked for each time: a server that was taken for dead goes on under another
    /// name.
    fn me(&self) -> Option<ServerName>;

    /// Whether this server goes by a name. One that has changed its name answers to those before as well, as its clients have heard them.
    fn is_me(&self, name: &ServerName) -> bool {
        self.me().as_ref() == Some(name)
    }

    /// A new connection to the server of this name, on which both ends know who the other is. It is given up where it takes too long.
    ///
    /// # Errors
    /// Where no server of this name is known, or it cannot be reached.
    async fn connect(&self, name: &ServerName) -> io::Result<Box<dyn PeerStream>>;
}
