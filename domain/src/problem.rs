//! Problem codes of rejections, as the API explains them to callers.
//!
//! Each aggregate declares its codes in its `rejection.rs`. The domain knows no HTTP: an entry has a
//! [`ProblemKind`], and `souk-http` has a status for each kind.

use souk_eventsourcing::{Decider, Rejection};

use crate::for_each_aggregate;

/// Kind of a problem. It determines the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request itself is wrong.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// The request is about a thing that does not exist.
    Missing,
    /// The state of the shop does not allow the request.
    Conflict,
    /// A store or service that the request needs can't be reached.
    Unavailable,
}

/// A problem code and its explanation for callers.
#[derive(Clone, Copy, Debug)]
pub struct ProblemEntry {
    /// Problem code. It is part of the public API and never changes.
    pub code: &'static str,
    /// Kind of the problem.
    pub kind: ProblemKind,
    /// The problem in a few words.
    pub title: &'static str,
    /// Cause of the problem, and what the caller can do about it.
    pub explanation: &'static str,
}

impl ProblemEntry {
    /// Returns the entry of a code.
    pub const fn new(
        code: &'static str,
        kind: ProblemKind,
        title: &'static str,
        explanation: &'static str,
    ) -> Self {
        Self { code, kind, title, explanation }
    }
}

/// Rejection whose codes the API explains to callers.
pub trait PublicRejection: Rejection {
    /// Entries of the aggregate's problem codes: those of the rejection, and those of other problems with
    /// such an aggregate.
    const PROBLEMS: &'static [ProblemEntry];

    /// Codes of rejections that are about one value of the request, each with the JSON pointer at which most
    /// requests have that value. The response to such a rejection is `validation-failed`.
    const FIELD_POINTERS: &'static [(&'static str, &'static str)] = &[];
}

/// Returns the entries of all aggregates.
pub fn entries() -> impl Iterator<Item = &'static ProblemEntry> {
    macro_rules! problems {
        ($($port:ident: $name:ident = $aggregate:ty,)*) => {
            [$(<<$aggregate as Decider>::Rejection as PublicRejection>::PROBLEMS),*]
        };
    }
    for_each_aggregate!(problems).into_iter().flatten()
}
