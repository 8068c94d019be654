//! Sessions begun without end: to have them, to say more than one may, to leave ghosts behind.

use super::support::{Attack, Bounds, Door};

/// Sessions that one address begins at once, and for each second.
const BEGUN: [u64; 2] = [100, 5];
/// Messages that one address says at once, and for each second.
const SAID: [u64; 2] = [200, 50];

fn allowed([once, second]: [u64; 2], attack: &Attack) -> u64 {
    once + second * (attack.lasted().as_secs() + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_without_end() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let (mut held, mut begun) = (Vec::new(), 0);
        for _ in 0..500 {
            let guest = attack.enter(door, 2).await;
            begun += u64::from(guest.is_some());
            held.push(guest);
        }
        assert!(begun >= BEGUN[0] && begun <= allowed(BEGUN, &attack), "{door:?}: {begun}");
        let bounds = Bounds { answered_per_byte: 8, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("sessions without end, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_begin_thousands_of_sessions() {
    let attack = Attack::on(&[]).await;
    let mut wire = attack.dial(2).await;
    let poll = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let end = "GET /the-end HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let polls = [poll.repeat(5_000), end.to_owned()].concat();
    let begun = wire.storm(polls.as_bytes(), r#""sid":"#, "HTTP/1.1 404").await.times;
    // Twice as many as it may have sessions. Those that never ask for their namespace are over after 10 s, and others may begin.
    let begun_max = 512 * (1 + attack.lasted().as_secs() / 10);
    assert!(begun >= 512 && begun <= begun_max, "{begun} begun, of {begun_max}");
    attack.costs_at_most("polls that begin sessions", &Bounds { cpu_us_per_byte: 2.0, ..Bounds::NOTHING }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spammers_with_fresh_sessions() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut witness = attack.honest(Door::Ws).await;
        witness.say("create", r#""room":"SPAMMED","nick":"Witness""#).await;
        witness.expect(r#""joined""#).await;
        for number in 0..60 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            guest.say("join", &format!(r#""room":"SPAMMED","nick":"Eve {number}","history":0"#)).await;
            let spam = vec![("send", r#""room":"SPAMMED","text":"buy""#.to_owned()); 100];
            guest.storm(&spam, "\"ack\"").await;
        }
        let said = witness.count("SPAMMED", r#""text":"buy""#).await;
        assert!(said <= allowed(SAID, &attack), "{door:?}: {said} messages");
        let bounds = Bounds { answered_per_byte: 8, cpu_us_per_byte: 2.0, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("spammers, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ghosts_in_a_room() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut witness = attack.honest(Door::Ws).await;
        witness.say("create", r#""room":"HAUNTED","nick":"Witness""#).await;
        witness.expect(r#""joined""#).await;
        for number in 0..500 {
            let Some(mut guest) = attack.enter(door, 2).await else { continue };
            guest.say("join", &format!(r#""room":"HAUNTED","nick":"Ghost {number}","history":0"#)).await;
            guest.expect(r#""joined""#).await;
        }
        let ghosts = witness.count("HAUNTED", "member_joined").await;
        assert!(ghosts >= 50 && ghosts <= allowed(BEGUN, &attack), "{door:?}: {ghosts} ghosts");
        // Everybody who comes in is shown everybody who is there.
        let bounds = Bounds { answered_per_byte: 64, cpu_us_per_connection: 3_000, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("ghosts, {door:?}"), &bounds).await;
    }
}
