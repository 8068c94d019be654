//! What a chat engine counts, as OpenMetrics: for Prometheus, and for whatever else an embedder measures.
//!
//! ```
//! use axum::Router;
//! use axum::http::{HeaderMap, header};
//! use axum::routing::get;
//! use chat_core::Engine;
//! use chat_metrics::Metrics;
//!
//! /// `GET /metrics`, for a listener that only who operates the server can reach.
//! fn metrics(engine: &Engine) -> Router {
//!     let metrics = Metrics::new(engine);
//!     let answer = async move |headers: HeaderMap| {
//!         let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
//!         let page = metrics.page(accepted);
//!         ([(header::CONTENT_TYPE, page.content_type)], page.text)
//!     };
//!     Router::new().route("/metrics", get(answer))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let _ = metrics(&Engine::builder().build());
//! # }
//! ```
//!
//! Nothing is counted by this crate: the engine counts, always, and is asked when a page is. So there is nothing to install before
//! rooms are opened, no observer to be shared with anybody, and no cost between two pages. What an embedder counts itself goes on the same page through
//! [`register`].
//!
//! Every label has a fixed set of values (transports, kinds of commands, codes, reasons): no room, person or address is one.
//! `docs/metrics.md` of the repository says what each metric means, and which to be woken for.

mod collector;
mod families;

use std::sync::Arc;

use chat_core::Engine;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::collector::EngineCollector;

/// The crate whose [`Registry`] metrics are put together in.
pub use prometheus_client;

/// The `Content-Type` of a page in OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one engine. Cheap to clone.
///
/// It holds the engine, as a clone of that does: a log is closed once it is dropped, too.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Registry>);

/// One page of metrics, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub text: String,
}

impl Metrics {
    /// All that an engine counts, under names that begin with `chat_`.
    pub fn new(engine: &Engine) -> Self {
        let mut registry = Registry::default();
        register(engine, &mut registry);
        Self(Arc::new(registry))
    }

    /// A page in OpenMetrics, as of now.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.0).expect("a string takes whatever is written");
        text
    }

    /// A page in the format that `Accept` asks for: OpenMetrics where it is named, else the older text format, which every Prometheus reads.
    pub fn page(&self, accept: Option<&str>) -> Page {
        if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            return Page { content_type: OPENMETRICS, text: self.encode() };
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0).expect("a string takes whatever is written");
        Page { content_type: prometheus_text::CONTENT_TYPE, text }
    }
}

/// Puts what an engine counts into a registry that has other metrics, too. One engine for each registry: the names are the same.
pub fn register(engine: &Engine, registry: &mut Registry) {
    registry.sub_registry_with_prefix("chat").register_collector(Box::new(EngineCollector(engine.clone())));
}
