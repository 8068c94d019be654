//! Your bot: the application watches rooms, and acts and speaks in them.
//!
//! # Watching
//!
//! An [`Observer`](crate::Observer) is told of every record of every room, in each room's order, on the engine's own path: it hands over and
//! returns. A task does the rest. This one takes back what names a word:
//!
//! ```
//! use std::sync::Arc;
//!
//! use roomlog::{Engine, Event, Moderation, Observer, ObserverEvent, RoomCode, Seq};
//! use tokio::sync::mpsc;
//!
//! struct Watch(mpsc::UnboundedSender<(RoomCode, Seq)>);
//!
//! impl Observer for Watch {
//!     fn observe(&self, event: ObserverEvent<'_>) {
//!         if let ObserverEvent::Published { room, record, .. } = event
//!             && let (Event::Sent { text, .. }, Some(seq)) = (&record.event, record.seq)
//!             && text.as_str().contains("swordfish")
//!         {
//!             let _ = self.0.send((room.clone(), seq));
//!         }
//!     }
//! }
//!
//! async fn take_back(engine: Engine, mut found: mpsc::UnboundedReceiver<(RoomCode, Seq)>) {
//!     while let Some((room, seq)) = found.recv().await {
//!         // The room may be gone, or somebody was faster.
//!         let _ = engine.moderate(&room, Moderation::Redact(seq)).await;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (found, finds) = mpsc::unbounded_channel();
//! let engine = Engine::builder().observer(Arc::new(Watch(found))).build();
//! tokio::spawn(take_back(engine.clone(), finds));
//! # use roomlog::{Command, ConnectRequest, Hello, ServerFrame};
//! # let mut ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! # let room: RoomCode = "LUNCH".parse()?;
//! # ann.call(Command::create("Ann".parse()?).with_room(room.clone())).await?;
//! # ann.call(Command::send(room, "the word is swordfish".parse()?)).await?;
//! # while !matches!(ann.next().await, ServerFrame::Redacted { .. }) {}
//! # Ok(())
//! # }
//! ```
//!
//! # Answering once
//!
//! An observer is told in passing: what happens while the application is down is told to nobody. The [feed](crate::Engine::feed_of) of a log is told at
//! least once, and an answer whose key is the place of the question in it is said exactly once, whatever is killed when:
//!
//! ```no_run
//! use roomlog::{Engine, FeedError, FeedName, FrameKind, Key};
//!
//! async fn answer(engine: Engine) -> Result<(), FeedError> {
//!     let mut feed = engine.feed_of(FeedName::parse("bot").expect("1 to 32 of a-z 0-9 - _")).await?;
//!     loop {
//!         let page = feed.next().await?;
//!         for event in page.events.iter().filter(|event| event.kind == FrameKind::Message && event.json.contains("!ping")) {
//!             let key = Key::parse(&format!("feed:{}:{}", event.epoch, event.offset.0)).expect("a valid key");
//!             // A reject that says `unavailable` or `busy` is to be asked again, under the same key.
//!             let _ = engine.room(&event.room).say("Bot", "pong").with_reply_to(event.seq).with_key(key).await;
//!         }
//!         feed.done(&page).await?;
//!     }
//! }
//! ```
//!
//! A room remembers the last 4,096 keys of its host, and a page has a few hundred records: be done with each page. The log is opened with a feed
//! (`feed: Some(FeedBounds::default())` in its options). `examples/src/bin/bot.rs` of the repository does it whole, and is killed in its test
//! wherever it waits.
//!
//! # Speaking
//!
//! A bot that speaks is a session without a socket: a member of its rooms, under a nick, and within the bounds of one.
//!
//! ```
//! use roomlog::{Command, Connection, ConnectRequest, Engine, Hello, RoomCode, ServerFrame};
//!
//! async fn answer(mut bot: Connection, room: RoomCode) -> Result<(), Box<dyn std::error::Error>> {
//!     loop {
//!         match bot.next().await {
//!             ServerFrame::Message(said) if said.text == "!ping" => {
//!                 bot.call(Command::send(room.clone(), "pong".parse()?)).await?;
//!             }
//!             ServerFrame::Closing { .. } => return Ok(()),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().build();
//! let bot = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! let room: RoomCode = "LUNCH".parse()?;
//! bot.call(Command::create("Bot".parse()?).with_room(room.clone())).await?;
//! # let answering = tokio::task::LocalSet::new();
//! # let (in_room, of_engine) = (room.clone(), engine.clone());
//! # answering.run_until(async move {
//! # tokio::task::spawn_local(async move { answer(bot, in_room).await.expect("it answers") });
//! # let mut ann = of_engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! # ann.call(Command::join(room.clone(), "Ann".parse()?)).await?;
//! # ann.call(Command::send(room, "!ping".parse()?)).await?;
//! # loop {
//! #     if let ServerFrame::Message(said) = ann.next().await && said.text == "pong" { break }
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).await?;
//! # Ok(())
//! # }
//! ```
