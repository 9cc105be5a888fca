//! People who were erased, by whom their key was of: one row a person. Whoever restores an older store of
//! keys brings keys back that were destroyed; these are the ones to destroy again.

mod row;

use souk_domain::order::{Order, OrderEvent};
use souk_domain::user::{User, UserEvent};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, Person, RecordedEvent};

pub use row::ErasedPersonRow;

/// The rules.
#[derive(Debug)]
pub struct ErasedPeople;

impl Projector for ErasedPeople {
    const MODEL: Model = Model { name: "erased_people", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = Person;
    type Row = ErasedPersonRow;

    fn takes() -> Vec<&'static str> {
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
