//! A server in memory, and clients of it.

mod house;
mod parser;
mod policy;
mod spec;
mod stream;

pub(crate) use house::House;
pub(crate) use parser::{Event, Parser};
pub(crate) use policy::Says;
pub(crate) use spec::{Spec, template};
pub(crate) use stream::{EventSource, Stream, settle};
