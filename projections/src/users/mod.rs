//! Read model of user accounts: one row per user, by user id. An erased user has no row.

mod row;

use souk_domain::user::event::Registered;
use souk_domain::user::{Preferences, User, UserEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent, Timestamp};

pub use row::{BookEntry, UserRow};

use crate::stream_event::{self, StreamEvent, instant, text};

/// Projector of the read model of user accounts.
#[derive(Debug)]
pub struct Users;

impl Projector for Users {
    const MODEL: Model = Model {
        name: "users",
        version: 3,
        // Both are null until the user has proved that the e-mail address is theirs. Guests' orders with a
        // proven address are attached to the user.
        columns: &[
            Column { name: "proven_email_hash", column_type: ColumnType::Text },
            Column { name: "proven_at", column_type: ColumnType::Integer },
        ],
        indexes: &["proven_email_hash", "proven_at"],
        sums: &[],
    };
    type Event = StreamEvent<UserEvent>;
    type Row = UserRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<User>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        stream_event::read::<User>(recorded)
    }

    fn keys(_: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<UserRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<UserRow> {
        let mut row = match (row, event) {
            (_, StreamEvent::Event(UserEvent::Erased(_))) => return None,
            (Some(row), _) => row,
            (None, StreamEvent::Event(UserEvent::Registered(event))) => {
                registered(event, recorded.event.recorded_at)
            }
            (None, _) => return None,
        };
        row.revision = recorded.revision.0;
        if let StreamEvent::Event(event) = event {
            apply(&mut row, event, recorded.event.recorded_at);
        }
        Some(row)
    }

    fn columns(_: &str, row: &UserRow) -> Vec<Value> {
        match row.proven_at {
            Some(at) => vec![text(&row.email_hash), instant(at)],
            None => vec![Value::Null, Value::Null],
        }
    }
}

fn registered(event: &Registered, at: Timestamp) -> UserRow {
    UserRow {
        email: event.email.clone(),
        email_hash: event.email_hash.clone(),
        verified_at: event.is_verified.then_some(at),
        proven_at: event.is_verified.then_some(at),
        name: event.name.clone(),
        phone: None,
        role: event.role,
        preferences: Preferences::default(),
        addresses: Vec::new(),
        default_address: None,
        created_at: at,
        revision: 0,
    }
}

fn apply(row: &mut UserRow, event: &UserEvent, at: Timestamp) {
    match event {
        UserEvent::EmailVerified(event) => {
            row.verified_at = row.verified_at.or(Some(at));
            row.proven_at = row.proven_at.or(event.is_proven.then_some(at));
        }
        UserEvent::ProfileChanged(event) => {
            row.name = event.name.clone();
            row.phone = Some(event.phone.clone());
        }
        UserEvent::AddressAdded(event) => {
            row.addresses.push(BookEntry { id: event.id, entry: event.entry.clone() });
            if event.is_default {
                row.default_address = Some(event.id);
            }
        }
        UserEvent::AddressChanged(event) => {
            if let Some(entry) = row.addresses.iter_mut().find(|entry| entry.id == event.id) {
                entry.entry = event.entry.clone();
            }
            if event.is_default {
                row.default_address = Some(event.id);
            } else if row.default_address == Some(event.id) {
                row.default_address = None;
            }
        }
        UserEvent::AddressRemoved(event) => {
            row.addresses.retain(|entry| entry.id != event.id);
            row.default_address = row.default_address.filter(|id| *id != event.id);
        }
        UserEvent::DefaultAddressChanged(event) => row.default_address = Some(event.id),
        UserEvent::PreferencesChanged(event) => row.preferences = event.preferences.clone(),
        UserEvent::Registered(_) | UserEvent::Erased(_) | UserEvent::Fenced(_) => {}
    }
}

#[cfg(test)]
mod tests;
