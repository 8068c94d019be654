//! The writer over sockets that take little at a time: where frames end, what is kept, what comes again.

use std::cell::RefCell;
use std::task::Waker;
use std::time::Duration;

use chat_core::CloseReason;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;

/// A session with nothing but frames to tell: a position, and the ends of the frames of the last fill.
#[derive(Default)]
struct Script {
    texts: Vec<Vec<u8>>,
    chunk_bytes_max: usize,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    position: usize,
    ends: Vec<usize>,
    fills: usize,
}

impl Script {
    fn of(texts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { texts: texts.into_iter().collect(), chunk_bytes_max: 64 << 10, state: RefCell::default() }
    }

    fn position(&self) -> usize {
        self.state.borrow().position
    }

    fn framed(&self, index: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        frames::put_text(&mut out, &self.texts[index]);
        out.to_vec()
    }
}

impl Source for Script {
    fn poll_fill(&self, _: &mut Context<'_>, out: &mut BytesMut) -> Poll<Fill> {
        assert!(out.is_empty(), "a fill goes into an empty buffer");
        let mut state = self.state.borrow_mut();
        assert!(state.ends.is_empty(), "a fill is told about before the next");
        state.fills += 1;
        for text in self.texts.iter().skip(state.position) {
            if out.len() >= self.chunk_bytes_max {
                break;
            }
            frames::put_text(out, text);
            state.ends.push(out.len());
        }
        match (state.ends.is_empty(), state.position == usize::MAX) {
            (false, _) => Poll::Ready(Fill::Frames),
            (true, false) => Poll::Pending,
            (true, true) => Poll::Ready(Fill::Ended(CloseReason::Draining)),
        }
    }

    fn written(&self, bytes: usize) -> usize {
        let mut state = self.state.borrow_mut();
        let ends = std::mem::take(&mut state.ends);
        assert!(!ends.is_empty(), "written is told once for each fill");
        let begun = ends.iter().scan(0, |start, end| Some((std::mem::replace(start, *end), *end)));
        let taken: Vec<usize> = begun.filter(|(start, _)| *start < bytes).map(|(_, end)| end).collect();
        state.position += taken.len();
        taken.last().copied().unwrap_or(0)
    }
}

fn turn(writer: &mut Writer, socket: &mut DuplexStream, source: &Script) -> Poll<io::Result<CloseReason>> {
    writer.poll_source(&mut Context::from_waker(Waker::noop()), socket, source)
}

/// Takes what has arrived, at most `bytes` of it. Begins a new turn of the runtime, with a new budget.
async fn take(peer: &mut DuplexStream, bytes: usize) -> Vec<u8> {
    tokio::task::yield_now().await;
    let mut taken = vec![0; bytes];
    let read = peer.read(&mut taken).await.expect("open");
    taken.truncate(read);
    taken
}

fn pong(number: u8) -> [u8; 3] {
    [0x8A, 1, number]
}

/// Frames of a byte stream: first byte and payload.
fn parse(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (header, length) = match second {
            127 => (8, u64::from_be_bytes(rest[..8].try_into().expect("eight bytes")) as usize),
            126 => (2, usize::from(u16::from_be_bytes([rest[0], rest[1]]))),
            short => (0, usize::from(*short)),
        };
        frames.push((*first, rest[header..header + length].to_vec()));
        bytes = &rest[header + length..];
    }
    assert!(bytes.is_empty(), "the stream ends at a border");
    frames
}

#[tokio::test]
async fn everything_due_is_one_write() {
    let source = Script::of((0..100).map(|number| vec![number; 50]));
    let (mut socket, mut peer) = duplex(64 << 10);
    let mut writer = Writer::default();
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(source.state.borrow().fills, 2, "one with all, one that found nothing");
    let expected: Vec<u8> = (0..100).flat_map(|index| source.framed(index)).collect();
    assert_eq!(take(&mut peer, 64 << 10).await, expected);
    assert_eq!((writer.rest.capacity(), writer.stalled()), (0, None), "an idle writer holds no buffer");
}

#[tokio::test]
async fn pongs_wait_for_the_end_of_a_frame_that_is_half_out() {
    let source = Script::of([vec![b'a'; 60_000], vec![b'b'; 10]]);
    let (mut socket, mut peer) = duplex(1_000);
    let mut writer = Writer::default();
    let mut bytes = Vec::new();
    for number in 0..100 {
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
        writer.control.extend_from_slice(&pong(number));
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
        bytes.extend(take(&mut peer, 1_000).await);
        if number < 59 {
            // Neither a pong nor the next frame, up to the last byte of the first.
            assert_eq!(source.position(), 1);
            assert_eq!(bytes[..4], [0x81, 126, 0xEA, 0x60]);
            assert!(bytes[4..].iter().all(|byte| *byte == b'a'), "after {} bytes", bytes.len());
        }
    }
    let frames = parse(&bytes);
    assert_eq!(frames[0], (0x81, vec![b'a'; 60_000]));
    let pongs: Vec<(u8, Vec<u8>)> = (0..100).map(|number| (0x8A, vec![number])).collect();
    let (texts, others): (Vec<_>, Vec<_>) = frames[1..].iter().cloned().partition(|(first, _)| *first == 0x81);
    assert_eq!(texts, [(0x81, vec![b'b'; 10])]);
    assert_eq!(others, pongs);
}

