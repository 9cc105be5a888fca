//! Read model of erased people: one row per person, by the person whose key was destroyed.
//!
//! Restoring an older copy of the store of keys brings destroyed keys back. The program reads this model to
//! destroy them again.

mod row;

use souk_domain::order::{Order, OrderEvent};
use souk_domain::user::{User, UserEvent};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, Person, RecordedEvent};

pub use row::ErasedPersonRow;

/// Projector of the read model of erased people.
#[derive(Debug)]
pub struct ErasedPeople;

impl Projector for ErasedPeople {
    const MODEL: Model = Model { name: "erased_people", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = Person;
    type Row = ErasedPersonRow;

    fn event_types() -> Vec<&'static str> {
        vec!["order.erased", "user.erased"]
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Person>, DecodeError> {
        Ok(match recorded.stream.category() {
            Order::CATEGORY => match recorded.decode()? {
                OrderEvent::Erased(event) => Some(event.person),
                _ => None,
            },
            _ => match recorded.decode()? {
                UserEvent::Erased(_) => User::of_stream(&recorded.stream).map(souk_domain::UserId::person),
                _ => None,
            },
        })
    }

    fn keys(person: &Person, _: &RecordedEvent) -> Vec<String> {
        vec![person.to_string()]
    }

    fn project(
        _: &str,
        row: Option<ErasedPersonRow>,
        _: &Person,
        recorded: &RecordedEvent,
    ) -> Option<ErasedPersonRow> {
        Some(row.unwrap_or(ErasedPersonRow { at: recorded.event.recorded_at }))
    }

    fn columns(_: &str, _: &ErasedPersonRow) -> Vec<Value> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
