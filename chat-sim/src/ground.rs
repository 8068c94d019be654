//! What a world's servers stand on: it outlives each of them.

use std::sync::Arc;

use chat_testkit::logs::FaultyLog;

use crate::archive::Archive;
use crate::backend::Backend;
use crate::clock::WorldClock;
use crate::embedder::Embedder;
use crate::links::Links;
use crate::plan::Plan;
use crate::transcript::Transcript;
use crate::truth::Truth;

/// The log, the clock and the plan: they outlive a server that crashes.
pub(crate) struct Ground {
    pub(crate) plan: Plan,
    pub(crate) truth: Arc<Truth>,
    pub(crate) log: Arc<FaultyLog<Archive>>,
    pub(crate) clock: Arc<WorldClock>,
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) secret: [u8; 32],
    /// What connects the servers, where there are several.
    pub(crate) links: Option<Arc<Links>>,
    /// Who reads the feed of the log, where anybody does.
    pub(crate) backend: Option<Arc<Backend>>,
    pub(crate) transcript: Arc<Transcript>,
}
