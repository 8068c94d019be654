//! The lines of a request's head: where it ends, and whether each ends as RFC 9112 has it, in CR and LF.
//!
//! A program in front of us may take LF alone for the end of a line, or not: then it sees another request than we do.

/// What stands in the place of a bare LF: no head may hold it, so the request is refused.
const REFUSED: u8 = 0;

/// How far a head has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadLines {
    /// Bytes of the line under way.
    line_length: usize,
    last: u8,
    /// Whether a line has come that is not empty; empty ones before that are passed over.
    is_in_request: bool,
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
}
