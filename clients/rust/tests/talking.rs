//! A client as a program uses it, against the engine over real sockets: what is shown, told, refused and ended.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_client::{Client, Entrance, Error, Options, Outgoing, Presence, RoomEvent, Status, Why};
use chat_core::wire::ServerFrame;
use chat_core::{
    Admission, Clock, Command, ConnectRequest, Engine, Extent, Identity, Policy, ReactionName, Reject, RejectCode,
    SettingsChange, SystemClock, TypingState, Wall,
};
use futures_util::StreamExt;
use support::{PATIENCE, Server, client, held, log_of};
use tokio::time::timeout;

#[tokio::test]
async fn a_room_is_made_talked_in_and_left() {
    let server = Server::start().await;
    let (ann, bob) = (client(server.address, |_| {}), client(server.address, |_| {}));
    let anns = ann
        .create(None, Entrance::new("Ann").with_data(r#"{"id":"u1"}"#.parse().expect("data")))
        .await
        .expect("a room");
    let code = anns.code().expect("a code");
    let bobs = bob.join(code.as_str(), "Bob").await.expect("joined");
    let mut events = bobs.events();
    let said = Outgoing::new("hello").with_data(r#"{"kind":"wave"}"#.parse().expect("data"));
    let sent = anns.send(said).await.expect("said");
    let state = bobs.until(|state| state.unread() == 1).await.expect("in the room");
    assert_eq!((state.messages()[0].seq, Some(state.messages()[0].at)), (sent.seq, sent.at));
    bobs.read(None);
    bobs.until(|state| state.unread() == 0 && state.is_synced()).await.expect("in the room");
    let thumb = ReactionName::parse("👍").expect("a name");
    bobs.react(sent.seq, thumb.clone()).await.expect("reacted");
    anns.edit(sent.seq, "hello there").await.expect("edited");
    let state = bobs.until(|state| state.messages()[0].text == "hello there").await.expect("in the room");
    assert_eq!((state.messages()[0].reactions[0].count, &state.messages()[0].data), (1, &None));
    anns.typing(TypingState::On);
    bobs.until(|state| state.typing.len() == 1).await.expect("in the room");
    let forbidden = Some(RejectCode::Forbidden);
    assert_eq!(bobs.edit(sent.seq, "not mine").await.expect_err("refused").code(), forbidden);
    let topic = "Tea".parse::<chat_core::Topic>().expect("a topic");
    let refused = bobs.command(|room| Command::set_topic(room, topic.clone())).await;
    assert_eq!(refused.expect_err("refused").code(), forbidden);
    assert_eq!(bob.join("NOWHERE", "Bob").await.expect_err("refused").code(), Some(RejectCode::RoomNotFound));
    assert_eq!(bob.join("NO WHERE", "Bob").await.expect_err("refused").code(), Some(RejectCode::BadField));
    anns.command(|room| Command::set_topic(room, topic)).await.expect("set");
    anns.command(|room| Command::settings(room, SettingsChange::new().slow_ms(1_000))).await.expect("set");
    bobs.until(|state| state.topic == "Tea" && state.settings.slow_ms == 1_000).await.expect("in the room");
    anns.redact(sent.seq).await.expect("taken back");
    let state = bobs.until(|state| state.messages()[0].redacted).await.expect("in the room");
    assert_eq!(held(state.messages()), log_of(&anns).await);
    let cids = client(server.address, |_| {}).join(code.as_str(), "Cid").await.expect("joined");
    let cid = cids.state().you.as_ref().expect("somebody").member;
    anns.command(|room| Command::kick(room, cid)).await.expect("put out");
    assert_eq!(cids.until(|_| false).await.expect_err("out"), Error::Left);
    assert_eq!(
        (cids.state().ended.as_ref().map(|ended| ended.why.clone()), cids.send("late").await),
        (Some("kicked".into()), Err(Error::Left))
    );
    bobs.leave().await.expect("left");
    assert_eq!((bob.rooms().len(), bobs.state().presence), (0, Presence::Ended));
    let state = anns.until(|state| state.members.len() == 1).await.expect("in the room");
    assert_eq!(state.members[0].data.as_ref().map(|data| data.as_str().to_owned()), Some(r#"{"id":"u1"}"#.to_owned()));
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(match event {
            RoomEvent::Message(message) => message.text.clone(),
            RoomEvent::Event(frame) => frame_kind(&frame),
            RoomEvent::Ended(ending) => ending.why,
            _ => continue,
        });
    }
    // One's own leaving may be told before the answer to it, or not any more; then the stream ends.
    assert_eq!(told[..8], ["hello", "reacted", "edited", "topic", "settings", "redacted", "joined", "left"]);
    assert!(matches!(told.len(), 9 | 10) && told[8..].iter().all(|what| what == "left"), "{told:?}");
    ann.end(Extent::Session).await.expect("ended");
    assert!(matches!(ann.status(), Status::Closed { code: 4503, .. }));
    assert!(matches!(ann.join("TEA", "Ann").await, Err(Error::Closed { code: 4503, .. })));
}

fn frame_kind(frame: &ServerFrame) -> String {
    let kind = match frame {
        ServerFrame::Reacted { .. } => "reacted",
        ServerFrame::Edited { .. } => "edited",
        ServerFrame::Redacted { .. } => "redacted",
        ServerFrame::TopicChanged { .. } => "topic",
        ServerFrame::SettingsChanged { .. } => "settings",
        ServerFrame::MemberJoined { .. } => "joined",
        ServerFrame::MemberLeft { .. } => "left",
        other => panic!("{other:?}"),
    };
    kind.to_owned()
}

#[tokio::test]
async fn whoever_leaves_and_joins_at_once_is_in() {
    let server = Server::start().await;
    let (ann, bob) = (client(server.address, |_| {}), client(server.address, |_| {}));
    ann.create(Some("TEA"), "Ann").await.expect("a room");
    let room = bob.join("TEA", "Bob").await.expect("joined");
    let again = bob.clone();
    let (left, joined) = tokio::join!(room.leave(), async move { again.join("TEA", "Bob").await });
    left.expect("left");
    joined.expect("joined").send("here").await.expect("said");
}

#[tokio::test]
async fn whoever_starts_anew_with_the_token_of_the_session_is_the_same_member() {
    let server = Server::start().await;
    let before = client(server.address, |_| {});
    let room = before.create(Some("TEA"), "Ann").await.expect("a room");
    let said = room.send("before").await.expect("said");
    let token = before.session_tokens().borrow().clone().expect("a token");
    drop((room, before));
    let url = format!("http://{}", server.address);
    let after = Client::connect(&url, Options::new().with_session(token)).expect("a URL");
    let room = after.join("TEA", "Ann").await.expect("joined");
    let state = room.state();
    assert_eq!(state.you.as_ref().map(|you| you.member.0), Some(1));
    assert_eq!(state.messages().last().map(|message| message.seq), Some(said.seq));
    // A room that was not asked for before the connection is asked for anew.
    let token = after.session_tokens().borrow().clone().expect("a token");
    drop((room, after));
    let late = Client::connect(&url, Options::new().with_session(token)).expect("a URL");
    late.statuses().wait_for(|status| *status == Status::Open).await.expect("welcomed");
    let room = late.join("TEA", "Ann").await.expect("joined");
    assert_eq!(room.state().you.as_ref().map(|you| you.member.0), Some(1));
    let lost = Client::connect(&url, Options::new().with_session("NO.TOKEN")).expect("a URL");
    lost.join("TEA", "Bob").await.expect("as somebody new");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_costs_what_it_says_and_no_more() {
    let server = Server::start().await;
    let ann = client(server.address, |bounds| bounds.events_max = 3);
    let room = ann.create(None, "Ann").await.expect("a room");
    let mut events = room.events();
    for text in ["one", "two", "three", "four", "five"] {
        room.send(text).await.expect("said");
    }
    room.leave().await.expect("left");
    assert!(matches!(events.next().await, Some(RoomEvent::Skipped(skipped)) if skipped >= 3));
    assert_eq!(events.count().await, 3);
}

#[tokio::test]
async fn whoever_drops_everything_is_gone_and_what_they_said_before_is_said() {
    let server = Server::start().await;
    let (ann, bob) = (client(server.address, |_| {}), client(server.address, |_| {}));
    let anns = ann.create(Some("TEA"), "Ann").await.expect("a room");
    let bobs = bob.join("TEA", "Bob").await.expect("joined");
    bobs.send("bye").await.expect("said");
    let mut statuses = bob.statuses();
    drop(bob);
    assert!(matches!(*statuses.borrow_and_update(), Status::Open), "a room keeps the connection");
    drop(bobs);
    statuses.wait_for(|status| matches!(status, Status::Closed { code: 1000, .. })).await.expect("it is told");
    anns.until(|state| state.messages().len() == 1).await.expect("in the room");
}

/// Lets in whoever shows a pass, which is good for half a minute, and says so at once.
struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let identity = request.credentials.as_deref().and_then(|shown| shown.strip_prefix("pass-")?.split('.').next());
        let Some(identity) = identity.and_then(Identity::new) else {
            return Err(Reject::new(RejectCode::BadToken, "that is no pass"));
        };
        let Wall(now) = SystemClock::default().now().wall;
        Ok(Admission::of(identity).with_expiry(Wall(now + 30_000)))
    }
}

#[tokio::test]
async fn credentials_are_asked_for_again_whatever_becomes_of_whoever_gives_them() {
    let engine = Engine::builder().policy(Arc::new(Passes)).build();
    let server = Server::of(engine).await;
    let asked: Arc<Mutex<Vec<Why>>> = Arc::default();
    let whys = Arc::clone(&asked);
    let mut bounds = chat_client::Bounds::default();
    (bounds.backoff_max, bounds.credentials_wait) = (Duration::from_millis(5), Duration::from_millis(200));
    let options = Options::new().with_bounds(bounds).with_credentials(move |why| {
        let whys = Arc::clone(&whys);
        async move {
            let time = {
                let mut whys = whys.lock().expect("nobody panicked");
                whys.push(why);
                whys.len()
            };
            match time {
                1 => panic!("a bug of the program"),
                2 => std::future::pending().await,
                3 => Err("not now".to_owned()),
                time => Ok(format!("pass-u1.{time}")),
            }
        }
    });
    let ann = Client::connect(&format!("http://{}", server.address), options).expect("a URL");
    let room = timeout(PATIENCE, ann.create(None, "Ann")).await.expect("in time").expect("a room");
    room.send("hello").await.expect("said");
    let is_renewed = || asked.lock().expect("nobody panicked").contains(&Why::Expiring);
    timeout(PATIENCE, async {
        while !is_renewed() {
            room.send("and on").await.expect("said");
        }
    })
    .await
    .expect("it is told in time");
    assert_eq!(asked.lock().expect("nobody panicked")[..4], [Why::Connect; 4]);
    let refused = Options::new().with_token("nothing");
    let eve = Client::connect(&format!("http://{}", server.address), refused).expect("a URL");
    let closed = eve.join("TEA", "Eve").await.expect_err("refused");
    assert!(matches!(&closed, Error::Closed { code: 4500.., .. }), "{closed:?}");
}

#[test]
fn an_address_that_is_none_of_a_server_is_refused() {
    for url in ["", "chat.example.org", "ftp://chat.example.org", "http://ann:secret@chat.example.org"] {
        assert_eq!(Client::connect(url, Options::new()).expect_err(url), Error::Url);
    }
    let header = Options::new().with_header("a b", "c");
    assert_eq!(Client::connect("http://127.0.0.1:1", header).expect_err("no name"), Error::Header);
}
