//! A link over Server-Sent Events: one stream, and a connection for the POSTs.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{BAD_GATEWAY, Dialer, Ear, Heard, Hello};
use crate::network::Proxied;

/// Where to post, and with which token; from the `welcome`.
type Address = Option<(String, String)>;

/// Talks until the stream ends. Returns why it did.
pub(super) async fn talk(mut dialer: Dialer, hello: Hello, said: UnboundedReceiver<Value>, ear: &Ear) -> String {
    let mut connections = JoinSet::new();
    let mut sender = match connect(&mut dialer, &mut connections).await {
        Ok(sender) => sender,
        Err(why) => return why,
    };
    let (welcomed, address) = watch::channel(None);
    let request = open(&hello);
    let proxied = dialer.proxied();
    if proxied == Proxied::Refused {
        return BAD_GATEWAY.to_owned();
    }
    let listen = async {
        match sender.send_request(request).await {
            // The server has a stream that nobody hears.
            Ok(_) if proxied == Proxied::Lost => BAD_GATEWAY.to_owned(),
            Ok(answer) => listen(answer, hello.token.as_deref(), &welcomed, ear).await,
            Err(error) => error.to_string(),
        }
    };
    tokio::select! {
        biased;
        why = listen => why,
        why = post_all(dialer, said, address, ear) => why,
    }
}

fn open(hello: &Hello) -> Request<Full<Bytes>> {
    let mut target = "/sse?".to_owned();
    let mut request = Request::builder().method("GET").header("host", "sim").header("accept", "text/event-stream");
    if let Some(pass) = &hello.pass {
        request = request.header("authorization", format!("Bearer {pass}"));
    }
    if let Some(cursor) = &hello.cursor {
        request = request.header("last-event-id", cursor);
    } else if let Some(token) = &hello.token {
        let positions: Vec<String> = hello.positions.iter().map(|(room, at)| format!("{room}:{at}")).collect();
        target = format!("/sse?resume={token}&positions={}&", positions.join(","));
    }
    if let Some(most) = hello.catch_up {
        target = format!("{target}catch_up={most}");
    }
    request.uri(target).body(Full::default()).expect("a request")
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

async fn listen(
    answer: Response<Incoming>,
    known: Option<&str>,
    welcomed: &watch::Sender<Address>,
    ear: &Ear,
) -> String {
    let status = answer.status();
    let mut body = answer.into_body();
    let mut raw: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Err(error) => return error.to_string(),
            Ok(frame) => raw.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
        }
        while let Some(end) = raw.windows(2).position(|bytes| bytes == b"\n\n") {
            let event: Vec<u8> = raw.drain(..end + 2).collect();
            read(&String::from_utf8_lossy(&event), known, welcomed, ear);
        }
    }
    status.to_string()
}

/// Takes in one event. `known` is the token of the session that was to be resumed: a cursor is not told it again.
fn read(event: &str, known: Option<&str>, welcomed: &watch::Sender<Address>, ear: &Ear) {
    let of = |field: &str| event.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
    let Some(data) = of("data") else { return };
    if of("event") == Some("welcome")
        && let Ok(welcome) = serde_json::from_str::<Value>(data)
        && let (Some(session), Some(token)) = (welcome["session"].as_str(), welcome["token"].as_str().or(known))
    {
        welcomed.send_replace(Some((session.to_owned(), token.to_owned())));
    }
    ear.frame(data);
    if let Some(cursor) = of("id") {
        ear.tell(Heard::Cursor(cursor.to_owned()));
    }
}

/// Posts one command after the other; a connection that is lost is made again.
async fn post_all(
    mut dialer: Dialer,
    mut said: UnboundedReceiver<Value>,
    mut address: watch::Receiver<Address>,
    ear: &Ear,
) -> String {
    let mut connections = JoinSet::new();
    let mut sender = None;
    while let Some(frame) = said.recv().await {
        let Ok(known) = address.wait_for(Option::is_some).await.map(|known| known.clone()) else { break };
        let (session, token) = known.expect("waited for");
        let request = Request::builder()
            .method("POST")
            .uri(format!("/sse/{session}"))
            .header("host", "sim")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::from(frame.to_string()))
            .expect("a request");
        let ready = match sender.take() {
            Some(ready) => Ok(ready),
            None => connect(&mut dialer, &mut connections).await,
        };
        // What changes nothing the second time, as proxies believe of more than that.
        let may_double = frame["type"] == "send" && frame["key"].is_string();
        let proxied = dialer.proxied();
        let other = match proxied {
            Proxied::Twice if may_double => connect(&mut dialer, &mut connections).await.ok(),
            _ => None,
        };
        let id = frame["id"].as_u64().expect("every command here has a number");
        match ready {
            Err(_) => ear.tell(Heard::Unanswered(id)),
            Ok(_) if proxied == Proxied::Refused => ear.tell(Heard::Unanswered(id)),
            Ok(mut ready) => match post_both(&mut ready, other, request).await {
                Ok(_) if proxied == Proxied::Lost => ear.tell(Heard::Unanswered(id)),
                Ok(mut answer) => {
                    // A join is answered down the stream.
                    let enters = frame["type"] == "join" || frame["type"] == "create";
                    if answer["id"].is_null() {
                        answer["id"] = id.into();
                    }
                    if !(enters && answer["type"] == "ack") {
                        ear.frame(&answer.to_string());
                    }
                    sender = Some(ready);
                }
                Err(_) => ear.tell(Heard::Unanswered(id)),
            },
        }
    }
    std::future::pending().await
}

/// Posts it over one connection, and at the same time over another, if there is one; the answer of the first counts.
async fn post_both(
    sender: &mut SendRequest<Full<Bytes>>,
    other: Option<SendRequest<Full<Bytes>>>,
    request: Request<Full<Bytes>>,
) -> Result<Value, String> {
    let Some(mut other) = other else { return post(sender, request).await };
    let (answer, _) = tokio::join!(post(sender, request.clone()), post(&mut other, request));
    answer
}

async fn post(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Value, String> {
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| format!("{status} {error}"))
}
