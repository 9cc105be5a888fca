//! The wait before a retry. It doubles with each failed attempt up to a limit, and includes jitter.
//!
//! Invariants: the wait is never longer than 1.25 × [`LONGEST_WAIT`], and the same attempt and key always
//! give the same wait.

use std::time::Duration;

/// Wait after the first failed attempt, without jitter.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait, without jitter.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Returns the wait after failed attempt number `attempt`, counted from 1. The jitter adds up to a quarter
/// and is derived from `key`, so that operations that failed together are not retried together.
pub fn wait_after(attempt: u32, key: &[u8]) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let wait = doubled.min(LONGEST_WAIT);
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&attempt.to_be_bytes());
    let jitter = hasher.finalize().as_bytes()[0];
    wait + wait * u32::from(jitter) / (4 * 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: payments.provider-retries
    #[test]
    fn the_first_wait_is_under_a_second_and_no_wait_exceeds_the_limit() {
        for byte in 0..=255 {
            assert!(wait_after(1, &[byte]) < Duration::from_secs(1));
            assert!(wait_after(u32::MAX, &[byte]) <= LONGEST_WAIT * 5 / 4);
        }
    }

    // Proves: payments.provider-retries
    #[test]
    fn waits_grow_and_differ_between_keys() {
        assert!(wait_after(4, &[1]) > wait_after(1, &[1]) * 3);
        let waits: std::collections::HashSet<_> = (0..20).map(|byte| wait_after(3, &[byte])).collect();
        assert!(waits.len() > 10);
    }
}
