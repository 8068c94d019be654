//! Requests and answers on one connection, in the version of HTTP it begins with, until it ends or is upgraded.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::HttpBody;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ServeConfig;
use super::long_lived::{LongLived, StreamWriter, Takeover};
use super::patience::{Patience, PatientTimer, within};
use super::request_io::RequestIo;
use super::request_service::RequestService;
use super::socket::Socket;
use super::streams::{Streams, TrackedBody};
use super::version::{self, Version};

/// The least that hyper's HTTP/1 takes as a bound, in bytes.
const HEAD_BYTES_MIN: usize = 8 << 10;
/// Bytes of bodies that a client of HTTP/2 may send ahead on one stream, and on all of a connection. 64 KiB, and 256 KiB:
/// more than a request of this server holds, and what one connection may make it keep.
const AHEAD_BYTES: [u32; 2] = [64 << 10, 256 << 10];
/// Bytes that one stream of HTTP/2 may have waiting for its peer, besides the chunk in hand. 64 KiB, as one fill of a session.
const SEND_BYTES_MAX: usize = 64 << 10;
/// Streams that a client may reset before they are looked at. 20: more is an attack, and ends the connection.
const RESETS_MAX: usize = 20;
/// Streams that we may have to reset for a client's mistakes. 64, and then the connection ends.
const MISTAKES_MAX: usize = 64;

/// Runs a connection to its end.
pub(crate) fn run<S>(
    socket: Socket<S>,
    service: RequestService,
    config: Arc<ServeConfig>,
    end: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, to be freed before an answer begins that lasts for hours: all that speaks HTTP is in there.
    let exchange = Box::pin(exchange(socket, service, config, end.clone()));
    async move {
        if let Some(writer) = exchange.await {
            writer.run(end).await;
        }
    }
}

/// Answers requests until the connection ends, or is left to one answer.
async fn exchange<S>(
    mut socket: Socket<S>,
    service: RequestService,
    config: Arc<ServeConfig>,
    mut end: watch::Receiver<bool>,
) -> Option<Box<StreamWriter<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // hyper's own look at the version has no deadline.
    let version = tokio::select! {
        version = within(config.header_timeout, version::read(&mut socket)) => version,
        _ = end.changed() => return None,
    };
    match version {
        Some(Ok(Version::One)) => run_1(socket, service, config, end).await,
        Some(Ok(Version::Two)) => {
            Box::pin(run_2(socket, service, config, end)).await;
            None
        }
        Some(Err(_)) | None => None,
    }
}

async fn run_1<S>(
    socket: Socket<S>,
    requests: RequestService,
    config: Arc<ServeConfig>,
    mut end: watch::Receiver<bool>,
) -> Option<Box<StreamWriter<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (takeover, owes) = (Arc::new(Takeover::default()), socket.owes());
    let io = RequestIo::new(socket, &config);
    let turn = io.turn();
    let service = service_fn(|request: Request<Incoming>| {
        let may_last = LongLived::is_for(&request);
        let body_bytes = request.body().size_hint().exact();
        let mut admitted = requests.admit(request);
        turn.begin(body_bytes, admitted.as_mut().ok().and_then(|admitted| admitted.place.take()));
        let answer = admitted.map(|admitted| requests.answer(admitted));
        let (takeover, owes, turn) = (Arc::clone(&takeover), owes.clone(), turn.clone());
        async move {
            let mut response = match answer {
                Ok(answer) => answer.await?,
                Err(refusal) => *refusal,
            };
            // Where the peer has yet to take an earlier answer, hyper holds the rest of that.
            if may_last && LongLived::marks(&response) && !owes.anything() {
                return takeover.leave_to(response).await;
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                turn.upgrade();
            }
            if body_bytes.is_none() {
                // Where such a body ends, and another request begins, is known to hyper alone.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| turn.answer(body)))
        }
    });
    // Deadlines are `RequestIo`'s.
    let mut connection = http1::Builder::new()
        .timer(PatientTimer)
        .header_read_timeout(None)
        .max_buf_size(config.header_bytes_max.max(HEAD_BYTES_MIN))
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    loop {
        let polled = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            // A peer's failure to speak HTTP is the peer's affair; hyper has answered it where that is possible.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => takeover.left_to().map_or(Poll::Pending, |response| Poll::Ready(Some(response))),
        });
        tokio::select! {
            left_to = polled => {
                let response = left_to?;
                let parts = connection.into_parts()?;
                return Some(Box::new(StreamWriter::new(parts.io.into_inner().into_socket(&parts.read_buf), response)));
            }
            asked = end.changed() => match asked {
                Ok(()) => Pin::new(&mut connection).graceful_shutdown(),
                Err(_) => return None,
            },
        }
    }
}

async fn run_2<S>(socket: Socket<S>, requests: RequestService, config: Arc<ServeConfig>, mut end: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = Streams::new(config.stall_timeout);
    let service = service_fn(move |request| {
        let mut admitted = requests.admit(request);
        let place = admitted.as_mut().ok().and_then(|admitted| admitted.place.take());
        let answer = admitted.map(|admitted| requests.answer(admitted));
        async move {
            let response = match answer {
                Ok(answer) => answer.await?,
                Err(refusal) => *refusal,
            };
            Ok::<_, Infallible>(response.map(|body| TrackedBody::new(body, place)))
        }
    });
    // Extended CONNECT is not offered: browsers then open a connection of the first version for their WebSockets.
    let connection = http2::Builder::new(streams.clone())
        .timer(PatientTimer)
        .max_concurrent_streams(config.streams_max)
        .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(AHEAD_BYTES[0])
        .initial_connection_window_size(AHEAD_BYTES[1])
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(MISTAKES_MAX)
        .keep_alive_interval(config.ping_interval)
        .keep_alive_timeout(config.ping_timeout)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let mut look = Patience::new(config.header_timeout);
    let mut is_closing = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            asked = end.changed() => match asked {
                Ok(()) => connection.as_mut().graceful_shutdown(),
                Err(_) => return,
            },
            () = &mut look => {
                let now = Instant::now();
                let close_at = streams.idle_since().unwrap_or(now) + streams.idle_timeout(&config);
                match (now >= close_at, is_closing) {
                    (true, true) => return,
                    (true, false) => {
                        // In order first: a request may be on its way.
                        is_closing = true;
                        connection.as_mut().graceful_shutdown();
                        look.begin(now, config.header_timeout);
                    }
                    (false, _) => look.begin(now, close_at - now),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
