//! A server on this machine alone, asked by names that anybody may have point at it.

mod support;

use support::start;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn status(server: &str, path: &str, host: &str) -> u16 {
    let mut stream = TcpStream::connect(server).await.expect("accepted");
    // As the browser says it of a page that has the same name.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while answer.len() < 12 {
        assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
    }
    std::str::from_utf8(&answer[9..12]).expect("a status is text").parse().expect("a number")
}

const PATHS: [&str; 5] = ["/", "/healthz", "/sse?create&nick=Eve", "/socket.io/?EIO=4&transport=polling", "/ws"];

#[tokio::test]
async fn a_strangers_name_that_points_at_this_machine_finds_nothing() {
    let (_server, at) = start(&[]).await;
    let port = at.rsplit_once(':').expect("a port").1.to_owned();
    for path in PATHS {
        assert_eq!(status(&at, path, &format!("evil.test:{port}")).await, 403, "{path}");
        for host in [at.clone(), format!("localhost:{port}"), format!("[::1]:{port}")] {
            assert_ne!(status(&at, path, &host).await, 403, "{path} of {host}");
        }
    }
}

#[tokio::test]
async fn a_server_answers_to_the_names_that_it_was_given() {
    let (_server, at) = start(&["--host", "chat.example.org"]).await;
    for path in PATHS {
        assert_ne!(status(&at, path, "chat.example.org").await, 403, "{path}");
        assert_eq!(status(&at, path, "www.example.org").await, 403, "{path}");
    }
}
