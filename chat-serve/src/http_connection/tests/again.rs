//! What takes very long, and what happens for a second time: late answers, streams one after the other, stalls after stalls.

use super::*;

/// A router whose `/` is answered after an hour.
fn late() -> Router {
    let answer = || async {
        sleep(3_600 * SECOND).await;
        "at last"
    };
    Router::new().route("/", get(answer))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_late_keeps_its_connection_each_time() {
    let (mut pipe, _ending) = connect(&late()).await;
    for _ in 0..2 {
        pipe.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"at last") {
            assert!(pipe.read_buf(&mut answer).await.expect("read") > 0, "cut off");
        }
        sleep(9 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_the_second_version_that_is_answered_late_keeps_its_connection_each_time() {
    let (pipe, _ending) = connect(&late()).await;
    let (client, connection) = client(pipe).await;
    let start = Instant::now();
    for _ in 0..2 {
        assert_eq!(ask(&client, "/").await.data().await.expect("more").expect("data"), "at last");
        sleep(9 * SECOND).await;
    }
    connection.await.expect("no panic").expect("an end in order");
    assert_eq!(start.elapsed(), (2 * 3_609 + 116) * SECOND, "asked to go 125 s after the last");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_again_has_as_long_as_the_first_time() {
    let (say, router) = told();
    let (mut pipe, _ending) = connect(&router).await;
    pipe.write_all(b"GET /told HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    stalls_again(&say, pipe).await;
}

/// An answer that lasts is written by other hands.
#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_again_in_an_answer_that_lasts_has_as_long_as_the_first_time() {
    let (say, router) = long_lived::lasting();
    let (pipe, _ending) = long_lived::begin(&router).await;
    stalls_again(&say, pipe).await;
}

async fn stalls_again(say: &mpsc::UnboundedSender<Bytes>, mut pipe: DuplexStream) {
    for _ in 0..3 {
        for _ in 0..10 {
            say.send(CHUNK).expect("heard");
        }
        sleep(39 * SECOND).await;
        // All of it is taken, and then there is nothing to take for a while.
        let mut bytes = Vec::new();
        while let Ok(read) = timeout(SECOND, pipe.read_buf(&mut bytes)).await {
            assert!(read.expect("read") > 0, "cut off");
        }
        assert!(bytes.len() > 10 * CHUNK.len());
        sleep(100 * SECOND).await;
    }
    for _ in 0..10 {
        say.send(CHUNK).expect("heard");
    }
    assert_eq!(until_dropped(say).await, 40 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_again_has_as_long_as_the_first_time() {
    let (say, router) = told();
    let (pipe, _ending) = connect(&router).await;
    let (client, _connection) = client(pipe).await;
    let mut stream = ask(&client, "/told").await;
    for _ in 0..3 {
        // More than the window of 65,535 bytes.
        for _ in 0..8 {
            say.send(CHUNK).expect("heard");
        }
        sleep(39 * SECOND).await;
        let mut came = 0;
        while came < 8 * CHUNK.len() {
            let length = stream.data().await.expect("more").expect("data").len();
            stream.flow_control().release_capacity(length).expect("it came");
            came += length;
        }
        sleep(100 * SECOND).await;
    }
    for _ in 0..8 {
        say.send(CHUNK).expect("heard");
    }
    assert_eq!(until_dropped(&say).await, 40 * SECOND);
}
