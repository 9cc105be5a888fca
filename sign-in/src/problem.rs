//! Problem codes of sign-in.

use souk_domain::problem::ProblemEntry;
use souk_domain::problem::ProblemKind::{Conflict, Forbidden, Invalid, Unavailable};

/// Entries of all problem codes of sign-in.
pub const PROBLEMS: &[ProblemEntry] = &[
    ProblemEntry::new(
        "account-not-linked",
        Conflict,
        "The identity is not linked to the account",
        "An account with the same e-mail address exists. Sign in with its password, then link the identity provider.",
    ),
    ProblemEntry::new(
        "last-way-to-sign-in",
        Conflict,
        "The only way to sign in can't be removed",
        "The account would be left without a way to sign in. Set a password first, with `/api/auth/password/reset`.",
    ),
    ProblemEntry::new(
        "email-not-verified",
        Forbidden,
        "The e-mail address is not verified",
        "Verify the e-mail address at the identity provider, then start the sign-in again.",
    ),
    ProblemEntry::new(
        "sign-in-needed",
        Forbidden,
        "A recent sign-in is required",
        "Sign in again with the identity provider and repeat the request within two minutes. Or set a password.",
    ),
    ProblemEntry::new(
        "sign-in-not-begun",
        Invalid,
        "The sign-in was not started in this browser",
        "Start the sign-in again. It must be completed within ten minutes, in the browser that started it, and only once.",
    ),
    ProblemEntry::new(
        "sign-in-refused",
        Forbidden,
        "The sign-in at the identity provider failed",
        "Start the sign-in again. If it fails again, the detail and the log give the reason.",
    ),
    ProblemEntry::new(
        "credentials-unavailable",
        Unavailable,
        "Sign-in is unavailable",
        "The store of passwords and sessions can't be reached. Repeat the request after a moment.",
    ),
];
