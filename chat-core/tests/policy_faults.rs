//! A policy that hangs, panics or denies over what a member asks beside messages: that command alone is refused, and everybody is served meanwhile.
#![cfg(feature = "engine")]

mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{
    Command, CommandId, Engine, MemberChange, Policy, ReactionName, Reject, RejectCode, Reply, Seq, ServerFrame,
    SessionView, SignalData, SignalName,
};
use support::*;
use tokio::time::Instant;

/// What a member asks for, beside messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Edit,
    React,
    Me,
    Live,
    Signal,
    Read,
}

const KINDS: [Kind; 6] = [Kind::Edit, Kind::React, Kind::Me, Kind::Live, Kind::Signal, Kind::Read];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Panics,
    Hangs,
    Denies,
}

const FAULTS: [Fault; 3] = [Fault::Panics, Fault::Hangs, Fault::Denies];

impl Kind {
    fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Edit { .. } => Some(Self::Edit),
            Command::React { .. } => Some(Self::React),
            Command::Me { .. } => Some(Self::Me),
            Command::Live { .. } => Some(Self::Live),
            Command::Signal { .. } => Some(Self::Signal),
            Command::Read { .. } => Some(Self::Read),
            _ => None,
        }
    }

    /// One of Ann's, about her message, that changes something.
    fn command(self) -> Command {
        let room = code("LUNCH");
        match self {
            Self::Edit => Command::edit(room, TARGET, body("put right")),
            Self::React => Command::react(room, TARGET, ReactionName::parse("+1").expect("valid")),
            Self::Me => Command::me(room, MemberChange::new().nick(nick("Anna"))),
            Self::Live => Command::live(room, TARGET, body("so far")),
            Self::Signal => {
                Command::signal(room, SignalName::parse("hand").expect("valid"), SignalData::parse("true").ok())
            }
            Self::Read => Command::read(room, TARGET),
        }
    }

    /// Whether a frame tells somebody of it.
    fn is_told_by(self, frame: &ServerFrame) -> bool {
        match frame {
            ServerFrame::Edited { .. } => self == Self::Edit,
            ServerFrame::Reacted { .. } => self == Self::React,
            ServerFrame::MemberChanged { .. } => self == Self::Me,
            ServerFrame::Live { .. } => self == Self::Live,
            ServerFrame::Signals { .. } => self == Self::Signal,
            ServerFrame::Read { .. } => self == Self::Read,
            _ => false,
        }
    }
}

/// The message of Ann's that it is about.
const TARGET: Seq = Seq(3);

/// Stumbles over the next command of a kind, and over the next one after that: as often as it was told to.
#[derive(Default)]
struct Clumsy(Mutex<Vec<(Kind, Fault)>>);

impl Clumsy {
    fn stumble_over(&self, kind: Kind, fault: Fault) {
        self.0.lock().expect("nobody panics with it").push((kind, fault));
    }

    fn next(&self, command: &Command) -> Option<Fault> {
        let mut all = self.0.lock().expect("nobody panics with it");
        let index = all.iter().position(|(kind, _)| Kind::of(command) == Some(*kind))?;
        Some(all.remove(index).1)
    }
}

#[async_trait]
impl Policy for Clumsy {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        match self.next(&command) {
            None => Ok(command),
            Some(Fault::Panics) => panic!("a policy that trips"),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Denies) => Err(Reject::new(RejectCode::Forbidden, "not this")),
        }
    }
}

/// Ann and Bob in `LUNCH`, where Ann has said something at 3; everything is read.
async fn stage() -> (Arc<Clumsy>, Engine, [Client; 2]) {
    let policy = Arc::new(Clumsy::default());
    let engine = Engine::builder().policy(policy.clone()).limits(limits(|limits| limits.lift_rates())).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert_eq!(ann.say("LUNCH", "start").await, TARGET.0);
    for client in [&ann, &bob] {
        client.frames().await;
    }
    (policy, engine, [ann, bob])
}

