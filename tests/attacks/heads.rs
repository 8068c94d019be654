//! Requests whose heads are large, many, or one after the other without an answer being read.

use super::support::{Attack, Bounds, Wire};

async fn refused(wire: &mut Wire) -> bool {
    let rest = wire.rest().await;
    rest.is_empty() || ["HTTP/1.1 431 ", "HTTP/1.1 400 ", "HTTP/1.1 414 "].iter().any(|status| rest.starts_with(status))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_larger_than_any() {
    let attack = Attack::on(&[]).await;
    let long = "a".repeat(512 << 10);
    let many = "A: b\r\n".repeat(50_000);
    for _ in 0..20 {
        for head in [
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}"),
            format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}"),
            format!("GET /{long} HTTP/1.1\r\n"),
            format!("GET /sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {long}\r\n\r\n"),
        ] {
            let mut wire = attack.dial(2).await;
            wire.send(head).await;
            assert!(refused(&mut wire).await);
        }
    }
    attack.costs_at_most("large heads", &Bounds { memory_per_byte: 1, cpu_us_per_byte: 0.1, ..Bounds::NOTHING }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_one_after_the_other_whose_answers_nobody_reads() {
    let attack = Attack::on(&[]).await;
    let requests = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2_000);
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut wire = attack.dial_narrow(2).await;
        wire.offer(requests.as_bytes());
        held.push(wire);
    }
    attack.settle().await;
    // 128 KiB that were not sent, what the server has not read of the requests (as much as its own buffer for that holds), and more.
    let bounds = Bounds { memory_per_connection: 256 << 10, kernel_per_connection: 768 << 10, ..Bounds::NOTHING };
    attack.costs_at_most("answers that nobody reads", &bounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_break_the_rules_of_http() {
    let attack = Attack::on(&[]).await;
    let body = "0".repeat(64 << 10);
    for _ in 0..100 {
        for request in [
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\nHost: localhost\n\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{body}"),
            format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{body}"
            ),
            format!("\0\u{1}\u{2}{body}"),
        ] {
            let mut wire = attack.dial(2).await;
            wire.send(request).await;
            wire.rest().await;
        }
    }
    attack.costs_at_most("broken requests", &Bounds::NOTHING).await;
}
