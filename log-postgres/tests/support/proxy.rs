//! A way to the database over TCP that can go mute: what is on it stays where it is, and nobody is told.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Takes connections to a port of this machine on to the socket of a server.
pub(crate) struct Proxy {
    address: SocketAddr,
    is_mute: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn to(folder: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (is_mute, mute) = watch::channel(false);
        let socket = folder.join(".s.PGSQL.5432");
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut mute, socket) = (mute.clone(), socket.clone());
                tokio::spawn(async move {
                    speaks(&mut mute).await;
                    let Ok(server) = UnixStream::connect(socket).await else { return };
                    let (client, server) = (client.into_split(), server.into_split());
                    tokio::spawn(carry(client.0, server.1, mute.clone()));
                    carry(server.0, client.1, mute).await;
                });
            }
        });
        Self { address, is_mute }
    }

    pub(crate) fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.address.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on nothing comes through, and nothing is lost.
    pub(crate) fn mute(&self, is_mute: bool) {
        self.is_mute.send_replace(is_mute);
    }
}

/// Waits until what is on the way goes on. One whose test is over is as good.
async fn speaks(mute: &mut watch::Receiver<bool>) {
    let _ = mute.wait_for(|is_mute| !*is_mute).await;
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mute: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        speaks(&mut mute).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    speaks(&mut mute).await;
    let _ = to.shutdown().await;
}
