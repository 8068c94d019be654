//! The usual way, as a peer to compare with: axum's WebSocket or SSE, and one tokio broadcast channel per room, as in axum's examples.
//!
//! The first text names the room and is answered by `joined`; every later text goes to all. A reader that lags loses messages and goes
//! on. Over SSE the room is in the query, `joined` is the first event, and `POST /say` speaks. Usage: `peer-axum-broadcast PORT [nodelay]`; the example leaves Nagle's algorithm on, which helps a busy room and delays a quiet one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures_util::{SinkExt, Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};

/// Messages that a room keeps for its slowest reader.
const ROOM_CAPACITY: usize = 1024;

type Room = broadcast::Sender<Utf8Bytes>;
type Rooms = Arc<Mutex<HashMap<String, Room>>>;

#[derive(serde::Deserialize)]
struct Named {
    room: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let usage = || std::io::Error::other("usage: peer-axum-broadcast PORT [nodelay]");
    let port = std::env::args().nth(1).ok_or_else(usage)?;
    let nodelay = std::env::args().nth(2).is_some_and(|word| word == "nodelay");
    let app = Router::new().route("/ws", get(upgrade)).route("/sse", get(listen)).route("/say", post(say));
    let app = app.with_state(Rooms::default());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener.tap_io(move |stream| drop(stream.set_nodelay(nodelay))), app).await
}

fn find(rooms: &Rooms, name: &str) -> Room {
    let mut rooms = rooms.lock().expect("nobody panics with the rooms");
    rooms.entry(name.to_owned()).or_insert_with(|| broadcast::channel(ROOM_CAPACITY).0).clone()
}

async fn say(State(rooms): State<Rooms>, Query(Named { room }): Query<Named>, text: String) {
    // Nobody may be listening any more.
    drop(find(&rooms, &room).send(text.into()));
}

async fn listen(
    State(rooms): State<Rooms>,
    Query(Named { room }): Query<Named>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let messages = stream::unfold(find(&rooms, &room).subscribe(), async |mut messages| {
        loop {
            match messages.recv().await {
                Ok(text) => return Some((Ok(Event::default().data(text.as_str())), messages)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let first = stream::once(async { Ok(Event::default().data("joined")) });
    Sse::new(first.chain(messages)).keep_alive(KeepAlive::default())
}

async fn upgrade(upgrade: WebSocketUpgrade, State(rooms): State<Rooms>) -> impl IntoResponse {
    upgrade.on_upgrade(|socket| chat(socket, rooms))
}

async fn chat(socket: WebSocket, rooms: Rooms) {
    let (mut sender, mut receiver) = socket.split();
    let Some(Ok(Message::Text(name))) = receiver.next().await else { return };
    let room = find(&rooms, name.as_str());
    let mut messages = room.subscribe();
    if sender.send(Message::text("joined")).await.is_err() {
        return;
    }
    let mut telling = tokio::spawn(async move {
        let mut lost = 0;
        loop {
            match messages.recv().await {
                Ok(text) => {
                    if sender.send(Message::Text(text)).await.is_err() {
                        break;
                    }
                }
                Err(RecvError::Lagged(count)) => lost += count,
                Err(RecvError::Closed) => break,
            }
        }
        if lost > 0 {
            eprintln!("a reader has lost {lost} messages");
        }
    });
    let mut hearing = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            // Nobody may be listening any more.
            drop(room.send(text));
        }
    });
    tokio::select! {
        _ = &mut telling => hearing.abort(),
        _ = &mut hearing => telling.abort(),
    }
}
