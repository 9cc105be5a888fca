//! Compares the address book of a user with a plain model: a list of addresses and one default. A second
//! property checks that an account begins once and ends once.

use proptest::prelude::*;
use souk_eventsourcing::Rejection as _;
use souk_eventsourcing::testkit::{context, noon};
use uuid::Uuid;

use super::tests::{ADA, add, register, verify};
use super::*;
use crate::AddressId;
use crate::history::History;
use crate::limits::ADDRESSES_MAX;

/// A change of the address book. A number stands for the address at this place of the list.
#[derive(Clone, Debug)]
enum Act {
    Add(bool),
    Change(usize, bool),
    Remove(usize),
    SetDefault(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let place = || 0..ADDRESSES_MAX + 2;
    prop_oneof![
        8 => any::<bool>().prop_map(Act::Add),
        2 => (place(), any::<bool>()).prop_map(|(place, is_default)| Act::Change(place, is_default)),
        1 => place().prop_map(Act::Remove),
        2 => place().prop_map(Act::SetDefault),
    ]
}

#[derive(Debug, Default, PartialEq)]
struct Book {
    addresses: Vec<AddressId>,
    default_address: Option<AddressId>,
}

impl Book {
    /// Applies a change. Returns its command, or the code of the expected rejection with it.
    fn apply(&mut self, act: &Act, added: AddressId) -> (UserCommand, Result<(), &'static str>) {
        let at = |place: usize| self.addresses.get(place).copied().unwrap_or(AddressId(Uuid::nil()));
        let (command, id, is_default) = match *act {
            Act::Add(is_default) => (add(is_default), added, is_default),
            Act::Change(place, is_default) => {
                let id = at(place);
                (
                    UserCommand::ChangeAddress { user: ADA, id, entry: Box::default(), is_default },
                    id,
                    is_default,
                )
            }
            Act::Remove(place) => (UserCommand::RemoveAddress { id: at(place) }, at(place), false),
            Act::SetDefault(place) => (UserCommand::SetDefaultAddress { id: at(place) }, at(place), true),
        };
        match act {
            Act::Add(_) if self.addresses.len() == ADDRESSES_MAX => {
                return (command, Err("too-many-addresses"));
            }
            Act::Add(_) => self.addresses.push(id),
            _ if !self.addresses.contains(&id) => return (command, Err("address-not-found")),
            Act::Remove(_) => self.addresses.retain(|other| *other != id),
            Act::Change(..) | Act::SetDefault(_) => {}
        }
        if is_default {
            self.default_address = Some(id);
        } else if self.default_address == Some(id) {
            self.default_address = None;
        }
        (command, Ok(()))
    }
}

proptest! {
    /// There is one default address at most, it is in the book, and the book has a limit.
    // Proves: users.one-default-address
    // Proves: users.address-book-limit
    #[test]
    fn an_address_book_agrees_with_the_model(acts in prop::collection::vec(act(), 0..160)) {
        let mut user = History::<User>::default();
        user.send(1, &register()).unwrap();
        let mut book = Book::default();
        for (n, act) in (2..).zip(acts) {
            let (command, expected) = book.apply(&act, AddressId(context(n, noon()).derived_id("address")));
            let decided = user.send(n, &command);
            prop_assert_eq!(decided.map(drop).map_err(|rejection| rejection.code()), expected, "{:?}", act);
            let account = user.state.account().unwrap();
            prop_assert_eq!(&account.addresses, &book.addresses);
            prop_assert_eq!(account.default_address, book.default_address);
        }
        prop_assert_eq!(user.state_after_restart(), user.state);
    }
}

fn command() -> impl Strategy<Value = UserCommand> {
    let preferences = |marketing| Preferences { marketing, ..Preferences::default() };
    prop_oneof![
        2 => Just(register()),
        2 => any::<bool>().prop_map(verify),
        1 => any::<bool>().prop_map(add),
        2 => any::<bool>().prop_map(move |marketing| UserCommand::ChangePreferences(preferences(marketing))),
        1 => Just(UserCommand::Erase),
        1 => Just(UserCommand::Fence),
    ]
}

proptest! {
    /// Nothing is appended after the end of an account, and the epoch says if it has ended. A proven address
    /// is verified. A repeated command changes nothing, except that it adds another address.
    // Proves: users.erasure-at-once
    #[test]
    fn an_account_begins_once_and_ends_once(commands in prop::collection::vec(command(), 0..30)) {
        let mut user = History::<User>::default();
        let mut has_begun = false;
        let mut has_ended = false;
        for (n, command) in (1..).zip(commands) {
            for event in user.send(n, &command).unwrap_or_default() {
                prop_assert!(!has_ended, "{:?}", event);
                match event {
                    UserEvent::Registered(_) => prop_assert!(!std::mem::replace(&mut has_begun, true)),
                    UserEvent::Fenced(_) => {
                        prop_assert!(!has_begun);
                        has_ended = true;
                    }
                    event => {
                        prop_assert!(has_begun, "{:?}", event);
                        has_ended = matches!(event, UserEvent::Erased(_));
                    }
                }
            }
            prop_assert_eq!(user.state.epoch(), u64::from(has_ended));
            prop_assert_eq!(user.state.account().is_some(), has_begun && !has_ended);
            prop_assert!(user.state.account().is_none_or(|account| account.is_verified || !account.is_proven));
            let adds = matches!(command, UserCommand::AddAddress { .. });
            prop_assert!(adds || user.is_unchanged_by(n, &command), "{:?}", command);
        }
        prop_assert_eq!(user.state_after_restart(), user.state);
    }
}
