//! The body of a request, that is waited for only so long.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::patience::Patience;

/// A body that fails once it has taken too long to come, from when it was first waited for. However little comes now and then:
/// who sends a byte a second is as slow as who sends none.
pub(crate) struct Timed {
    body: Incoming,
    timeout: Duration,
    deadline: Option<Patience>,
}

impl Timed {
    pub(crate) fn new(body: Incoming, timeout: Duration) -> Self {
        Self { body, timeout, deadline: None }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let timeout = self.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Patience::new(timeout));
        deadline.poll(cx).map(|()| Some(Err(Error::from(ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
