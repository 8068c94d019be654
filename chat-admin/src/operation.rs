//! What can be asked: how each operation is reached, what it is called, and what it may be refused with.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::routing::MethodFilter;
use chat_core::RejectCode;

use super::refusal::status;

/// The method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// The path below the root of the routes.
    pub(crate) path: &'static str,
    /// Its name in the description.
    pub(crate) id: &'static str,
    /// What the audit calls it.
    pub(crate) act: &'static str,
    pub(crate) summary: &'static str,
    /// Whether it changes anything, and is told to the audit.
    pub(crate) is_act: bool,
    /// Whether the answer only says that it has begun.
    is_begun: bool,
    /// What it may be refused with, beside what every one may.
    codes: &'static [RejectCode],
}

/// What every one may be refused with: what was asked, who asked, and that there was no answer in time.
const ALWAYS: [RejectCode; 5] =
    [RejectCode::BadField, RejectCode::TooLong, RejectCode::BadToken, RejectCode::Forbidden, RejectCode::Unavailable];

impl Verb {
    pub(crate) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

impl Operation {
    /// One that only looks.
    pub(crate) const fn look(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self { verb: Verb::Get, path, id, act: id, summary, is_act: false, is_begun: false, codes: &[] }
    }

    /// One that changes something.
    pub(crate) const fn act(verb: Verb, id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self { verb, is_act: true, ..Self::look(id, path, summary) }
    }

    /// The same, which may be refused with these codes too.
    pub(crate) const fn refused(self, codes: &'static [RejectCode]) -> Self {
        Self { codes, ..self }
    }

    /// The same, under this name in the audit.
    pub(crate) const fn named(self, act: &'static str) -> Self {
        Self { act, ..self }
    }

    /// The same, of which the answer only says that it has begun.
    pub(crate) const fn begun(self) -> Self {
        Self { is_begun: true, ..self }
    }

    /// The status of its answer.
    pub(crate) fn status(&self) -> StatusCode {
        if self.is_begun { StatusCode::ACCEPTED } else { StatusCode::OK }
    }

    /// The statuses that it may be refused with, and the codes of each.
    pub(crate) fn refusals(&self) -> BTreeMap<u16, Vec<&'static str>> {
        let mut refusals: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for code in ALWAYS.iter().chain(self.codes) {
            refusals.entry(status(*code).as_u16()).or_default().push(code.as_str());
        }
        // All others may have a body, if an empty one.
        if self.verb != Verb::Get {
            refusals.entry(400).or_default().push(RejectCode::BadFrame.as_str());
            for (status, code) in [(408, RejectCode::BadFrame), (413, RejectCode::TooLong), (415, RejectCode::BadFrame)]
            {
                refusals.entry(status).or_default().push(code.as_str());
            }
        }
        refusals
    }

    /// Whether it is described that it may be refused so.
    pub(crate) fn may_answer(&self, status: StatusCode) -> bool {
        self.refusals().contains_key(&status.as_u16())
    }
}
