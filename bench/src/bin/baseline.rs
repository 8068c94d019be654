//! The yardstick: a sketch of one mechanism (shared log, cursor per connection, one write of all that is due), and nothing more.
//!
//! One room, no rules, no limits, no timeouts, no errors; it is what the fan-out alone costs. Usage: `baseline PORT`.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const RING_MAX: usize = 4096;
const CHUNK_BYTES: usize = 65_536;
/// The answer to the one key that the load sends.
const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const BEFORE_TEXT: &[u8] = b"{\"type\":\"message\",\"room\":\"AAAA\",\"seq\":123,\
    \"at\":\"2026-11-22T18:00:00.123Z\",\"member\":2,\"nick\":\"Bob\",\"text\":\"";

struct Subscriber {
    waker: AtomicWaker,
    awake: AtomicBool,
}

struct Ring {
    base: u64,
    events: VecDeque<Bytes>,
}

struct Room {
    head: AtomicU64,
    ring: Mutex<Ring>,
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    inbox: mpsc::Sender<Bytes>,
}

enum Due {
    Read,
    Write,
}

// One worker when pinned to one core: the default number of workers honours the affinity mask.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("usage: baseline PORT"))?;
    let (inbox, messages) = mpsc::channel(1024);
    let ring = Mutex::new(Ring { base: 0, events: VecDeque::new() });
    let room = Arc::new(Room { head: AtomicU64::new(0), ring, subscribers: Mutex::default(), inbox });
    tokio::spawn(run_room(room.clone(), messages));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, room.clone()));
    }
}

async fn run_room(room: Arc<Room>, mut messages: mpsc::Receiver<Bytes>) {
    let mut batch = Vec::new();
    while messages.recv_many(&mut batch, 256).await > 0 {
        {
            let mut ring = room.ring.lock().expect("nobody panics with the ring");
            for event in batch.drain(..) {
                ring.events.push_back(event);
                if ring.events.len() > RING_MAX {
                    ring.events.pop_front();
                    ring.base += 1;
                }
            }
            room.head.store(ring.base + ring.events.len() as u64, Ordering::Release);
        }
        for subscriber in room.subscribers.lock().expect("nobody panics with the list").iter() {
            if !subscriber.awake.swap(true, Ordering::AcqRel) {
                subscriber.waker.wake();
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn serve(mut stream: TcpStream, room: Arc<Room>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // Lives as long as the connection: of the sketch's 5.3 KiB per idle connection these are four.
    let mut request = vec![0; 4096];
    if !matches!(stream.read(&mut request).await, Ok(1..)) || stream.write_all(UPGRADED).await.is_err() {
        return;
    }
    let subscriber = Arc::new(Subscriber { waker: AtomicWaker::new(), awake: AtomicBool::new(false) });
    room.subscribers.lock().expect("nobody panics with the list").push(subscriber.clone());
    let mut cursor = room.head.load(Ordering::Acquire);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        match due(&stream, &room, &subscriber, cursor).await {
            Due::Read => {
                input.reserve(4096);
                match stream.try_read_buf(&mut input) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
                while let Some(event) = next_message(&mut input) {
                    if room.inbox.send(event).await.is_err() {
                        return;
                    }
                }
                if input.is_empty() {
                    input = BytesMut::new();
                }
            }
            Due::Write => {
                cursor = copy_due(&room, cursor, &mut output);
                if stream.write_all(&output).await.is_err() {
                    break;
                }
                output = BytesMut::new();
            }
        }
    }
    room.subscribers.lock().expect("nobody panics with the list").retain(|other| !Arc::ptr_eq(other, &subscriber));
}

async fn due(stream: &TcpStream, room: &Room, subscriber: &Subscriber, cursor: u64) -> Due {
    std::future::poll_fn(|cx: &mut Context<'_>| {
        if stream.poll_read_ready(cx).is_ready() {
            return Poll::Ready(Due::Read);
        }
        subscriber.waker.register(cx.waker());
        if room.head.load(Ordering::Acquire) > cursor {
            return Poll::Ready(Due::Write);
        }
        // A plain store may pass the load below and lose a wake-up.
        subscriber.awake.swap(false, Ordering::AcqRel);
        if room.head.load(Ordering::Acquire) > cursor {
            return Poll::Ready(Due::Write);
        }
        Poll::Pending
    })
    .await
}

/// Copies what is due after `cursor`, framed, up to a chunk; returns the new cursor.
fn copy_due(room: &Room, cursor: u64, output: &mut BytesMut) -> u64 {
    let ring = room.ring.lock().expect("nobody panics with the ring");
    let mut at = cursor.max(ring.base);
    let end = ring.base + ring.events.len() as u64;
    while at < end && output.len() < CHUNK_BYTES {
        let event = &ring.events[(at - ring.base) as usize];
        output.put_u8(0x81);
        if event.len() < 126 {
            output.put_u8(event.len() as u8);
        } else {
            output.put_u8(126);
            output.put_u16(event.len() as u16);
        }
        output.extend_from_slice(event);
        at += 1;
    }
    at
}

/// Takes the first whole client frame out of `input`, as the JSON of its message.
fn next_message(input: &mut BytesMut) -> Option<Bytes> {
    if input.len() < 6 {
        return None;
    }
    let (mut length, mut header) = (usize::from(input[1] & 0x7F), 2);
    if length == 126 {
        (length, header) = (usize::from(input[2]) << 8 | usize::from(input[3]), 4);
    }
    if input.len() < header + 4 + length {
        return None;
    }
    let mut frame = input.split_to(header + 4 + length);
    let mask = [frame[header], frame[header + 1], frame[header + 2], frame[header + 3]];
    let text = &mut frame[header + 4..];
    for (i, byte) in text.iter_mut().enumerate() {
        *byte ^= mask[i & 3];
    }
    let mut event = Vec::with_capacity(length + BEFORE_TEXT.len() + 2);
    event.extend_from_slice(BEFORE_TEXT);
    event.extend_from_slice(text);
    event.extend_from_slice(b"\"}");
    Some(Bytes::from(event))
}
