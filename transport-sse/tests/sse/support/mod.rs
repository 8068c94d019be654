//! A server in memory, and clients of it.

mod parser;
mod policy;
mod spec;
mod stream;
mod test_server;

pub(crate) use parser::{Event, Parser};
pub(crate) use policy::Says;
pub(crate) use spec::{Spec, template};
pub(crate) use stream::{EventSource, Stream, settle};
pub(crate) use test_server::{Reply, TestServer};
