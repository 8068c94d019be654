//! A bot that answers each message exactly once, whatever is killed when: it reads the feed of all rooms, and a message's place in it is the key of the answer.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{AppendError, Engine, FeedBounds, FeedError, FeedEvent, FeedName, FrameKind, Key, RejectCode};
use clap::Parser;
use examples::{Flags, block_on, run, say, tell_failure};
use log_redb::{Options, RedbLog};

/// Answers everybody who says `!ping`, in every room, for ever.
pub(crate) async fn answer_all(engine: Engine) -> Result<(), FeedError> {
    let mut feed = engine.feed_of(FeedName::parse("bot").expect("a valid name")).await?;
    loop {
        let page = feed.next().await?;
        for event in page.events.iter().filter(|event| is_question(event)) {
            answer(&engine, event).await;
        }
        // A page has at most 256 records, or one batch of up to 256: far fewer keys than a room remembers. What is answered and not stored is answered
        // again, under the same keys.
        while let Err(error) = feed.done(&page).await {
            match error {
                // Another server goes on from here.
                FeedError::Write(AppendError::Deposed) => break,
                FeedError::Read(_) | FeedError::Write(_) => tokio::time::sleep(Duration::from_secs(1)).await,
                error => return Err(error),
            }
        }
    }
}

fn is_question(event: &FeedEvent) -> bool {
    // What the bot says is not one.
    event.kind == FrameKind::Message && event.json.contains("\"text\":\"!ping\"")
}

async fn answer(engine: &Engine, question: &FeedEvent) {
    let room = engine.room(&question.room);
    let key = Key::parse(&format!("feed:{}:{}", question.epoch, question.offset.0)).expect("a valid key");
    loop {
        let answered = match room.info().await {
            Ok(info) if info.epoch == question.epoch => {
                room.say("Bot", "pong").with_reply_to(question.seq).with_key(key.clone()).await.map(drop)
            }
            Ok(_) => return, // The code is another room's by now.
            Err(reject) => Err(reject),
        };
        match answered.map_err(|reject| reject.code) {
            // Perhaps it was said: the key finds out.
            Err(RejectCode::Unavailable | RejectCode::Busy | RejectCode::AtCapacity) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            _ => return,
        }
    }
}

/// A chat server with a bot, that speaks WebSocket at /ws.
#[derive(clap::Parser)]
#[command(name = "bot")]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Keep rooms in this folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

fn main() -> ExitCode {
    block_on(serve())
}

async fn serve() -> ExitCode {
    let Arguments { flags, data } = Arguments::parse();
    let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
    let log = match RedbLog::open(&data, options) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            tell_failure(error);
            return ExitCode::FAILURE;
        }
    };
    let builder = Engine::builder().limits(flags.limits()).host_names(["Bot"]).expect("a valid name");
    let engine = builder.log(log).expect("nobody else has it").build();
    let answering = answer_all(engine.clone());
    let bot = tokio::spawn(async move {
        if let Err(error) = answering.await {
            tell_failure(format_args!("The bot answers nobody any more: {error}"));
        }
    });
    let router = transport_ws::routes(engine.clone(), flags.ws());
    let greet = |at| say(format_args!("Chat is at {}://{at}/ws", flags.scheme().replace("http", "ws")));
    let ended = run(&flags, engine, router, greet).await;
    bot.abort();
    ended
}
