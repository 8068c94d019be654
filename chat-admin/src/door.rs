//! Routes and their description, made together: what is not described is not there.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::on;
use chat_core::Reject;
use schemars::JsonSchema;
use serde::Serialize;

use super::call::{Call, Part, Shared, answer};
use super::document::Document;
use super::operation::Operation;

/// Routes that are being put together.
#[derive(Default)]
pub(crate) struct Door {
    router: Router<Arc<Shared>>,
    document: Document,
}

impl Door {
    /// The same, with an operation that `run` carries out.
    pub(crate) fn with<P, Q, B, A, F, R>(self, operation: &'static Operation, run: R) -> Self
    where
        P: Part,
        Q: Part,
        B: Part,
        A: Serialize + JsonSchema + Send + 'static,
        F: Future<Output = Result<A, Reject>> + Send + 'static,
        R: Fn(Call<P, Q, B>) -> F + Clone + Send + Sync + 'static,
    {
        let Self { router, mut document } = self;
        document.add::<P, Q, B, A>(operation);
        let handler = async move |State(shared): State<Arc<Shared>>, request: Request| {
            answer(shared, operation, request, run).await
        };
        Self { router: router.route(operation.path, on(operation.verb.filter(), handler)), document }
    }

    /// What has been put together.
    pub(crate) fn open(self) -> (Router<Arc<Shared>>, Document) {
        (self.router, self.document)
    }
}
