//! Where deliveries go: one URL, and one connection that is kept for the next request.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use chat_http::{Endpoint, EndpointError};
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use crate::config::Config;

/// An attempt that was not confirmed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("it does not answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the connection was lost: {0}")]
    Http(#[from] hyper::Error),
    #[error("it answers {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
}

/// What a delivery says of itself.
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) signature: &'a str,
}

/// A connection that is there, or will be when it is needed.
pub(crate) type Connection = Option<chat_http::Connection>;

/// The backend that is told.
#[derive(Debug)]
pub(crate) struct Backend(Endpoint);

impl Backend {
    pub(crate) fn new(url: &str, config: &Config) -> Result<Self, EndpointError> {
        Endpoint::new(url, config.roots.as_deref()).map(Self)
    }

    /// One attempt: on the connection that there is, and where it has been closed meanwhile, on a new one.
    pub(crate) async fn post(
        &self,
        connection: &mut Connection,
        head: &Head<'_>,
        body: &Bytes,
        timeout: Duration,
    ) -> Result<(), Failed> {
        let attempt = async {
            if let Some(kept) = connection.as_mut()
                && kept.ready().await.is_ok()
            {
                match self.ask(connection, head, body).await {
                    // It was closed while nothing was under way. Whether the request was read nobody knows: it may come twice.
                    Err(Failed::Http(error)) if !error.is_timeout() => {}
                    asked => return asked,
                }
            }
            *connection = Some(self.0.connect().await?);
            self.ask(connection, head, body).await
        };
        let asked = tokio::time::timeout(timeout, attempt).await.unwrap_or(Err(Failed::Late));
        if matches!(asked, Err(Failed::Late | Failed::Http(_))) {
            *connection = None;
        }
        asked
    }

    async fn ask(&self, connection: &mut Connection, head: &Head<'_>, body: &Bytes) -> Result<(), Failed> {
        let connection = connection.as_mut().expect("it was made before");
        let request = self.0.post(concat!("chat-webhook/", env!("CARGO_PKG_VERSION")));
        let request = request
            .header("webhook-id", head.id)
            .header("webhook-timestamp", head.timestamp)
            .header("webhook-signature", head.signature)
            .body(Full::new(body.clone()))
            .expect("all of them are valid");
        let answer = connection.send_request(request).await?;
        let (status, headers) = (answer.status(), answer.headers());
        let retry_after = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        // What it says is not read: hyper closes a connection on which more comes than it has read already.
        if status.is_success() { Ok(()) } else { Err(Failed::Status { status, retry_after }) }
    }
}
