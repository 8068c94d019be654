//! The usual way over Socket.IO, as a peer to compare with: socketioxide and its own rooms, with its default settings.
//!
//! `join` with a room and a nick tells the others `member_joined` and answers `joined`; `message` with a room and a text goes to all in
//! it, the sender too. A socket whose buffer (128 packets) is full loses what does not fit. Usage: `peer-socketioxide PORT`.

use std::convert::Infallible;
use std::future::ready;

use axum::Router;
use axum::serve::ListenerExt;
use futures_util::FutureExt;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let usage = || std::io::Error::other("usage: peer-socketioxide PORT");
    let port = std::env::args().nth(1).ok_or_else(usage)?;
    let (layer, io) = SocketIo::new_layer();
    // Before the client hears that it is connected: what it says right after finds its handlers.
    io.ns("/", (async |_: SocketRef| {}).with(greet));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), Router::new().layer(layer)).await
}

async fn greet(socket: SocketRef) -> Result<(), Infallible> {
    // Handlers do their work before they return a future, or else socketioxide would run two of one sender in any order.
    socket.on("join", |socket: SocketRef, Data((room, nick)): Data<(String, String)>| {
        socket.join(room.clone());
        // A full buffer loses the notice, and the peer knows no more about it than that.
        drop(socket.to(room).emit("member_joined", &nick).now_or_never());
        drop(socket.emit("joined", &nick));
        ready(())
    });
    socket.on("message", |socket: SocketRef, Data((room, text)): Data<(String, String)>| {
        drop(socket.within(room).emit("message", &text).now_or_never());
        ready(())
    });
    Ok(())
}
