//! The wire protocol by hand, for what no driver does: a statement that has arrived but for its last message.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection that sends what it is told and nothing else.
pub(crate) struct Wire(UnixStream);

impl Wire {
    pub(crate) fn connect(folder: &Path, name: &str) -> Self {
        let mut stream = UnixStream::connect(folder.join(".s.PGSQL.5432")).expect("the server listens");
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for word in ["user", "postgres", "database", "postgres", "application_name", name, ""] {
            body.extend_from_slice(word.as_bytes());
            body.push(0);
        }
        stream.write_all(&(body.len() as i32 + 4).to_be_bytes()).and_then(|()| stream.write_all(&body)).expect("sent");
        let mut wire = Self(stream);
        wire.await_ready();
        wire
    }

    /// Runs a statement and waits for its end.
    pub(crate) fn run(&mut self, sql: &str) {
        self.send(b'Q', &[sql.as_bytes(), &[0]]);
        self.await_ready();
    }

    /// Sends a statement to be parsed, bound and executed, and not the `Sync` that ends it.
    pub(crate) fn begin(&mut self, sql: &str) {
        self.send(b'P', &[&[0], sql.as_bytes(), &[0, 0, 0]]);
        self.send(b'B', &[&[0, 0, 0, 0, 0, 0, 0, 0]]);
        self.send(b'E', &[&[0, 0, 0, 0, 0]]);
    }

    /// Whether the server has closed the connection, once it has.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_ok()
    }

    fn send(&mut self, kind: u8, parts: &[&[u8]]) {
        let body = parts.concat();
        let message = [&[kind], &(body.len() as i32 + 4).to_be_bytes()[..], &body].concat();
        self.0.write_all(&message).expect("sent");
    }

    fn await_ready(&mut self) {
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).expect("the server answers");
            let length = i32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).expect("the server answers");
            match head[0] {
                b'E' => panic!("{}", String::from_utf8_lossy(&body)),
                b'Z' => return,
                _ => {}
            }
        }
    }
}
