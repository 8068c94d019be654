//! People are erased: who is asked for, and how far it has come.

use chat_core::{Engine, Erasure, Reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Nothing, identity, named_sessions};
use super::audit::AuditLine;
use super::call::{Call, Part};

/// Who is erased.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseAsked {
    /// The identity that the policy gave the person: 1 to 128 bytes.
    #[schemars(length(min = 1, max = 128))]
    identity: String,
}

impl Part for EraseAsked {
    fn note(&self, engine: &Engine, line: &mut AuditLine) {
        line.sessions = Some(named_sessions(engine, Some(&self.identity), None));
    }
}

/// How far the erasure of a person has come.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErasureShown {
    /// The identity that the policy gave the person.
    identity: String,
    /// When it was asked for.
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// Rooms that this pass has looked at.
    looked: u64,
    /// Rooms that this pass has still to look at, about.
    to_go: u64,
    /// Rooms from which the person has been erased, in all passes.
    erased: u64,
    /// Rooms of this pass that failed: another pass looks at all rooms once more.
    failed: u64,
}

/// Every erasure that is not done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Erasures {
    /// In the order in which they were asked for.
    erasures: Vec<ErasureShown>,
}

impl From<&Erasure> for ErasureShown {
    fn from(erasure: &Erasure) -> Self {
        Self {
            identity: erasure.identity.as_str().to_owned(),
            since: erasure.since.to_string(),
            looked: erasure.looked,
            to_go: erasure.to_go(),
            erased: erasure.erased,
            failed: erasure.failed,
        }
    }
}

pub(crate) async fn erase(call: Call<Nothing, Nothing, EraseAsked>) -> Result<ErasureShown, Reject> {
    Ok((&call.shared.engine.erase(identity(&call.body.identity)?).await?).into())
}

pub(crate) async fn erasures(call: Call<Nothing, Nothing, Nothing>) -> Result<Erasures, Reject> {
    let mut all = call.shared.engine.erasures().await?;
    all.sort_by_key(|erasure| erasure.since);
    Ok(Erasures { erasures: all.iter().map(ErasureShown::from).collect() })
}
