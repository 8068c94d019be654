//! A connection's timers and flags, the second time and the third.

use super::*;

/// Eve in Ann's room, on a socket that holds 4 KiB on the way.
async fn eve(engine: &Engine) -> Peer {
    let (client, served) = raw(engine, 4 << 10);
    let mut eve = Peer { socket: WebSocketStream::from_raw_socket(client, Role::Client, None).await, served };
    eve.say(r#"{"type":"join","nick":"Eve","room":"LUNCH"}"#).await;
    welcome(&mut eve).await;
    assert!(matches!(eve.hear().await, ServerFrame::Joined(_)));
    eve
}

/// Answers pings for at least so long.
async fn stay(peer: &mut Peer, time: Duration) {
    let until = Instant::now() + time;
    while let Ok(next) = tokio::time::timeout_at(until, peer.socket.next()).await {
        assert_eq!(next.expect("it goes on").expect("a frame"), Message::Ping("".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_again_has_as_long_as_the_first_time() {
    let (engine, ann) = room().await;
    let mut eve = eve(&engine).await;
    for _ in 0..3 {
        for number in 0..20 {
            say(&ann, &format!("{number:0>1000}")).await;
        }
        tokio::time::sleep(Duration::from_secs(29)).await;
        for _ in 0..20 {
            assert!(matches!(eve.hear().await, ServerFrame::Message(_)));
        }
        stay(&mut eve, Duration::from_secs(100)).await;
    }
    for number in 0..20 {
        say(&ann, &format!("{number:0>1000}")).await;
    }
    let start = Instant::now();
    (&mut eve.served).await.expect("served to the end");
    assert_eq!(seconds(start), 30);
}

#[tokio::test(start_paused = true)]
async fn pings_that_wait_for_their_pongs_to_be_taken_are_all_answered_each_time() {
    let engine = Engine::builder().build();
    let (client, _served) = raw(&engine, 2 << 10);
    let (mut from, mut to) = tokio::io::split(client);
    to.write_all(&frame(HELLO)).await.expect("open");
    let mut welcome = Vec::new();
    while tokio::time::timeout(Duration::from_secs(1), from.read_buf(&mut welcome)).await.is_ok() {}
    assert!(String::from_utf8_lossy(&welcome).contains(r#""type":"welcome""#));
    for _ in 0..3 {
        // More than the pongs that may wait, and than the socket holds.
        let pinging = tokio::spawn(async move {
            for number in 0..200 {
                let mut ping = frame(&format!("{number:0>100}"));
                ping[0] = 0x89;
                to.write_all(&ping).await.expect("open");
            }
            to
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!pinging.is_finished(), "nothing more is read while nothing is taken");
        let pong = |number| [&[0x8A, 100], format!("{number:0>100}").as_bytes()].concat();
        let mut bytes = Vec::new();
        while !bytes.ends_with(&pong(199)) {
            assert!(from.read_buf(&mut bytes).await.expect("open") > 0, "it goes on");
        }
        assert!(bytes == (0..200).flat_map(pong).collect::<Vec<u8>>(), "all of them, whole and in order");
        to = pinging.await.expect("all are sent");
    }
}
