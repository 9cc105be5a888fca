//! Applies events to the state of a user.

use super::event::{Preferences, UserEvent};
use super::state::{Account, UserState};

/// Returns the state after an event.
pub fn evolve(mut state: UserState, event: &UserEvent) -> UserState {
    match event {
        UserEvent::Registered(event) => {
            return UserState::Registered(Account {
                email_hash: event.email_hash.clone(),
                is_verified: event.is_verified,
                is_proven: event.is_verified,
                role: event.role,
                addresses: Vec::new(),
                default_address: None,
                preferences: Preferences::default(),
            });
        }
        UserEvent::Erased(event) => return UserState::Erased(event.email_hash.clone()),
        UserEvent::Fenced(_) => return UserState::Fenced,
        _ => {}
    }
    if let UserState::Registered(account) = &mut state {
        change(account, event);
    }
    state
}

fn change(account: &mut Account, event: &UserEvent) {
    match event {
        UserEvent::EmailVerified(event) => {
            account.is_verified = true;
            account.is_proven |= event.is_proven;
        }
        UserEvent::AddressAdded(event) => {
            account.addresses.push(event.id);
            if event.is_default {
                account.default_address = Some(event.id);
            }
        }
        UserEvent::AddressChanged(event) => {
            if event.is_default {
                account.default_address = Some(event.id);
            } else if account.default_address == Some(event.id) {
                account.default_address = None;
            }
        }
        UserEvent::AddressRemoved(event) => {
            account.addresses.retain(|id| *id != event.id);
            account.default_address = account.default_address.filter(|id| *id != event.id);
        }
        UserEvent::DefaultAddressChanged(event) => account.default_address = Some(event.id),
        UserEvent::PreferencesChanged(event) => account.preferences = event.preferences.clone(),
        UserEvent::ProfileChanged(_)
        | UserEvent::Registered(_)
        | UserEvent::Erased(_)
        | UserEvent::Fenced(_) => {}
    }
}
