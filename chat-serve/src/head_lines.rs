//! The lines of a request's head: where it ends, whether each ends in CR and LF, and whether two say how long the body is.
//!
//! RFC 9112 has each end so. A program in front of us may take LF alone for the end of a line, or not, and go by the one length or by
//! the other: then it sees another request than we do.

/// What stands in the place of a bare LF, and of the colon after a second kind of length: no head may hold it, so the request is refused.
const REFUSED: u8 = 0;
/// The fields that say how long a body is. hyper passes over the first where there is the second.
const LENGTHS: [&[u8]; 2] = [b"content-length:", b"transfer-encoding:"];

/// How far a head has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadLines {
    /// Bytes of the line under way.
    line_length: usize,
    last: u8,
    /// Whether a line has come that is not empty; empty ones before that are passed over.
    is_in_request: bool,
    /// Whether the line under way is, so far, the beginning of each of [`LENGTHS`], and whether a line has come that is one.
    begins: [bool; LENGTHS.len()],
    has: [bool; LENGTHS.len()],
}

impl HeadLines {
    /// Whether anything has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.last != 0
    }

    /// Takes in what comes next, and makes each bare LF in it what is refused. Where the head ends in it, says after how many bytes.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Option<usize> {
        for (index, byte) in bytes.iter_mut().enumerate() {
            let follows_cr = self.last == b'\r';
            self.last = (*byte).max(1);
            if *byte != b'\n' {
                if self.completes_second_length(*byte) {
                    *byte = REFUSED;
                }
                self.line_length += 1;
                continue;
            }
            if !follows_cr {
                *byte = REFUSED;
                self.line_length += 1;
                continue;
            }
            let is_empty = self.line_length == 1;
            self.line_length = 0;
            if is_empty && self.is_in_request {
                return Some(index + 1);
            }
            self.is_in_request |= !is_empty;
        }
        None
    }

    /// Takes in what comes next of a line: whether it is the end of a name of [`LENGTHS`], and the other has come, too.
    fn completes_second_length(&mut self, byte: u8) -> bool {
        let mut completes = false;
        for (index, name) in LENGTHS.iter().enumerate() {
            let fits = name.get(self.line_length).is_some_and(|wanted| wanted.eq_ignore_ascii_case(&byte));
            self.begins[index] = fits && (self.begins[index] || self.line_length == 0);
            if self.begins[index] && self.line_length + 1 == name.len() {
                self.has[index] = true;
                completes = true;
            }
        }
        completes && self.has.iter().all(|has| *has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the head ends, when its bytes come in these pieces, and what became of them.
    fn read(pieces: &[&[u8]]) -> (Option<usize>, Vec<u8>) {
        let (mut lines, mut all, mut end) = (HeadLines::default(), Vec::new(), None);
        for piece in pieces {
            let mut piece = piece.to_vec();
            end = end.or(lines.read(&mut piece).map(|length| all.len() + length));
            all.extend(piece);
        }
        (end, all)
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line_however_it_comes() {
        let head = b"\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n";
        let all = [&head[..], b"GET /more"].concat();
        assert_eq!(read(&[&all]), (Some(head.len()), all.clone()));
        for at in 0..head.len() {
            assert_eq!(read(&[&all[..at], &all[at..]]), (Some(head.len()), all.clone()), "in two at {at}");
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(read(&single), (Some(head.len()), all.clone()));
    }

    #[test]
    fn a_line_that_ends_in_lf_alone_is_made_what_is_refused() {
        for (head, is_bad) in [
            ("GET / HTTP/1.1\nHost: t\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: t\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: t\r\n\n", true),
            ("\nGET / HTTP/1.1\r\nHost: t\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: t\r\r\n\r\n", false),
        ] {
            let (_, bytes) = read(&[head.as_bytes()]);
            assert_eq!(bytes.contains(&REFUSED), is_bad, "{head:?}");
        }
    }

    #[test]
    fn a_second_kind_of_length_is_made_what_is_refused() {
        for (head, is_bad) in [
            ("P / HTTP/1.1\r\nContent-Length: 4\r\ntransfer-ENCODING: chunked\r\n\r\n", true),
            ("P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: t\r\nCONTENT-length:4\r\n\r\n", true),
            ("P / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", false),
            ("P / HTTP/1.1\r\nContent-Length: 4\r\nX: Transfer-Encoding: chunked\r\n\r\n", false),
            ("P / HTTP/1.1\r\nContent-Length: 4\r\nXTransfer-Encoding: a\r\nTransfer-Encodings: a\r\n\r\n", false),
        ] {
            for at in 0..head.len() {
                let (_, bytes) = read(&[&head.as_bytes()[..at], &head.as_bytes()[at..]]);
                assert_eq!(bytes.contains(&REFUSED), is_bad, "{head:?} in two at {at}");
            }
        }
    }
}
