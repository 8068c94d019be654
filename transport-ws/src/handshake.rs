//! The first frame of a connection, and the session it asks for.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use chat_core::{
    BadFrame, Busy, ClientFrame, CloseReason, CommandId, ConnectRequest, Connection, Hello, Refusal, Reject,
    RejectCode, Reply, Request, ServerFrame,
};
use chat_serve::{BadCredentials, within};
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame_socket::{Exit, FrameSocket};
use super::reader::Incoming;
use super::shared::Shared;
use super::writer::Writer;

/// Waits for the first frame, whatever it is, and attaches the session it means.
pub(crate) async fn greet<S>(
    ws: &mut FrameSocket<S>,
    shared: &Shared,
    asked: Result<ConnectRequest, BadCredentials>,
) -> Result<Connection, Exit>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = within(shared.config.first_frame_timeout, poll_fn(|cx| poll_first(cx, ws))).await;
    let frame = match first {
        None => return Err(refuse(ws, CloseReason::HandshakeTimeout, None)),
        Some(Incoming::Lost) => return Err(Exit::Lost),
        Some(Incoming::Closed) => return Err(Exit::Answer),
        Some(Incoming::Broken) => {
            refuse(ws, CloseReason::ProtocolViolation, None);
            return Err(Exit::Abandon(CloseReason::ProtocolViolation));
        }
        Some(incoming) => match parse(shared, &incoming) {
            Err(bad) if is_hello(&incoming) => {
                put(&mut ws.writer, &error(bad.id, &bad.reject));
                return Err(refuse(ws, CloseReason::ProtocolViolation, None));
            }
            frame => frame,
        },
    };
    let (hello, frame) = match frame {
        Ok(ClientFrame { request: Request::Hello(hello), .. }) => (hello, None),
        other => (Hello::default(), Some(other)),
    };
    let id = hello.id;
    let is_read = hello.token.is_none() || shared.config.credentials.reads_message();
    let asked = match asked.and_then(|asked| if is_read { Ok(asked) } else { Err(BadCredentials::Unread) }) {
        Ok(asked) => asked,
        Err(bad) => {
            put(&mut ws.writer, &error(id, &Reject::bad_field("token", bad.to_string())));
            return Err(refuse(ws, CloseReason::ProtocolViolation, None));
        }
    };
    match shared.engine.connect(asked, hello).await {
        Ok(connection) => {
            if let Some(frame) = frame {
                hand_in(&connection, frame, &mut ws.writer);
            }
            Ok(connection)
        }
        Err(Refusal { close, reject, reconnect_after, .. }) => {
            put(&mut ws.writer, &error(id, &reject));
            Err(refuse(ws, close, reconnect_after))
        }
    }
}

/// Reads on to the first message; answers pings meanwhile.
fn poll_first<S>(cx: &mut Context<'_>, ws: &mut FrameSocket<S>) -> Poll<Incoming>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // A socket that takes no pong may still give a frame; the deadline is over both.
        if ws.writer.poll_control(cx, &mut ws.socket).is_pending() && ws.writer.is_laden() {
            return Poll::Pending;
        }
        match ws.reader.poll_next(cx, &mut ws.socket, &mut ws.writer.control) {
            Poll::Ready(Incoming::Alive) => {}
            other => return other,
        }
    }
}

/// What a message asks, or what is wrong with it.
pub(crate) fn parse(shared: &Shared, incoming: &Incoming) -> Result<ClientFrame, BadFrame> {
    let limits = shared.engine.limits();
    match incoming {
        Incoming::Text(text) => ClientFrame::parse(text.as_bytes(), &limits.room, &limits.session),
        Incoming::NoText(why) => Err(BadFrame { id: None, reject: Reject::new(RejectCode::BadFrame, *why) }),
        Incoming::Alive | Incoming::Closed | Incoming::Lost | Incoming::Broken => {
            unreachable!("only messages are parsed")
        }
    }
}

fn is_hello(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Text(text) if ClientFrame::is_hello(text.as_bytes()))
}

/// Gives a session what its client sent.
pub(crate) fn hand_in(connection: &Connection, frame: Result<ClientFrame, BadFrame>, writer: &mut Writer) {
    let (id, taken) = match frame {
        Ok(ClientFrame { id, request: Request::Command(command) }) => {
            (id, connection.submit(command, Reply::mailbox(id)))
        }
        Ok(ClientFrame { id, request: Request::Hello(_) }) => {
            let reject = Reject::new(RejectCode::UnknownType, "hello comes only as the first frame");
            (id, connection.refuse(BadFrame { id, reject }, Reply::mailbox(id)))
        }
        Err(bad) => {
            let id = bad.id;
            (id, connection.refuse(bad, Reply::mailbox(id)))
        }
    };
    if let Err(Busy) = taken
        && !connection.is_ending()
    {
        // Nothing is read while the session has no room, so its places went to commands that came another way than this socket.
        put(writer, &error(id, &Reject::new(RejectCode::Busy, "too many commands are in flight")));
    }
}

/// Tells a client without a session that this is the end.
fn refuse<S>(ws: &mut FrameSocket<S>, reason: CloseReason, reconnect_after: Option<Duration>) -> Exit {
    put(&mut ws.writer, &ServerFrame::closing(reason, reconnect_after));
    Exit::Close(reason)
}

fn error(id: Option<CommandId>, reject: &Reject) -> ServerFrame {
    ServerFrame::Error {
        until: reject.until,
        id,
        room: None,
        code: reject.code.as_str().to_owned(),
        message: reject.message.clone().into_owned(),
        field: reject.field.map(str::to_owned),
        limit: reject.limit,
        retry_after_ms: reject.retry_after.map(millis),
    }
}

fn put(writer: &mut Writer, frame: &ServerFrame) {
    let json = serde_json::to_vec(frame).expect("frames have string keys, and a Vec takes every write");
    writer.put_text(&json);
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
