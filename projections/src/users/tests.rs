use souk_domain::user::event::{
    AddressAdded, AddressChanged, AddressRemoved, DefaultAddressChanged, EmailVerified, Entry, Erased,
    Fenced, PreferencesChanged, ProfileChanged,
};
use souk_domain::{AddressId, UserId};
use souk_eventsourcing::Personal;
use uuid::Uuid;

use super::*;
use crate::testing::{History, address, email_hash, golden, registered as of_registration, row};

const ADA: UserId = UserId(Uuid::from_u128(7));

fn history_with(events: Vec<UserEvent>) -> History {
    let first = History::default().then(&User::stream(ADA), of_registration(ADA));
    events.into_iter().fold(first, |history, event| history.then(&User::stream(ADA), event))
}

fn id(n: u128) -> AddressId {
    AddressId(Uuid::from_u128(n))
}

fn entry(name: &str) -> Personal<Entry> {
    Personal::new(ADA.person(), "address", Entry { label: "home".into(), address: address(name) })
}

fn added(n: u128, is_default: bool) -> UserEvent {
    AddressAdded { id: id(n), entry: entry("Ada"), is_default }.into()
}

#[test]
fn golden() {
    let profile = ProfileChanged {
        name: Personal::new(ADA.person(), "name", "Ada L".to_owned()),
        phone: Personal::new(ADA.person(), "phone", "+44".to_owned()),
    };
    let preferences = Preferences { marketing: true, ..Preferences::default() };
    let history = history_with(vec![
        EmailVerified { is_proven: true }.into(),
        profile.into(),
        added(1, true),
        added(2, false),
        AddressChanged { id: id(2), entry: entry("Bob"), is_default: false }.into(),
        DefaultAddressChanged { id: id(2) }.into(),
        AddressRemoved { id: id(1) }.into(),
        PreferencesChanged { preferences }.into(),
    ])
    .noted(&User::stream(ADA))
    .then(&User::stream(ADA), UserEvent::from(Erased { email_hash: email_hash() }))
    .then(&User::stream(UserId(Uuid::from_u128(8))), UserEvent::from(Fenced {}));
    golden!(Users, history);
}

#[test]
fn an_erased_user_has_no_row() {
    let history = history_with(vec![Erased { email_hash: email_hash() }.into()]);
    assert!(row::<Users>(&history, &ADA.to_string()).is_none());
}

#[test]
fn the_default_address_ends_when_it_is_removed_or_no_longer_marked_as_default() {
    let default_of =
        |events| row::<Users>(&history_with(events), &ADA.to_string()).and_then(|row| row.default_address);
    let changed = AddressChanged { id: id(1), entry: entry("Ada"), is_default: false };
    assert_eq!(default_of(vec![added(1, true), added(2, true)]), Some(id(2)));
    assert_eq!(default_of(vec![added(1, true), changed.into()]), None);
    assert_eq!(default_of(vec![added(1, true), AddressRemoved { id: id(1) }.into()]), None);
}
