//! Guesses of tokens, cursors and codes.

use super::support::{Attack, Bounds, Door, Guest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_guessed_by_requests() {
    let attack = Attack::on(&[]).await;
    let victim = attack.honest(Door::Sse).await;
    let mut wire = attack.dial(2).await;
    let mut requests = String::new();
    let (head, signature) = victim.token.rsplit_once('.').expect("a signature");
    for number in 0..5_000_usize {
        // A true token but for one character.
        let at = number % signature.len();
        let mut guess: Vec<char> = signature.chars().collect();
        guess[at] = if guess[at] == 'A' { 'B' } else { 'A' };
        let guess: String = guess.into_iter().collect();
        requests += &format!(
            "POST /sse/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {head}.{guess}\r\nContent-Length: 2\r\n\r\n{{}}",
            victim.session
        );
    }
    requests += "GET /the-end HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let refused = wire.storm(requests.as_bytes(), "HTTP/1.1 401", "HTTP/1.1 404").await.times;
    assert_eq!(refused, 5_000);
    attack.costs_at_most("tokens guessed by POST", &Bounds { cpu_us_per_byte: 2.0, ..Bounds::NOTHING }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_guessed_at_the_beginning() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let victim = attack.honest(Door::Ws).await;
        let (head, signature) = victim.token.rsplit_once('.').expect("a signature");
        let wrong = if signature.starts_with('A') { 'B' } else { 'A' };
        for _ in 0..300 {
            let hello = format!(r#""resume":"{head}.{wrong}{}""#, &signature[1..]);
            if let Some(guest) = Guest::enter_by(attack.dial(2).await, door, &hello).await {
                assert_ne!(guest.session, victim.session, "{door:?}");
            }
        }
        let bounds = Bounds { answered_per_byte: 8, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("tokens guessed, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_are_guessed() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut tried = 0;
        for number in 0..20 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            let guesses: Vec<_> =
                (0..400).map(|guess| ("join", format!(r#""room":"GUESS-{number}-{guess}","nick":"Eve""#))).collect();
            tried += guest.storm(&guesses, "room_not_found").await.times;
        }
        // 256 at once, then 8 a second.
        let tried_max = 256 + 8 * (attack.lasted().as_secs() + 1);
        assert!(tried <= tried_max, "{door:?}: {tried} codes, of {tried_max}");
        let bounds = Bounds { answered_per_byte: 8, cpu_us_per_byte: 2.0, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("codes guessed, {door:?}"), &bounds).await;
    }
}
