//! Server-Sent Events for the load: bodies in chunks or without, hopped over in place, an event at a time.
//!
//! Every server here puts an event into one chunk whole. One that lies across two would be reported as broken, not misread.

use std::io;

use memchr::{memchr, memchr_iter, memmem};

const HEAD_BYTES_MAX: usize = 8 * 1024;
/// `FFFFFFFF` and its line end; no chunk is larger.
const SIZE_BYTES_MAX: usize = 10;

/// Where a body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Not in chunks: the events follow each other until the connection ends.
    Plain,
    /// The size of a chunk comes next.
    Size,
    /// So many bytes of a chunk are left.
    Chunk(usize),
}

/// One step through a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop<'a> {
    /// An event, without the empty line at its end.
    Event(&'a [u8]),
    /// Bytes that only frame.
    Frame,
    /// The body is over.
    End,
    /// This is no body of events.
    Broken,
}

/// The length of the head of a response with a stream of events, once all of it is there, and how its body begins.
pub fn opened(bytes: &[u8]) -> io::Result<Option<(usize, Body)>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX { Err(refusal(bytes)) } else { Ok(None) };
    };
    let head = bytes[..end].to_ascii_lowercase();
    if !head.starts_with(b"http/1.1 200") || memmem::find(&head, b"content-type: text/event-stream").is_none() {
        return Err(refusal(bytes));
    }
    let is_chunked = memmem::find(&head, b"transfer-encoding: chunked").is_some();
    Ok(Some((end + 4, if is_chunked { Body::Size } else { Body::Plain })))
}

/// The first step into `bytes` and its length, if all of it is there.
#[inline]
pub fn hop<'a>(body: &mut Body, bytes: &'a [u8]) -> Option<(usize, Hop<'a>)> {
    match *body {
        Body::Plain => event(bytes).map(|event| (event.len() + 2, Hop::Event(event))),
        Body::Chunk(0) => {
            let end = bytes.first_chunk::<2>()?;
            *body = Body::Size;
            Some((2, if end == b"\r\n" { Hop::Frame } else { Hop::Broken }))
        }
        Body::Chunk(left) => match event(&bytes[..left.min(bytes.len())]) {
            Some(event) => {
                *body = Body::Chunk(left - event.len() - 2);
                Some((event.len() + 2, Hop::Event(event)))
            }
            None if bytes.len() >= left => Some((bytes.len(), Hop::Broken)),
            None => None,
        },
        Body::Size => {
            let Some(end) = memchr(b'\n', &bytes[..bytes.len().min(SIZE_BYTES_MAX)]) else {
                return (bytes.len() >= SIZE_BYTES_MAX).then_some((bytes.len(), Hop::Broken));
            };
            let digits = bytes[..end].strip_suffix(b"\r").and_then(|digits| str::from_utf8(digits).ok());
            match digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) {
                None => Some((bytes.len(), Hop::Broken)),
                Some(0) => Some((bytes.len(), Hop::End)),
                Some(size) => {
                    *body = Body::Chunk(size);
                    Some((end + 1, Hop::Frame))
                }
            }
        }
    }
}

/// The value of an event's `data` line; of the first, where there are several.
#[inline]
pub fn data(event: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"data: ";
    let mut rest = event;
    loop {
        if let Some(value) = rest.strip_prefix(NAME) {
            return Some(&value[..memchr(b'\n', value).unwrap_or(value.len())]);
        }
        rest = &rest[memchr(b'\n', rest)? + 1..];
    }
}

/// Appends a request for a stream.
pub fn put_get(out: &mut Vec<u8>, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n");
    out.extend_from_slice(request.as_bytes());
}

