//! The wait before the next attempt: twice as long each time, with jitter, up to a limit.

use std::time::Duration;

/// The wait before the second attempt.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait, without jitter.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait before attempt `attempt + 1`. Up to a quarter is added, derived from `key`, so that many that
/// failed together don't come back together.
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

    #[test]
    fn the_first_retry_comes_within_a_second_and_none_waits_longer_than_the_limit() {
        for byte in 0..=255 {
            assert!(wait_after(1, &[byte]) < Duration::from_secs(1));
            assert!(wait_after(u32::MAX, &[byte]) <= LONGEST_WAIT * 5 / 4);
        }
    }

    #[test]
    fn waits_grow_and_differ_between_keys() {
        assert!(wait_after(4, &[1]) > wait_after(1, &[1]) * 3);
        let waits: std::collections::HashSet<_> = (0..20).map(|byte| wait_after(3, &[byte])).collect();
        assert!(waits.len() > 10);
    }
}
