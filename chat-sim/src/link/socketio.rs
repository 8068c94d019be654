//! A link over Socket.IO: over a WebSocket, and by long-polling.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::{BAD_GATEWAY, Dialer, Ear, Heard, Hello, upgrade};
use crate::network::Proxied;

const OVER_WS: &str = "ws://sim/socket.io/?EIO=4&transport=websocket";
const BY_POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Talks over a WebSocket until the connection ends. Returns why it did.
pub(super) async fn talk(mut dialer: Dialer, hello: Hello, mut said: UnboundedReceiver<Value>, ear: &Ear) -> String {
    if dialer.proxied() == Proxied::Refused {
        return BAD_GATEWAY.to_owned();
    }
    let end = match dialer.dial() {
        Ok(end) => end,
        Err(why) => return why,
    };
    let socket = match upgrade(OVER_WS, end).await {
        Ok(socket) => socket,
        Err(why) => return why,
    };
    let (mut sink, mut stream) = socket.split();
    let (pong, mut pongs) = mpsc::unbounded_channel();
    let speak = async {
        loop {
            let packet = tokio::select! {
                biased;
                Some(packet) = pongs.recv() => packet,
                Some(frame) = said.recv() => command(&frame),
                else => break,
            };
            if sink.send(Message::text(packet)).await.is_err() {
                break;
            }
        }
        std::future::pending::<String>().await
    };
    let listen = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(packet))) => {
                    if let Some(why) = take(&packet, &hello, &pong, ear) {
                        return why;
                    }
                }
                Some(Ok(Message::Close(_))) => return "closed".to_owned(),
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

/// Talks by long-polling until the session ends. Returns why it did.
pub(super) async fn poll(mut dialer: Dialer, hello: Hello, mut said: UnboundedReceiver<Value>, ear: &Ear) -> String {
    let mut connections = JoinSet::new();
    let opened = async {
        let mut polls = connect(&mut dialer, &mut connections).await?;
        let posts = connect(&mut dialer, &mut connections).await?;
        let open = request(&mut polls, "GET", BY_POLLING, String::new()).await?;
        let open: Value = serde_json::from_str(open.get(1..).unwrap_or_default()).map_err(|error| error.to_string())?;
        let sid = open["sid"].as_str().ok_or("no sid")?;
        Ok::<_, String>((polls, posts, format!("{BY_POLLING}&sid={sid}")))
    };
    let (mut polls, mut posts, target) = match opened.await {
        Ok(opened) => opened,
        Err(why) => return why,
    };
    let (pong, mut pongs) = mpsc::unbounded_channel();
    let _ = pong.send(format!("40{}", auth(&hello)));
    let speak = async {
        loop {
            let packet = tokio::select! {
                biased;
                Some(packet) = pongs.recv() => packet,
                Some(frame) = said.recv() => command(&frame),
                else => return std::future::pending::<String>().await,
            };
            // What is said twice here is no command of which there would be one answer.
            let proxied = dialer.proxied();
            if proxied == Proxied::Refused {
                return BAD_GATEWAY.to_owned();
            }
            if let Err(why) = request(&mut posts, "POST", &target, packet).await {
                return why;
            }
            if proxied == Proxied::Lost {
                return BAD_GATEWAY.to_owned();
            }
        }
    };
    let listen = async {
        loop {
            let body = match request(&mut polls, "GET", &target, String::new()).await {
                Ok(body) => body,
                Err(why) => return why,
            };
            for packet in body.split('\u{1e}').filter(|packet| !packet.is_empty()) {
                if let Some(why) = take(packet, &Hello::default(), &pong, ear) {
                    return why;
                }
            }
        }
    };
    tokio::select! {
        biased;
        why = listen => why,
        why = speak => why,
    }
}

/// One packet of the server. Returns why the session has ended, where it has.
fn take(packet: &str, hello: &Hello, say: &UnboundedSender<String>, ear: &Ear) -> Option<String> {
    let body = packet.get(2..).unwrap_or_default();
    match packet.get(..2).unwrap_or(packet) {
        "2" => drop(say.send("3".to_owned())),
        "42" => match serde_json::from_str::<(String, Value)>(body) {
            Ok((name, frame)) if frame["type"] == *name => ear.frame(&frame.to_string()),
            _ => ear.tell(Heard::Nonsense(packet.to_owned())),
        },
        "43" => {
            let list = body.find('[').unwrap_or(0);
            match (body[..list].parse::<u64>(), serde_json::from_str::<(Value,)>(&body[list..])) {
                (Ok(id), Ok((mut answer,))) => {
                    if answer["id"].is_null() {
                        answer["id"] = id.into();
                    }
                    ear.frame(&answer.to_string());
                }
                _ => ear.tell(Heard::Nonsense(packet.to_owned())),
            }
        }
        "44" => return Some(format!("refused {body}")),
        "41" | "1" => return Some("disconnected".to_owned()),
        _ if packet.starts_with('0') => drop(say.send(format!("40{}", auth(hello)))),
        "6" | "40" => {}
        _ => ear.tell(Heard::Nonsense(packet.to_owned())),
    }
    None
}

fn auth(hello: &Hello) -> Value {
    let mut auth = json!({});
    if let Some(pass) = &hello.pass {
        auth["token"] = pass.clone().into();
    }
    if let Some(token) = &hello.token {
        let positions = hello.positions.iter().map(|(room, position)| (room.clone(), position.clone().into()));
        auth["resume"] = token.clone().into();
        auth["positions"] = positions.collect::<Map<_, _>>().into();
    }
    if let Some(most) = hello.catch_up {
        auth["catch_up"] = most.into();
    }
    auth
}

/// A command as an event; half of them with an acknowledgement.
fn command(frame: &Value) -> String {
    let fields: BTreeMap<&str, &Value> =
        frame.as_object().into_iter().flatten().map(|(field, value)| (field.as_str(), value)).collect();
    let rest: Map<String, Value> = fields
        .iter()
        .filter(|(field, _)| **field != "type")
        .map(|(field, value)| ((*field).to_owned(), (*value).clone()))
        .collect();
    let event = json!([frame["type"], rest]);
    match frame["id"].as_u64() {
        Some(id) if id % 2 == 0 => format!("42{id}{event}"),
        _ => format!("42{event}"),
    }
}

async fn connect(dialer: &mut Dialer, connections: &mut JoinSet<()>) -> Result<SendRequest<Full<Bytes>>, String> {
    let end = dialer.dial()?;
    let (sender, connection) = handshake(TokioIo::new(end)).await.map_err(|error| error.to_string())?;
    connections.spawn(async move {
        // How it ended is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(sender)
}

async fn request(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    target: &str,
    body: String,
) -> Result<String, String> {
    let request = Request::builder().method(method).uri(target).header("host", "sim").body(Full::from(body));
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    match status.is_success() {
        true => String::from_utf8(body.to_vec()).map_err(|error| error.to_string()),
        false => Err(format!("{status} {}", String::from_utf8_lossy(&body))),
    }
}
