//! The frames of a link: a length of four bytes, a kind, and what it carries.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use super::options::{PARCEL_BYTES_MAX, READ_BYTES};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who speaks; the first frame of each side, and no other.
    Hello = 0,
    /// Nothing but that the other side is there.
    Ping = 1,
    /// What the servers say to each other beside the engine's parcels.
    Control = 2,
    /// A parcel of the engine.
    Parcel = 3,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Ping, Self::Control, Self::Parcel].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the other side has closed it")]
    Closed,
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    #[error("what arrives is no frame: {0}")]
    NoFrame(io::Error),
    #[error("a frame is of no kind that is known here")]
    Kind,
    #[error(transparent)]
    Io(io::Error),
}

/// The most bytes of the frame that carries a hello. 256: room for later versions, and no memory for a length that somebody made up.
const HELLO_FRAME_BYTES_MAX: usize = 256;

/// Appends the head of a frame whose body of so many bytes follows.
pub(super) fn put_head(kind: Kind, body: usize, out: &mut Vec<u8>) {
    let length = u32::try_from(body + 1).expect("a parcel has 32 MiB at most");
    out.extend_from_slice(&length.to_be_bytes());
    out.push(kind as u8);
}

/// Takes frames from what arrives.
pub(super) struct Frames {
    codec: LengthDelimitedCodec,
    arrived: BytesMut,
}

impl Frames {
    /// For a link that begins: nothing larger than a hello is taken.
    pub(super) fn new() -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(HELLO_FRAME_BYTES_MAX).new_codec();
        Self { codec, arrived: BytesMut::new() }
    }

    /// From now on whatever a link may carry is taken.
    pub(super) fn take_parcels(&mut self) {
        self.codec.set_max_frame_length(PARCEL_BYTES_MAX + 1);
    }

    /// The next frame. What has arrived of it stays where this is dropped.
    pub(super) async fn next(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        silence: Duration,
    ) -> Result<(Kind, BytesMut), Unreadable> {
        loop {
            if let Some(mut frame) = self.codec.decode(&mut self.arrived).map_err(Unreadable::NoFrame)? {
                let kind = frame.first().copied().and_then(Kind::of).ok_or(Unreadable::Kind)?;
                frame.advance(1);
                return Ok((kind, frame));
            }
            // For a frame that has begun there is room already.
            if self.arrived.len() == self.arrived.capacity() {
                self.arrived.reserve(READ_BYTES);
            }
            match timeout(silence, from.read_buf(&mut self.arrived)).await {
                Ok(Ok(0)) => return Err(Unreadable::Closed),
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Unreadable::Closed),
                Ok(Err(error)) => return Err(Unreadable::Io(error)),
                Err(_) => return Err(Unreadable::Silent(silence)),
            }
        }
    }
}
