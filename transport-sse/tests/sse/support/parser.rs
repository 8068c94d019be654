//! Reads an event stream the way the HTML standard says (section 9.2.6), so that what is tested is what a browser sees.

use std::time::Duration;

use serde_json::Value;

/// One event, as it is dispatched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
    /// The last id seen, of this event or an earlier one.
    pub(crate) last_id: String,
    /// Whether the event itself has an id.
    pub(crate) has_id: bool,
}

/// What has been read of a stream, and is not yet a whole event.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    has_id: bool,
    pub(crate) last_id: String,
    pub(crate) retry: Option<Duration>,
    pub(crate) comments: usize,
}

impl Parser {
    /// Reads on; events that are whole by now are given to `dispatch`.
    pub(crate) fn read(&mut self, bytes: &[u8], mut dispatch: impl FnMut(Event)) {
        for &byte in bytes {
            assert_ne!(byte, b'\r', "lines end with a line feed");
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).expect("UTF-8");
            if line.is_empty() {
                self.end_event(&mut dispatch);
            } else {
                self.field(&line);
            }
        }
    }

    /// Whether nothing is half read.
    pub(crate) fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.name.is_empty() && self.data.is_empty()
    }

    fn field(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments += 1,
            "event" => self.name = value.to_owned(),
            "data" => {
                assert!(self.data.is_empty(), "a frame is one line of data");
                self.data = value.to_owned();
            }
            "id" => {
                self.last_id = value.to_owned();
                self.has_id = true;
            }
            "retry" => self.retry = Some(Duration::from_millis(value.parse().expect("digits"))),
            other => panic!("no such field: {other}"),
        }
    }

    fn end_event(&mut self, dispatch: &mut impl FnMut(Event)) {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        let has_id = std::mem::take(&mut self.has_id);
        if data.is_empty() {
            return;
        }
        let data: Value = serde_json::from_str(&data).expect("a frame is JSON");
        assert_eq!(data["type"], *name, "the event is named after its frame");
        dispatch(Event { name, data, last_id: self.last_id.clone(), has_id });
    }
}
