//! The recipes of the README, as they stand there.

use chat_client::{Client, Entrance, Error, Options, Room, RoomEvent, Why};
use chat_core::{Command, RejectCode, RoomSecret, Topic};
use futures_util::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = connect()?;
    enter(&client, "swordfish".parse()?).await?;
    let room = client.join("LUNCH", "Ann").await?;
    said(&room).await?;
    waited_for(&room).await?;
    asked(&room, "Pizza".parse()?).await?;
    followed(&room).await;
    Ok(())
}

async fn said(room: &Room) -> Result<(), Error> {
    let sent = room.send("hello").await?;
    println!("said as {} at {:?}", sent.seq, sent.at);
    room.edit(sent.seq, "hello there").await?;
    room.react(sent.seq, "👍".parse()?).await?;
    room.redact(sent.seq).await?;
    Ok(())
}

async fn followed(room: &Room) {
    let (state, mut events) = room.follow();
    for message in state.messages() {
        println!("{}: {}", message.nick, message.text);
    }
    while let Some(event) = events.next().await {
        match event {
            RoomEvent::Message(message) => println!("{}: {}", message.nick, message.text),
            RoomEvent::Missed { from, to } => println!("{from} to {to} are being read"),
            RoomEvent::CaughtUp => println!("{} messages are held", room.state().messages().len()),
            RoomEvent::Skipped(events) => println!("too slow for {events} of them; the state has them all"),
            RoomEvent::Ended(ending) => println!("out: {}", ending.why),
            _ => {}
        }
    }
}

async fn waited_for(room: &Room) -> Result<(), Error> {
    let state = room.until(|state| state.is_synced() && state.members.len() == 2).await?;
    println!("{} are here", state.members_total);
    Ok(())
}

async fn asked(room: &Room, topic: Topic) -> Result<(), Error> {
    while room.state().more {
        room.history(200).await?;
    }
    let answer = room.command(|code| Command::set_topic(code, topic)).await?;
    println!("{answer:?}");
    Ok(())
}

async fn enter(client: &Client, secret: RoomSecret) -> Result<(), Error> {
    match client.join("LUNCH", Entrance::new("Ann").with_secret(secret)).await {
        Err(error) if error.code() == Some(RejectCode::NickTaken) => println!("somebody has this name"),
        Err(error) if error.code() == Some(RejectCode::Banned) => {
            println!("banned until {:?}", error.refusal().and_then(|refusal| refusal.until));
        }
        entered => drop(entered?),
    }
    Ok(())
}

fn connect() -> Result<Client, Error> {
    let options = Options::new().with_credentials(|why| async move {
        // For a new connection, because what was shown is about to run out, or because it did.
        fetch_token(why != Why::Connect).await
    });
    let client = Client::connect("https://chat.example.org", options)?;
    Ok(client)
}

/// As an application has it from its own login.
async fn fetch_token(is_fresh_one: bool) -> Result<String, std::io::Error> {
    Ok(if is_fresh_one { "another" } else { "one" }.to_owned())
}
