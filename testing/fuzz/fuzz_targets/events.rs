//! Fuzz target for event payloads: every payload is either decoded or rejected with a message. A decoded
//! event can be encoded and decoded again to the same event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use souk_domain::for_each_aggregate;
use souk_eventsourcing::{Decider, EventPayload};

/// Decodes a payload as an event of one aggregate.
fn decode<D: Decider>(event_type: usize, version: u16, data: &[u8])
where
    D::Event: PartialEq + std::fmt::Debug,
{
    let types = D::Event::event_types();
    match D::Event::decode(types[event_type % types.len()], version, data) {
        Ok(event) => {
            let again = D::Event::decode(event.event_type(), event.schema_version(), &event.encode());
            assert_eq!(again.as_ref().ok(), Some(&event), "{again:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

macro_rules! decoders {
    ($($port:ident: $name:ident = $aggregate:ty,)*) => {
        &[$(decode::<$aggregate>),*]
    };
}
/// Decoders of all aggregates.
const DECODERS: &[fn(usize, u16, &[u8])] = for_each_aggregate!(decoders);

// The first three bytes select the aggregate, the event type and the version; the others are the payload.
fuzz_target!(|data: &[u8]| {
    let [aggregate, event_type, version, payload @ ..] = data else { return };
    let decode = DECODERS[usize::from(*aggregate) % DECODERS.len()];
    decode(usize::from(*event_type), u16::from(*version), payload);
});
