//! A way over TCP to where a server listens for the others: what is on it can be held up, or cut off.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// What is on it stays where it is, and nobody is told.
    Mute,
    /// There is none: connections break, and new ones do so at once.
    Cut,
}

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (way, watched) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(carry_both(from, server, watched.clone()));
            }
        });
        Self { address, way }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry_both(from: TcpStream, server: SocketAddr, way: watch::Receiver<Way>) {
    let mut cut = way.clone();
    let both = async {
        let Ok(to) = TcpStream::connect(server).await else { return };
        let (from, to) = (from.into_split(), to.into_split());
        tokio::join!(carry(from.0, to.1, way.clone()), carry(to.0, from.1, way.clone()));
    };
    tokio::select! {
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
        () = both => {}
    }
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let _ = way.wait_for(|way| *way != Way::Mute).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
