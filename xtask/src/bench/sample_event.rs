//! Sample events like those of a shop: about 400 bytes per row, ids that increase with time, ten
//! thousand streams.

use bytes::Bytes;
use jiff::Timestamp;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CorrelationId, NewEvent, StreamName};
use uuid::Uuid;

/// Number of streams of the events.
pub(super) const STREAMS: u64 = 10_000;
/// Time of the first event, in milliseconds since 1970. Its value does not matter.
const FIRST_MS: u64 = 1_790_000_000_000;
/// Number of events per millisecond.
const EVENTS_PER_MS: u64 = 20;

/// Stream of an event, by the number of the event.
pub(super) fn stream(number: u64) -> StreamName {
    StreamName::new("bench", &format!("{:05}", number % STREAMS))
}

/// Event with this number, for `stream`.
pub(super) fn event(number: u64, stream: &StreamName) -> NewEvent {
    let ms = FIRST_MS + number / EVENTS_PER_MS;
    let command = uuid_of(ms, number);
    let origin = Origin::new(command, Actor::new("customer", "17850"), CorrelationId::from(command));
    let data = format!(
        "{{\"orderId\":\"{command}\",\"sku\":\"85123A\",\"quantity\":{},\"unitPrice\":{{\"amount\":255,\
         \"currency\":\"GBP\"}},\"expiresAt\":\"2026-11-21T12:00:00Z\",\"note\":\"{number:0100}\"}}",
        number % 24 + 1
    );
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    origin.raw_envelope(
        stream,
        0,
        "bench.happened",
        1,
        Bytes::from(data),
        at.expect("the time is in this century"),
    )
}

/// `UUIDv7` of a time. The part that is usually random is computed from a number.
fn uuid_of(ms: u64, number: u64) -> Uuid {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_sample_events_have_different_ids() {
        let ids: HashSet<_> = (0..50_000).map(|number| event(number, &stream(number)).id).collect();
        assert_eq!(ids.len(), 50_000);
    }
}
