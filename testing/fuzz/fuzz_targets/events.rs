//! Payloads of events, whoever wrote them: read, or refused with what is wrong. What is read is written
//! and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use souk_domain::cart::CartEvent;
use souk_domain::claim::ClaimEvent;
use souk_domain::order::OrderEvent;
use souk_domain::payment::PaymentEvent;
use souk_domain::product::ProductEvent;
use souk_domain::skips::SkipsEvent;
use souk_domain::stock::StockEvent;
use souk_domain::user::UserEvent;
use souk_domain::webhook::WebhookEvent;
use souk_eventsourcing::EventPayload;

fn read<E: EventPayload + PartialEq + std::fmt::Debug>(place: usize, version: u16, data: &[u8]) {
    let types = E::event_types();
    match E::decode(types[place % types.len()], version, data) {
        Ok(event) => {
            let again = E::decode(event.event_type(), event.schema_version(), &event.encode());
            assert_eq!(again.as_ref().ok(), Some(&event), "{again:?}");
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

// The first bytes say which aggregate, which event and which version, the others are its payload.
fuzz_target!(|data: &[u8]| {
    let [aggregate, event, version, data @ ..] = data else { return };
    let (place, version) = (usize::from(*event), u16::from(*version));
    match aggregate % 9 {
        0 => read::<CartEvent>(place, version, data),
        1 => read::<ClaimEvent>(place, version, data),
        2 => read::<OrderEvent>(place, version, data),
        3 => read::<PaymentEvent>(place, version, data),
        4 => read::<ProductEvent>(place, version, data),
        5 => read::<SkipsEvent>(place, version, data),
        6 => read::<StockEvent>(place, version, data),
        7 => read::<WebhookEvent>(place, version, data),
        _ => read::<UserEvent>(place, version, data),
    }
});
