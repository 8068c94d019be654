//! A link over WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{BAD_GATEWAY, Dialer, Ear, Hello, upgrade};
use crate::network::Proxied;

/// Talks until the connection ends. Returns why it did.
pub(super) async fn talk(mut dialer: Dialer, hello: Hello, mut said: UnboundedReceiver<Value>, ear: &Ear) -> String {
    if dialer.proxied() == Proxied::Refused {
        return BAD_GATEWAY.to_owned();
    }
    let end = match dialer.dial() {
        Ok(end) => end,
        Err(why) => return why,
    };
    let mut request = "ws://sim/ws".into_client_request().expect("a request");
    if let Some(pass) = &hello.pass {
        let bearer = format!("Bearer {pass}").parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
    }
    let socket = match upgrade(request, end).await {
        Ok(socket) => socket,
        Err(why) => return why,
    };
    let (mut sink, mut stream) = socket.split();
    let speak = async {
        if sink.send(Message::text(first(&hello).to_string())).await.is_err() {
            return std::future::pending::<String>().await;
        }
        while let Some(frame) = said.recv().await {
            if sink.send(Message::text(frame.to_string())).await.is_err() {
                break;
            }
        }
        // What is still to be read says why.
        std::future::pending().await
    };
    let listen = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => ear.frame(&text),
                Some(Ok(Message::Close(close))) => return format!("{:?}", close.map(|close| u16::from(close.code))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.to_string(),
                None => return "end".to_owned(),
            }
        }
    };
    tokio::select! {
        biased;
        why = listen => why,
        why = speak => why,
    }
}

fn first(hello: &Hello) -> Value {
    let mut frame = json!({"type": "hello", "id": 0});
    if let Some(token) = &hello.token {
        let positions = hello.positions.iter().map(|(room, position)| (room.clone(), position.clone().into()));
        frame["resume"] = token.clone().into();
        frame["positions"] = positions.collect::<Map<_, _>>().into();
    }
    if let Some(most) = hello.catch_up {
        frame["catch_up"] = most.into();
    }
    frame
}
