//! A peer whose commands wait for the policy or the log: nothing of it is read meanwhile, so nothing may be made of its silence.

use chat_core::{Limits, Policy, SessionView};
use tokio::sync::watch;

use super::*;

/// Lets commands through while it is open; they wait for that.
struct Gate(watch::Sender<bool>);

#[async_trait::async_trait]
impl Policy for Gate {
    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        self.0.subscribe().wait_for(|is_open| *is_open).await.expect("the gate outlives its commands");
        Ok(command)
    }
}

/// An engine with a closed gate.
fn gated() -> (Arc<Gate>, Engine) {
    let gate = Arc::new(Gate(watch::Sender::new(false)));
    // The policy is to take longer than any other clock here runs.
    let mut limits = Limits::default();
    limits.engine.policy_timeout = Duration::MAX;
    let engine = Engine::builder().limits(limits).policy(Arc::clone(&gate) as Arc<dyn Policy>).build();
    (gate, engine)
}

/// Asks for more than may be in flight: the last one waits in the socket, and behind it everything else that the peer says.
async fn ask_too_much(peer: &mut Peer) -> usize {
    let count = Limits::default().session.commands_in_flight_max + 1;
    for id in 0..count {
        peer.say(&format!(r#"{{"type":"members","id":{id},"room":"LUNCH"}}"#)).await;
    }
    count
}

/// Answers pings for so long. Returns how many came.
async fn stay(peer: &mut Peer, time: Duration) -> usize {
    let mut pings = 0;
    let until = Instant::now() + time;
    while let Ok(next) = tokio::time::timeout_at(until, peer.socket.next()).await {
        assert_eq!(next.expect("it goes on").expect("a frame"), Message::Ping("".into()));
        pings += 1;
    }
    pings
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_commands_are_held_back_is_not_taken_for_gone() {
    let (gate, engine) = gated();
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    for _ in 0..2 {
        gate.0.send_replace(false);
        let asked = ask_too_much(&mut peer).await;
        assert!(stay(&mut peer, Duration::from_secs(600)).await >= 20, "it is pinged all the time");
        gate.0.send_replace(true);
        for id in 0..asked {
            assert_eq!(peer.hear_error().await.0, Some(id as u64));
        }
    }
    assert!(stay(&mut peer, Duration::from_secs(600)).await >= 20, "its pongs are read again");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_while_its_commands_are_held_back_is_found_gone_once_they_are_not() {
    let (gate, engine) = gated();
    let mut peer = connect(&engine).await;
    peer.say(HELLO).await;
    welcome(&mut peer).await;
    ask_too_much(&mut peer).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(engine.stats().sessions, 1);
    gate.0.send_replace(true);
    tokio::time::sleep(Duration::from_secs(44)).await;
    assert_eq!(engine.stats().sessions, 1);
    tokio::time::sleep(Duration::from_secs(27)).await;
    assert_eq!(engine.stats().sessions, 0, "a ping and its pong later");
}
