//! Decides commands to a user.

use souk_eventsourcing::{Context, Personal};

use crate::limits::ADDRESSES_MAX;
use crate::{AddressId, UserId};

use super::command::{Registration, UserCommand};
use super::event::{
    AddressAdded, AddressChanged, AddressRemoved, DefaultAddressChanged, EmailVerified, Entry, Erased,
    Fenced, PreferencesChanged, ProfileChanged, Registered, UserEvent,
};
use super::rejection::UserRejection;
use super::state::{Account, UserState};

type Decision = Result<Vec<UserEvent>, UserRejection>;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &UserState, command: &UserCommand, context: &Context) -> Decision {
    match (state, command) {
        (UserState::NotRegistered, UserCommand::Register(registration)) => Ok(vec![registered(registration)]),
        (UserState::Fenced | UserState::Erased(_), UserCommand::Register(_)) => Err(UserRejection::Fenced),
        (UserState::NotRegistered, UserCommand::Fence) => Ok(vec![Fenced {}.into()]),
        (UserState::Registered(_), UserCommand::Register(_))
        | (_, UserCommand::Fence)
        | (UserState::Erased(_), UserCommand::Erase) => Ok(Vec::new()),
        (UserState::Registered(account), command) => change(account, command, context),
        (_, _) => Err(UserRejection::NotFound),
    }
}

fn registered(registration: &Registration) -> UserEvent {
    let Registration { user, email, email_hash, name, is_verified, role } = registration.clone();
    Registered {
        email: Personal::new(user.person(), "email", email.as_str().to_owned()),
        email_hash,
        name: Personal::new(user.person(), "name", name),
        is_verified,
        role,
    }
    .into()
}

fn change(account: &Account, command: &UserCommand, context: &Context) -> Decision {
    let event = match command {
        UserCommand::VerifyEmail { is_proven }
            if account.is_verified && (account.is_proven || !is_proven) =>
        {
            return Ok(Vec::new());
        }
        UserCommand::VerifyEmail { is_proven } => EmailVerified { is_proven: *is_proven }.into(),
        UserCommand::ChangeProfile { user, name, phone } => ProfileChanged {
            name: Personal::new(user.person(), "name", name.clone()),
            phone: Personal::new(user.person(), "phone", phone.clone()),
        }
        .into(),
        UserCommand::AddAddress { user, entry, is_default } => {
            if account.addresses.len() >= ADDRESSES_MAX {
                return Err(UserRejection::BookFull);
            }
            let id = AddressId(context.derived_id("address"));
            AddressAdded { id, entry: sealed(*user, entry), is_default: *is_default }.into()
        }
        UserCommand::ChangeAddress { user, id, entry, is_default } => {
            require(account, *id)?;
            AddressChanged { id: *id, entry: sealed(*user, entry), is_default: *is_default }.into()
        }
        UserCommand::RemoveAddress { id } => {
            require(account, *id)?;
            AddressRemoved { id: *id }.into()
        }
        UserCommand::SetDefaultAddress { id } => {
            require(account, *id)?;
            if account.default_address == Some(*id) {
                return Ok(Vec::new());
            }
            DefaultAddressChanged { id: *id }.into()
        }
        UserCommand::ChangePreferences(preferences) if account.preferences == *preferences => {
            return Ok(Vec::new());
        }
        UserCommand::ChangePreferences(preferences) => {
            PreferencesChanged { preferences: preferences.clone() }.into()
        }
        UserCommand::Erase => Erased { email_hash: account.email_hash.clone() }.into(),
        UserCommand::Register(_) | UserCommand::Fence => return Ok(Vec::new()),
    };
    Ok(vec![event])
}

fn require(account: &Account, id: AddressId) -> Result<(), UserRejection> {
    if account.addresses.contains(&id) { Ok(()) } else { Err(UserRejection::AddressNotFound) }
}

fn sealed(user: UserId, entry: &Entry) -> Personal<Entry> {
    Personal::new(user.person(), "address", entry.clone())
}
