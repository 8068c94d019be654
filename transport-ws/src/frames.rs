//! The few bytes around what is sent: headers of text frames, pings, the close frame.

use bytes::{BufMut, BytesMut};
use chat_core::{CloseReason, FrameRef, Framing};

/// A ping without a payload: all that is asked for is a sign of life.
pub(crate) const PING: [u8; 2] = [0x89, 0];
/// A pong that answers nothing (RFC 6455, section 5.5.3): the smallest frame that asks for no reply.
pub(crate) const PONG: [u8; 2] = [0x8A, 0];

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// Frames as unmasked, unfragmented text messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextFrames;

impl Framing for TextFrames {
    #[inline]
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        put_text(out, frame.json);
    }
}

/// Appends one text frame.
#[inline]
pub(crate) fn put_text(out: &mut BytesMut, text: &[u8]) {
    out.reserve(10 + text.len());
    out.put_u8(TEXT);
    match text.len() {
        length @ 0..=125 => out.put_u8(length as u8),
        length @ 126..=0xFFFF => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        length => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
    out.extend_from_slice(text);
}

/// Appends a close frame with the reason's number and name.
pub(crate) fn put_close(out: &mut Vec<u8>, reason: CloseReason) {
    let name = reason.as_str().as_bytes();
    out.extend_from_slice(&[CLOSE, 2 + name.len() as u8]);
    out.extend_from_slice(&reason.code().to_be_bytes());
    out.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_written_in_as_few_bytes_as_it_needs() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xFFFF, vec![0x81, 126, 0xFF, 0xFF]),
            (0x1_0000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let text = vec![b'x'; length];
            let mut out = BytesMut::new();
            put_text(&mut out, &text);
            assert_eq!(out, [header, text].concat());
        }
    }

    #[test]
    fn every_close_frame_fits_a_control_frame() {
        for &reason in CloseReason::ALL {
            let mut out = Vec::new();
            put_close(&mut out, reason);
            assert!(out.len() <= 2 + 125);
            assert_eq!(out[2..4], reason.code().to_be_bytes());
            assert_eq!(&out[4..], reason.as_str().as_bytes());
        }
    }
}
