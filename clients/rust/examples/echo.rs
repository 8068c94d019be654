//! A bot that repeats what it hears, in the room LUNCH of the server on this machine.

use chat_client::{Client, Options, RoomEvent};
use futures_util::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), chat_client::Error> {
    let client = Client::connect("http://127.0.0.1:5000", Options::new())?;
    let room = client.join("LUNCH", "Echo").await?;
    let mut events = room.events();
    while let Some(event) = events.next().await {
        match event {
            RoomEvent::Message(said) if !room.state().is_mine(&said) => {
                drop(room.send(format!("you said: {}", said.text)));
            }
            _ => {}
        }
    }
    Ok(())
}
