//! Fail points: named places in the code at which a test can abort the program, as if it were killed there.
//!
//! `SOUK_FAIL_POINT=log-after-commit:12` aborts the program when it reaches that place for the twelfth time.
//! Fail points work only in builds with debug assertions. In a release build they do nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that selects a fail point.
pub const VARIABLE: &str = "SOUK_FAIL_POINT";

/// Names of all fail points.
pub const PLACES: [&str; 12] = [
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

struct Armed {
    place: String,
    passes_left: AtomicU64,
}

/// Marks a fail point in the code. Aborts the program if the environment variable selects this pass.
#[inline]
pub fn pass(place: &'static str) {
    if cfg!(debug_assertions) {
        pass_armed(place);
    }
}

fn pass_armed(place: &'static str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    assert!(PLACES.contains(&place), "no fail point has the name `{place}`");
    let armed = ARMED.get_or_init(|| armed(&std::env::var(VARIABLE).ok()?));
    let Some(armed) = armed.as_ref().filter(|armed| armed.place == place) else { return };
    if armed.passes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// Parses the value of the environment variable: the name of a fail point and the number of the pass.
fn armed(text: &str) -> Option<Armed> {
    let (place, passes) = text.split_once(':')?;
    let passes_left = AtomicU64::new(passes.parse().ok().filter(|passes| *passes > 0)?);
    PLACES.contains(&place).then(|| Armed { place: place.to_owned(), passes_left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_point_needs_a_known_name_and_a_number_from_1() {
        let passes = armed("log-after-commit:12").map(|armed| armed.passes_left.into_inner());
        assert_eq!(passes, Some(12));
        for wrong in ["log-after-commit", "nowhere:1", "log-after-commit:0", "log-after-commit:x"] {
            assert!(armed(wrong).is_none(), "{wrong}");
        }
    }
}
