//! How long to wait before trying again: twice as long each time, with jitter, up to a limit.

use std::time::Duration;

use souk_eventsourcing::CommandId;

/// The first wait.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait before attempt `attempt + 1`. Up to a quarter is added, by the command's id, so that many
/// that failed together don't come back together.
pub fn wait_after(attempt: u32, command: CommandId) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let wait = doubled.min(LONGEST_WAIT);
    let byte = command.0.as_bytes()[15].wrapping_add(attempt.to_be_bytes()[3]);
    wait + wait * u32::from(byte) / (4 * 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(byte: u8) -> CommandId {
        CommandId(souk_eventsourcing::id::derive(CommandId::of(&[&[byte]]).0, &[]))
    }

    #[test]
    fn the_first_retry_comes_within_a_second_and_none_waits_longer_than_the_limit() {
        for byte in 0..=255 {
            assert!(wait_after(1, command(byte)) < Duration::from_secs(1));
            assert!(wait_after(u32::MAX, command(byte)) <= LONGEST_WAIT * 5 / 4);
        }
    }

    #[test]
    fn waits_grow_and_differ_between_commands() {
        assert!(wait_after(4, command(1)) > wait_after(1, command(1)) * 3);
        let waits: std::collections::HashSet<_> = (0..20).map(|byte| wait_after(3, command(byte))).collect();
        assert!(waits.len() > 10);
    }
}
