//! Fail points: named places in the code at which a test can abort the program, as if it were killed there.
//!
//! `SOUK_FAIL_POINT=log-after-commit:12` aborts the program when it reaches that place for the twelfth time.
//! Fail points work only in builds with debug assertions. In a release build they do nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that selects a fail point.
pub const VARIABLE: &str = "SOUK_FAIL_POINT";

/// Names of all fail points.
pub const FAIL_POINTS: [&str; 12] = [
    "log-in-group",
    "log-after-commit",
    "read-models-before-commit",
    "read-models-after-commit",
    "process-rows-before-commit",
    "dispatcher-before-send",
    "effect-before-record",
    "person-keys-before-commit",
    "person-key-before-erasure",
    "person-key-destroyed",
    "person-alias-deleted",
    "person-keys-rewrapped",
];

/// The fail point that the environment variable selects.
struct Selection {
    name: String,
    /// Number of times that the program still has to reach the fail point before it aborts.
    passes_left: AtomicU64,
}

/// Marks a fail point in the code. If the environment variable selects this fail point, the program aborts as
/// soon as it has called this function the given number of times.
#[inline]
pub fn reach(name: &'static str) {
    if cfg!(debug_assertions) {
        abort_if_selected(name);
    }
}

fn abort_if_selected(name: &'static str) {
    static SELECTION: OnceLock<Option<Selection>> = OnceLock::new();
    assert!(FAIL_POINTS.contains(&name), "no fail point has the name `{name}`");
    let selection = SELECTION.get_or_init(|| parse_selection(&std::env::var(VARIABLE).ok()?));
    let Some(selection) = selection.as_ref().filter(|selection| selection.name == name) else { return };
    if selection.passes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// Parses the value of the environment variable: the name of a fail point, and how many times the program
/// reaches it until it aborts.
fn parse_selection(text: &str) -> Option<Selection> {
    let (name, passes) = text.split_once(':')?;
    let passes_left = AtomicU64::new(passes.parse().ok().filter(|passes| *passes > 0)?);
    FAIL_POINTS.contains(&name).then(|| Selection { name: name.to_owned(), passes_left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_needs_a_known_name_and_a_positive_number() {
        let passes =
            parse_selection("log-after-commit:12").map(|selection| selection.passes_left.into_inner());
        assert_eq!(passes, Some(12));
        for wrong in ["log-after-commit", "nowhere:1", "log-after-commit:0", "log-after-commit:x"] {
            assert!(parse_selection(wrong).is_none(), "{wrong}");
        }
    }
}
