//! One question to the backend: on a connection that was kept or a new one, as many at once as there are places, and within a time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chat_http::{Connection, Endpoint};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::{HttpConfig, Secret};

/// The longest that a backend has clients wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Why there is no answer; for whoever looks after the backend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it does not answer in time")]
    Late,
    #[error("too many from one address wait for it")]
    Crowded,
    #[error("too many wait for it")]
    Busy,
    #[error("it cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the connection was lost: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer is longer than any that is read")]
    Long,
    #[error("it answers {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("{0}")]
    Malformed(&'static str),
}

/// An answer that says yes or no.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Somebody who waits for the backend, or is asked about.
struct Turn<'b>(&'b Backend, Option<IpAddr>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(network) = self.1 else { return };
        let mut waiting = self.0.waiting();
        if let Some(count) = waiting.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&network);
            }
        }
    }
}

/// Whom an address counts with: whoever has an address of version 6 has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// The backend that is asked.
#[derive(Debug)]
pub(crate) struct Backend {
    endpoint: Endpoint,
    secret: Option<Secret>,
    timeout: Duration,
    answer_bytes_max: usize,
    places: Semaphore,
    per_address_max: usize,
    /// How many wait or are asked about from each address.
    waiting: Mutex<HashMap<IpAddr, usize>>,
    /// Connections with nothing under way; no more than there are places.
    kept: Mutex<Vec<Connection>>,
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint, config: &HttpConfig) -> Self {
        let HttpConfig { timeout, answer_bytes_max, requests_max, requests_per_address_max, .. } = *config;
        let places = Semaphore::new(requests_max.clamp(1, Semaphore::MAX_PERMITS));
        let secret = config.secret.clone();
        let (per_address_max, waiting) = (requests_per_address_max.max(1), Mutex::default());
        Self { endpoint, secret, timeout, answer_bytes_max, places, per_address_max, waiting, kept: Mutex::default() }
    }

    /// What the backend says of this: a status of 200, 401 or 403, and all that comes with it. Those who come from one address take only so many
    /// of the places that there are for all.
    pub(crate) async fn ask(&self, address: Option<IpAddr>, question: Bytes) -> Result<Answer, Fault> {
        let _turn = self.turn(address)?;
        let begun = Instant::now();
        let place = tokio::time::timeout(self.timeout, self.places.acquire()).await.map_err(|_| Fault::Busy)?;
        let _place = place.expect("it is never closed");
        let left = self.timeout.saturating_sub(begun.elapsed());
        tokio::time::timeout(left, self.exchange(question)).await.unwrap_or(Err(Fault::Late))
    }

    fn turn(&self, address: Option<IpAddr>) -> Result<Turn<'_>, Fault> {
        let network = address.map(network);
        if let Some(network) = network {
            let mut waiting = self.waiting();
            let count = waiting.entry(network).or_default();
            if *count >= self.per_address_max {
                return Err(Fault::Crowded);
            }
            *count += 1;
        }
        Ok(Turn(self, network))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, question: Bytes) -> Result<Answer, Fault> {
        while let Some(mut kept) = self.take_kept() {
            if kept.ready().await.is_err() {
                continue;
            }
            match self.send(&mut kept, question.clone()).await {
                Ok(response) => return self.read(kept, response).await,
                // It was closed while nothing was under way. To be asked twice is all one to a backend.
                Err(_) => break,
            }
        }
        let mut connection = self.endpoint.connect().await?;
        let response = self.send(&mut connection, question).await?;
        self.read(connection, response).await
    }

    async fn send(&self, connection: &mut Connection, question: Bytes) -> Result<Response<Incoming>, hyper::Error> {
        let request = self.endpoint.post(concat!("policy-http/", env!("CARGO_PKG_VERSION")));
        let secret = self.secret.iter().map(Secret::header);
        let request = secret.fold(request, |request, secret| request.header(AUTHORIZATION, secret));
        connection.send_request(request.body(Full::new(question)).expect("all of it is valid")).await
    }

    /// Reads an answer to its end, and keeps its connection for the next question.
    async fn read(&self, connection: Connection, response: Response<Incoming>) -> Result<Answer, Fault> {
        let (head, body) = response.into_parts();
        if !matches!(head.status, StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Fault::Status { status: head.status, retry_after: retry_after(&head.headers) });
        }
        let read = Limited::new(body, self.answer_bytes_max).collect().await;
        let body = read.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => Fault::Http(*error),
            Err(_) => Fault::Long,
        })?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(Answer { status: head.status, body: body.to_bytes() })
    }

    fn take_kept(&self) -> Option<Connection> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// In seconds; a date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