/// Appends a request whose body is `parts` in a row. `headers` end in line ends.
pub fn put_post(out: &mut Vec<u8>, path: &str, headers: &str, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {length}\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The first whole response in `bytes`: its length, and whether it is a success. Only with a stated length, as all have here.
pub fn answered(bytes: &[u8]) -> Option<(usize, bool)> {
    const LENGTH: &[u8] = b"content-length: ";
    let end = memmem::find(bytes, b"\r\n\r\n")?;
    let head = bytes[..end].to_ascii_lowercase();
    let stated = memmem::find(&head, LENGTH).map(|at| &head[at + LENGTH.len()..]);
    let digits = stated.unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    let whole = end + 4 + length;
    (bytes.len() >= whole).then(|| (whole, head.starts_with(b"http/1.1 20")))
}

#[inline]
fn event(bytes: &[u8]) -> Option<&[u8]> {
    memchr_iter(b'\n', bytes).find(|at| bytes.get(at + 1) == Some(&b'\n')).map(|at| &bytes[..at])
}

fn refusal(head: &[u8]) -> io::Error {
    let shown = &head[..head.len().min(400)];
    io::Error::other(format!("no stream: {}", String::from_utf8_lossy(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(mut body: Body, bytes: &[u8]) -> Vec<String> {
        let (mut at, mut found) = (0, Vec::new());
        while let Some((length, hop)) = hop(&mut body, &bytes[at..]) {
            at += length;
            match hop {
                Hop::Event(event) => found.push(String::from_utf8_lossy(event).into_owned()),
                Hop::Frame => {}
                Hop::End | Hop::Broken => found.push(format!("{hop:?}")),
            }
        }
        found
    }

    #[test]
    fn events_are_found_in_chunks_wherever_a_read_ends() {
        let stream = b"10\r\ndata: one\n\n: hi\n\r\n1c\r\n\nevent: m\ndata: two\nid: 7\n\n\r\n0\r\n\r\n";
        assert_eq!(events(Body::Size, stream), ["data: one", "Broken"], "an event across two chunks is not guessed at");
        let stream = b"10\r\ndata: one\n\n: h\n\n\r\n1b\r\nevent: m\ndata: two\nid: 77\n\n\r\n0\r\n\r\n";
        assert_eq!(events(Body::Size, stream), ["data: one", ": h", "event: m\ndata: two\nid: 77", "End"]);
        for cut in 0..stream.len() {
            let (mut body, mut rest, mut found) = (Body::Size, Vec::new(), 0);
            'parts: for part in [&stream[..cut], &stream[cut..]] {
                rest.extend_from_slice(part);
                while let Some((length, hop)) = hop(&mut body, &rest) {
                    assert_ne!(hop, Hop::Broken, "cut at {cut}");
                    found += usize::from(matches!(hop, Hop::Event(_)));
                    if hop == Hop::End {
                        break 'parts;
                    }
                    rest.drain(..length);
                }
            }
            assert_eq!(found, 3, "cut at {cut}");
        }
    }

    #[test]
    fn a_body_without_chunks_is_only_events() {
        assert_eq!(events(Body::Plain, b": hi\n\nid: 1\ndata: x\n\ndata: half"), [": hi", "id: 1\ndata: x"]);
    }

    #[test]
    fn the_data_line_is_found_wherever_it_stands() {
        assert_eq!(data(b"event: m\ndata: {\"a\":1}\nid: 7"), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(data(b"data: x"), Some(b"x".as_slice()));
        assert_eq!(data(b": hi"), None);
    }

    #[test]
    fn only_a_stream_opens() {
        let chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n10";
        assert_eq!(opened(chunked).expect("a stream"), Some((chunked.len() - 2, Body::Size)));
        let plain = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";
        assert_eq!(opened(plain).expect("a stream"), Some((plain.len(), Body::Plain)));
        assert_eq!(opened(&plain[..30]).expect("half"), None);
        assert!(opened(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").is_err());
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabcHTTP";
        assert_eq!(answered(answer), Some((answer.len() - 4, true)));
        assert_eq!(answered(&answer[..answer.len() - 5]), None);
        assert_eq!(answered(b"HTTP/1.1 429 Slow\r\n\r\n"), Some((21, false)));
    }
}
