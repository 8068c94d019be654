//! What one of the table says that no server of this version says: it costs its own link, and nothing more.

use bytes::BytesMut;

use super::*;
use crate::links::frame::{Frames, put_head};
use crate::links::handshake;
use crate::links::hello::Hello;
use crate::links::pinned::LINK;

/// Speaks for a server of the table, byte by byte.
struct Raw {
    stream: TlsStream<TcpStream>,
    frames: Frames,
}

impl Raw {
    /// A connection to `to` that has said nothing yet, with what `from` shows.
    async fn connect(from: &Server, to: &Server) -> Self {
        let stream = handshake::connect(&from.links.mesh, &to.row(), LINK).await.expect("both are known");
        Self { stream, frames: Frames::new() }
    }

    /// A link that has said its hello and heard the other.
    async fn link(from: &Server, to: &Server, attempt: u64) -> Self {
        let mut raw = Self::connect(from, to).await;
        raw.say(&Hello { me: from.id, you: to.id, attempt }.encode()).await;
        let (kind, body) = raw.read().await.expect("it answers");
        assert_eq!(Hello::decode(kind, &body), Ok(Hello { me: to.id, you: from.id, attempt }));
        raw.frames.take_parcels();
        raw
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it is open");
        self.stream.flush().await.expect("it is open");
    }

    async fn read(&mut self) -> Option<(Kind, BytesMut)> {
        self.frames.next(&mut self.stream, PATIENCE).await.ok()
    }

    /// Waits until the other side has closed it.
    async fn is_closed(&mut self) {
        let end = async {
            while let Some((kind, _)) = self.read().await {
                assert_eq!(kind, Kind::Ping, "nothing else is said");
            }
        };
        timeout(PATIENCE, end).await.expect("it is closed");
    }
}

/// Nothing falls silent as long as a test waits: what ends is ended by something else.
const PATIENT: LinkOptions = LinkOptions { ping: Duration::from_secs(1), silence: Duration::from_secs(1_000) };

/// Ann is who is spoken for, Bob who hears it: her own links know of nobody, and dial nobody.
async fn ann_and_bob(options: LinkOptions) -> (Server, Server) {
    let (ann, bob) = (Server::start(1).await, Server::start_with(2, options).await);
    bob.meet(&[&ann]);
    (ann, bob)
}

fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put_head(kind, body.len(), &mut frame);
    frame.extend_from_slice(body);
    frame
}

#[tokio::test]
async fn what_is_no_frame_or_too_large_cuts_the_link_and_nothing_else() {
    let (ann, bob) = ann_and_bob(PATIENT).await;
    let hello = Hello { me: ann.id, you: bob.id, attempt: 1 }.encode();
    let too_large = u32::try_from(PARCEL_BYTES_MAX + 2).expect("it fits").to_be_bytes().to_vec();
    let bad = [vec![0, 0, 0, 0], vec![0, 0, 0, 1, 9], b"GET / HTTP/1.1\r\n\r\n".to_vec(), too_large, hello];
    for (bad, attempt) in bad.iter().zip(1..) {
        let mut raw = Raw::link(&ann, &bob, attempt).await;
        bob.sees_up(&ann).await;
        raw.say(&[frame(Kind::Ping, b""), frame(Kind::Parcel, b"good"), bad.clone()].concat()).await;
        bob.hears(&ann, b"good").await;
        bob.sees_down(&ann).await;
        raw.is_closed().await;
    }
    // Half of a frame, and the end.
    let mut raw = Raw::link(&ann, &bob, 100).await;
    bob.sees_up(&ann).await;
    raw.say(&frame(Kind::Parcel, b"cut off")[..8]).await;
    drop(raw);
    bob.sees_down(&ann).await;
}

