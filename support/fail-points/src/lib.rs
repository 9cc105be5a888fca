//! Named places at which a test build ends without a word, as a kill would end it there.
//!
//! `SOUK_FAIL_POINT=log-after-commit:12` ends the program when it passes that place for the twelfth time.
//! Builds with debug assertions only; in a release build every place is nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that names a place.
pub const VARIABLE: &str = "SOUK_FAIL_POINT";

/// Every place.
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

/// Passes a place.
#[inline]
pub fn pass(place: &'static str) {
    if cfg!(debug_assertions) {
        pass_armed(place);
    }
}

fn pass_armed(place: &'static str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    assert!(PLACES.contains(&place), "no place has the name `{place}`");
    let armed = ARMED.get_or_init(|| armed(&std::env::var(VARIABLE).ok()?));
    let Some(armed) = armed.as_ref().filter(|armed| armed.place == place) else { return };
    if armed.passes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// The place and the pass that a text names.
fn armed(text: &str) -> Option<Armed> {
    let (place, passes) = text.split_once(':')?;
    let passes_left = AtomicU64::new(passes.parse().ok().filter(|passes| *passes > 0)?);
    PLACES.contains(&place).then(|| Armed { place: place.to_owned(), passes_left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_a_pass_are_named() {
        let known = armed("log-after-commit:12").map(|armed| armed.passes_left.into_inner());
        assert_eq!(known, Some(12));
        for wrong in ["log-after-commit", "nowhere:1", "log-after-commit:0", "log-after-commit:x"] {
            assert!(armed(wrong).is_none(), "{wrong}");
        }
    }
}