#[tokio::test]
async fn a_stalled_socket_holds_the_rest_of_one_frame() {
    let source = Script::of((0..1_000).map(|number| vec![number as u8; 60]));
    let (mut socket, mut peer) = duplex(100);
    let mut writer = Writer::default();
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(source.position(), 2, "one frame is out, one is half out, 998 come again");
    assert_eq!(writer.rest, source.framed(1)[100 - 62..]);
    assert!(writer.rest.capacity() <= 2 * 62 + SLACK_BYTES, "not the chunk it was part of");
    for _ in 0..10 {
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
    }
    assert_eq!(source.state.borrow().fills, 1, "a stalled socket is not filled for again and again");
    let mut bytes = Vec::new();
    while source.position() < 1_000 || !writer.rest.is_empty() {
        bytes.extend(take(&mut peer, 100).await);
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
    }
    bytes.extend(take(&mut peer, 100).await);
    let texts: Vec<Vec<u8>> =
        parse(&bytes).into_iter().filter(|(first, _)| *first == 0x81).map(|frame| frame.1).collect();
    assert_eq!(texts, source.texts, "all of them, once, in order");
}

#[tokio::test]
async fn a_socket_that_stalls_at_a_border_gets_one_small_frame_to_wait_with() {
    let source = Script::of([vec![b'a'; 60], vec![b'b'; 60]]);
    let (mut socket, mut peer) = duplex(62);
    let mut writer = Writer::default();
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(source.position(), 1);
    for _ in 0..10 {
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
    }
    let fills = source.state.borrow().fills;
    assert_eq!(fills, 2, "the second found the socket full");
    let mut bytes = take(&mut peer, 62).await;
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    bytes.extend(take(&mut peer, 62).await);
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    bytes.extend(take(&mut peer, 62).await);
    assert_eq!(bytes, [source.framed(0), vec![0x8A, 0], source.framed(1)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_stall_lasts_from_the_first_refused_byte_to_the_next_taken_one() {
    let source = Script::of([vec![b'a'; 500]]);
    let (mut socket, mut peer) = duplex(100);
    let mut writer = Writer::default();
    let start = Instant::now();
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(writer.stalled(), Some(start));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(writer.stalled(), Some(start), "asking again is no progress");
    take(&mut peer, 10).await;
    assert!(turn(&mut writer, &mut socket, &source).is_pending());
    assert_eq!(writer.stalled(), Some(start + Duration::from_secs(5)));
    while writer.stalled().is_some() {
        take(&mut peer, 100).await;
        assert!(turn(&mut writer, &mut socket, &source).is_pending());
    }
    assert!(writer.rest.is_empty());
}

#[tokio::test]
async fn the_end_and_a_broken_socket_are_told_apart() {
    let ended = Script::default();
    ended.state.borrow_mut().position = usize::MAX;
    let (mut socket, peer) = duplex(100);
    let mut writer = Writer::default();
    assert!(matches!(turn(&mut writer, &mut socket, &ended), Poll::Ready(Ok(CloseReason::Draining))));
    drop(peer);
    let source = Script::of([vec![b'a'; 10]]);
    assert!(matches!(turn(&mut writer, &mut socket, &source), Poll::Ready(Err(_))));
    assert_eq!(source.position(), 0);
}

#[tokio::test]
async fn whatever_the_socket_takes_each_byte_is_where_it_belongs() {
    for seed in 1..200_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut draw = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize % below
        };
        let texts: Vec<Vec<u8>> = (0..40).map(|number| vec![number as u8; draw(400)]).collect();
        let mut source = Script::of(texts);
        source.chunk_bytes_max = 1 + draw(2_000);
        // A socket with room for two bytes would be filled again and again by the frame that waits for room.
        let (mut socket, mut peer) = duplex(3 + draw(900));
        let mut writer = Writer::default();
        let (mut bytes, mut sent) = (Vec::new(), 0_u8);
        while source.position() < 40 || !writer.rest.is_empty() || !writer.control.is_empty() {
            tokio::task::yield_now().await;
            if draw(5) == 0 && sent < 50 {
                writer.control.extend_from_slice(&pong(sent));
                sent += 1;
            }
            assert!(turn(&mut writer, &mut socket, &source).is_pending(), "seed {seed}");
            if draw(3) > 0 {
                let mut some = vec![0; 1 + draw(700)];
                if let Some(read) = peer.read(&mut some).now_or_never() {
                    bytes.extend_from_slice(&some[..read.expect("open")]);
                }
            }
        }
        drop(socket);
        peer.read_to_end(&mut bytes).await.expect("the rest");
        let (texts, controls): (Vec<_>, Vec<_>) = parse(&bytes).into_iter().partition(|(first, _)| *first == 0x81);
        assert!(texts.into_iter().map(|frame| frame.1).eq(source.texts), "seed {seed}");
        let pongs = controls.into_iter().filter(|(_, payload)| !payload.is_empty()).map(|frame| frame.1);
        assert!(pongs.eq((0..sent).map(|number| vec![number])), "seed {seed}");
    }
}