/// What is refused, by the number of its command.
fn refusals(frames: &[ServerFrame]) -> Vec<(Option<CommandId>, String)> {
    let refused = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Error { id, code, .. } => Some((*id, code.to_string())),
        _ => None,
    });
    refused.collect()
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_stumbles_over_a_command_harms_that_one_alone() {
    for (kind, fault) in KINDS.into_iter().flat_map(|kind| FAULTS.map(|fault| (kind, fault))) {
        let at = format!("{kind:?} {fault:?}");
        let (policy, engine, [ann, bob]) = stage().await;
        policy.stumble_over(kind, fault);
        ann.submit_as(1, kind.command());
        ann.submit_as(2, send("LUNCH", "behind it"));
        settle().await;
        let asked = Instant::now();
        assert_eq!(bob.say("LUNCH", "meanwhile").await, if fault == Fault::Hangs { 4 } else { 5 }, "{at}");
        assert_eq!(asked.elapsed(), secs(0), "{at}: nobody else waits for it");
        let (mut told, mut heard) = (ann.frames().await, bob.frames().await);
        if fault == Fault::Hangs {
            assert_eq!(refusals(&told), [], "{at}: it is waited for");
            assert!(told.iter().map(summary).any(|told| told == "4 Bob: meanwhile"), "{at}: she hears others");
            pass(secs(10)).await;
            told.extend(ann.frames().await);
            heard.extend(bob.frames().await);
        }
        let code = if fault == Fault::Denies { "forbidden" } else { "unavailable" };
        assert_eq!(refusals(&told), [(Some(CommandId(1)), code.to_owned())], "{at}");
        assert!(told.iter().any(|frame| matches!(frame, ServerFrame::Ack { id: Some(CommandId(2)), .. })), "{at}");
        assert!(!told.iter().chain(&heard).any(|frame| kind.is_told_by(frame)), "{at}: nothing of it was done");
        assert!(heard.iter().map(summary).any(|told| told.ends_with("Ann: behind it")), "{at}");
        let stats = engine.stats();
        let expected = (u64::from(fault == Fault::Panics), u64::from(fault == Fault::Hangs));
        assert_eq!((stats.embedder_panics, stats.embedder_timeouts), expected, "{at}");

        // The next of its kind is asked about as if nothing had been.
        ann.session.call(kind.command()).await.expect("the policy has nothing against it");
        pass(secs(1)).await;
        let mut told = bob.frames().await;
        told.extend(ann.frames().await);
        let is_told = told.iter().any(|frame| kind.is_told_by(frame));
        assert_eq!(is_told, kind != Kind::Read, "{at}: what one has read is told to nobody else");
        assert!(ann.session.can_submit() && bob.session.can_submit(), "{at}");
    }
}

/// Whoever could not be asked may be asked again, and is told when.
#[tokio::test(start_paused = true)]
async fn who_is_refused_because_nobody_could_be_asked_is_told_when_to_ask_again() {
    for (kind, fault) in KINDS.into_iter().flat_map(|kind| FAULTS.map(|fault| (kind, fault))) {
        let (policy, _engine, [ann, _bob]) = stage().await;
        policy.stumble_over(kind, fault);
        let reject = ann.refused(kind.command()).await;
        let expected = match fault {
            Fault::Denies => (RejectCode::Forbidden, None),
            Fault::Hangs | Fault::Panics => (RejectCode::Unavailable, Some(secs(1))),
        };
        assert_eq!((reject.code, reject.retry_after), expected, "{kind:?} {fault:?}");
        ann.session.call(kind.command()).await.expect("the policy has nothing against it");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_does_not_wait_for_a_policy_that_hangs_over_any_command() {
    for kind in KINDS {
        let (policy, engine, [ann, bob]) = stage().await;
        policy.stumble_over(kind, Fault::Hangs);
        ann.submit(kind.command());
        let (reply, answer) = Reply::channel(None);
        ann.session.submit(send("LUNCH", "waits behind it"), reply).expect("few commands are in flight");
        settle().await;
        let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
        again.joined().await;
        assert!(answer.await.is_err(), "{kind:?}: who waits is told at once");
        again.submit(send("LUNCH", "hi"));
        assert_eq!(
            again.told().await,
            ["ack 4", "4 Ann: hi"],
            "{kind:?}: at once, and nothing of the older connection"
        );
        pass(secs(20)).await;
        again.session.call(kind.command()).await.expect("the policy has nothing against it");
        assert!(!bob.frames().await.iter().any(|frame| matches!(frame, ServerFrame::MemberLeft { .. })), "{kind:?}");
    }
}

/// Of texts that wait for the policy the last is asked about: one that hangs is in nobody's way but for its time.
#[tokio::test(start_paused = true)]
async fn behind_a_text_that_the_policy_hangs_over_the_latest_one_is_shown() {
    for fault in [Fault::Hangs, Fault::Panics, Fault::Denies] {
        let (policy, _engine, [ann, bob]) = stage().await;
        policy.stumble_over(Kind::Live, Fault::Hangs);
        policy.stumble_over(Kind::Live, fault);
        let live = |text: &str| Command::live(code("LUNCH"), TARGET, body(text));
        ann.submit_as(1, live("one"));
        settle().await;
        for (id, text) in [(2, "two"), (3, "three")] {
            ann.submit_as(id, live(text));
        }
        let told = ann.frames().await;
        let is_answered = |frame: &ServerFrame| matches!(frame, ServerFrame::Ack { id: Some(CommandId(2)), .. });
        assert!(told.len() == 1 && told.iter().all(is_answered), "as if it had been shown: {told:?}");
        pass(secs(10)).await;
        pass(secs(10)).await;
        let told = refusals(&ann.frames().await);
        assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [Some(CommandId(1)), Some(CommandId(3))]);
        assert!(!bob.frames().await.iter().any(|frame| Kind::Live.is_told_by(frame)), "{fault:?}");
        ann.session.call(live("four")).await.expect("the policy has nothing against it");
        let shown = bob.frames().await.into_iter().find_map(|frame| match frame {
            ServerFrame::Live { text, .. } => text,
            _ => None,
        });
        assert_eq!(shown.as_deref(), Some("four"), "{fault:?}");
    }
}
