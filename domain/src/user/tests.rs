use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::command::Registration;
use super::event::{
    AddressRemoved, DefaultAddressChanged, EmailVerified, Entry, Erased, Fenced, PreferencesChanged, UserRole,
};
use super::*;
use crate::email::Email;
use crate::limits::ADDRESSES_MAX;
use crate::{AddressId, EmailHash, UserId};

pub(super) const ADA: UserId = UserId(Uuid::from_u128(1));

fn hash() -> EmailHash {
    EmailHash::of(&[1; 32], "ada@example.org")
}

pub(super) fn register() -> UserCommand {
    UserCommand::Register(Box::new(Registration {
        user: ADA,
        email: Email::parse("ada@example.org").unwrap(),
        email_hash: hash(),
        name: "Ada".into(),
        is_verified: false,
        role: UserRole::Customer,
    }))
}

fn events(commands: &[UserCommand]) -> Vec<UserEvent> {
    let mut events = Vec::new();
    for (n, command) in (1..).zip(commands) {
        let state = fold::<User>(&events);
        events.extend(User::decide(&state, command, &context(n, noon())).unwrap());
    }
    events
}

pub(super) fn add(is_default: bool) -> UserCommand {
    UserCommand::AddAddress { user: ADA, entry: Box::default(), is_default }
}

fn added(events: &[UserEvent]) -> Vec<AddressId> {
    fold::<User>(events).account().unwrap().addresses.clone()
}

fn default_of(events: &[UserEvent]) -> Option<AddressId> {
    fold::<User>(events).account().unwrap().default_address
}

#[test]
fn a_user_registers_once() {
    let registered = events(&[register()]);
    assert!(matches!(&registered[..], [UserEvent::Registered(event)] if event.email_hash == hash()));
    given::<User>(&registered).when(&register()).then_nothing();
    given::<User>(&[]).when(&verify(true)).then_refused("user-not-found");
}

// Proves: users.sealed-personal-data
#[test]
fn personal_data_is_neither_in_the_state_nor_printed_by_debug() {
    let registered = events(&[register(), add(true)]);
    let state = serde_json::to_string(&fold::<User>(&registered)).unwrap();
    let shown = format!("{registered:?} {:?}", register());
    assert!(!state.contains("Ada") && !shown.contains("Ada"), "{state} {shown}");
}

pub(super) fn verify(is_proven: bool) -> UserCommand {
    UserCommand::VerifyEmail { is_proven }
}

#[test]
fn an_address_is_verified_once() {
    let registered = events(&[register()]);
    for is_proven in [true, false] {
        let verified: UserEvent = EmailVerified { is_proven }.into();
        given::<User>(&registered).when(&verify(is_proven)).then(&[verified]);
        given::<User>(&events(&[register(), verify(true)])).when(&verify(is_proven)).then_nothing();
    }
}

#[test]
fn a_verified_address_can_be_proven_later() {
    let unproven = events(&[register(), verify(false)]);
    given::<User>(&unproven).when(&verify(false)).then_nothing();
    given::<User>(&unproven).when(&verify(true)).then(&[EmailVerified { is_proven: true }.into()]);
    let without_field: EmailVerified = serde_json::from_str("{}").unwrap();
    assert!(without_field.is_proven);
}

// Proves: users.one-default-address
#[test]
fn one_address_is_the_default_at_most() {
    let two = events(&[register(), add(true), add(true)]);
    let ids = added(&two);
    assert_eq!(default_of(&two), Some(ids[1]));
    let set = |id| UserCommand::SetDefaultAddress { id };
    given::<User>(&two).when(&set(ids[1])).then_nothing();
    given::<User>(&two).when(&set(ids[0])).then(&[DefaultAddressChanged { id: ids[0] }.into()]);
    let nowhere = AddressId(Uuid::nil());
    given::<User>(&two).when(&set(nowhere)).then_refused("address-not-found");
}

#[test]
fn removing_or_unsetting_the_default_address_leaves_no_default() {
    let mut commands = vec![register(), add(true)];
    let id = added(&events(&commands))[0];
    let change = |is_default| UserCommand::ChangeAddress { user: ADA, id, entry: Box::default(), is_default };
    commands.push(change(false));
    assert_eq!(default_of(&events(&commands)), None);
    commands.push(change(true));
    assert_eq!(default_of(&events(&commands)), Some(id));
    commands.push(UserCommand::RemoveAddress { id });
    assert_eq!((default_of(&events(&commands)), added(&events(&commands))), (None, vec![]));
    given::<User>(&events(&commands)).when(&change(true)).then_refused("address-not-found");
    given::<User>(&events(&commands[..4]))
        .when(&UserCommand::RemoveAddress { id })
        .then(&[AddressRemoved { id }.into()]);
}

// Proves: users.address-book-limit
#[test]
fn an_address_book_has_a_limit() {
    let mut commands = vec![register()];
    commands.extend(vec![add(false); ADDRESSES_MAX]);
    given::<User>(&events(&commands)).when(&add(false)).then_refused("too-many-addresses");
}

// Proves: users.preferences
#[test]
fn setting_the_same_preferences_changes_nothing() {
    let registered = events(&[register()]);
    let change = |preferences| UserCommand::ChangePreferences(preferences);
    given::<User>(&registered).when(&change(Preferences::default())).then_nothing();
    let preferences = Preferences { marketing: true, ..Preferences::default() };
    given::<User>(&registered)
        .when(&change(preferences.clone()))
        .then(&[PreferencesChanged { preferences }.into()]);
}

// Proves: users.erasure-at-once
#[test]
fn every_command_to_an_erased_user_is_refused() {
    let registered = events(&[register()]);
    given::<User>(&registered).when(&UserCommand::Erase).then(&[Erased { email_hash: hash() }.into()]);
    let erased = events(&[register(), UserCommand::Erase]);
    given::<User>(&erased).when(&UserCommand::Erase).then_nothing();
    given::<User>(&erased).when(&add(true)).then_refused("user-not-found");
    given::<User>(&erased).when(&register()).then_refused("revision-conflict");
    assert_eq!(fold::<User>(&erased).epoch(), 1);
}

#[test]
fn a_fenced_registration_is_refused() {
    given::<User>(&[]).when(&UserCommand::Fence).then(&[Fenced {}.into()]);
    given::<User>(&[Fenced {}.into()]).when(&register()).then_refused("revision-conflict");
    given::<User>(&events(&[register()])).when(&UserCommand::Fence).then_nothing();
    assert_eq!(fold::<User>(&events(&[register()])).epoch(), 0);
}

#[test]
fn an_address_without_a_label_is_decoded() {
    let json = r#"{"address":{"name":"Ada","line1":"1 Test St","city":"London","country":"GB"}}"#;
    assert_eq!(serde_json::from_str::<Entry>(json).unwrap().label, "");
}