#[tokio::test]
async fn a_wrong_hello_makes_no_link_and_is_answered_with_the_right_one() {
    let (ann, bob) = ann_and_bob(PATIENT).await;
    let right = Hello { me: ann.id, you: bob.id, attempt: 1 };
    let mut version = right.encode();
    version[6] = 200;
    let wrong = [
        Hello { me: NodeId(9), ..right }.encode(),
        Hello { you: NodeId(9), ..right }.encode(),
        version,
        frame(Kind::Parcel, b"no hello at all"),
        frame(Kind::Hello, b"short"),
        u32::MAX.to_be_bytes().to_vec(),
    ];
    for (wrong, is_answered) in wrong.into_iter().zip([true, true, false, false, false, false]) {
        let mut raw = Raw::connect(&ann, &bob).await;
        raw.say(&wrong).await;
        if is_answered {
            let (kind, body) = raw.read().await.expect("a hello");
            assert_eq!(Hello::decode(kind, &body), Ok(Hello { me: bob.id, you: ann.id, attempt: 1 }));
            assert_eq!(bob.next_of_all().await, LinkEvent::Unknown, "the table may be out of date");
        }
        raw.is_closed().await;
    }
    let _raw = Raw::link(&ann, &bob, 1).await;
    bob.sees_up(&ann).await;
}

#[tokio::test]
async fn who_says_no_hello_is_cut() {
    let (ann, bob) = ann_and_bob(PATIENT).await;
    Raw::connect(&ann, &bob).await.is_closed().await;
    let _raw = Raw::link(&ann, &bob, 1).await;
    bob.sees_up(&ann).await;
}

#[tokio::test]
async fn who_should_be_dialled_may_not_dial() {
    let (ann, bob) = (Server::start_with(1, PATIENT).await, Server::start(2).await);
    ann.links.set_peers(ann.id, vec![Peer { address: "127.0.0.1:0".to_owned(), ..bob.row() }]);
    let mut raw = Raw::connect(&bob, &ann).await;
    raw.say(&Hello { me: bob.id, you: ann.id, attempt: 1 }.encode()).await;
    raw.read().await.expect("a hello");
    raw.is_closed().await;
    ann.meet(&[&bob]);
    bob.meet(&[&ann]);
    ann.sees_up(&bob).await;
}

#[tokio::test]
async fn a_later_attempt_takes_the_place_of_an_earlier_one_and_never_the_other_way_round() {
    let (ann, bob) = ann_and_bob(PATIENT).await;
    let mut first = Raw::link(&ann, &bob, 5).await;
    bob.sees_up(&ann).await;
    let mut late = Raw::link(&ann, &bob, 4).await;
    late.is_closed().await;
    first.say(&frame(Kind::Parcel, b"first")).await;
    bob.hears(&ann, b"first").await;
    let mut next = Raw::link(&ann, &bob, 6).await;
    next.say(&frame(Kind::Parcel, b"next")).await;
    bob.sees_down(&ann).await;
    bob.sees_up(&ann).await;
    bob.hears(&ann, b"next").await;
    first.is_closed().await;
}

#[tokio::test]
async fn a_link_pings_and_one_that_hears_nothing_is_down() {
    let options = LinkOptions { ping: Duration::from_millis(20), silence: Duration::from_secs(1) };
    let (ann, bob) = ann_and_bob(options).await;
    let mut raw = Raw::link(&ann, &bob, 1).await;
    bob.sees_up(&ann).await;
    for _ in 0..3 {
        assert_eq!(raw.read().await.expect("it is open").0, Kind::Ping);
    }
    raw.is_closed().await;
    bob.sees_down(&ann).await;
}

#[tokio::test]
async fn who_does_not_take_events_reads_no_further_and_loses_nothing() {
    let silence = Duration::from_millis(200);
    let (ann, bob) = ann_and_bob(LinkOptions { ping: PATIENCE, silence }).await;
    let mut raw = Raw::link(&ann, &bob, 1).await;
    let parcel = |number: u8| vec![number; 1 << 20];
    let saying = async {
        for number in 0..64 {
            raw.say(&frame(Kind::Parcel, &parcel(number))).await;
        }
    };
    tokio::pin!(saying);
    // Longer than a link may be silent: one that is not read is not called so.
    assert!(timeout(silence * 5, &mut saying).await.is_err(), "it took all, and nobody wants it");
    let hearing = async {
        bob.sees_up(&ann).await;
        for number in 0..64 {
            bob.hears(&ann, &parcel(number)).await;
        }
    };
    tokio::join!(saying, hearing);
}
