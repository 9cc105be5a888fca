//! Erasure of people. A request destroys their key, and a sweep performs all steps in the order of the shop
//! (`erasure::complete`): it waits for the answer of each command before the next step. A kill can interrupt
//! the sweep anywhere. This module also checks the result at the end of a run.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;
use souk_domain::cart::Cart;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::user::{User, UserCommand};
use souk_domain::{AggregateCommand, CustomerId, EmailHash, OrderId, UserId};
use souk_eventsourcing::personal::Sealed;
use souk_eventsourcing::{CommandId, Decider as _, Person, Personal, Position, StreamName};
use souk_process_managers::erasure::{self, ErasedSubject, ErasureStep};
use souk_projections::erased_people::ErasedPersonRow;
use souk_projections::orders::OrderRow;
use souk_projections::users::UserRow;
use uuid::Uuid;

use crate::buyers::origin;
use crate::task::{Sender, Task};
use crate::world::World;
use souk_shop_model::drafts::NAME;

/// Progress of the sweep with one erasure. A kill loses it, and the sweep starts again.
#[derive(Default)]
pub(crate) struct ErasureProgress {
    /// Number of appends that may have been sealed before the key was destroyed.
    sealed: usize,
    /// Position of the last event in the log when these appends were complete.
    head: Option<Position>,
    /// Steps that come next.
    steps: VecDeque<SweepStep>,
    /// True if the read models had all orders of the person when the sweep read them. `None` before.
    has_all_orders: Option<bool>,
    /// True while a command of the sweep has no answer.
    is_waiting: bool,
}

/// Step of the sweep.
enum SweepStep {
    /// Step of the shop's list.
    Listed(ErasureStep),
    /// Second command of [`ErasureStep::EraseAccount`]: it frees the e-mail address.
    ReleaseEmail(UserId),
}

impl World {
    /// Makes one step of the sweep for a random incomplete erasure. Returns false if there is none, or if it
    /// has to wait.
    pub(crate) fn continue_erasure(&mut self) -> bool {
        let incomplete = self.disk.keys.incomplete_erasures();
        if incomplete.is_empty() {
            return false;
        }
        let person = incomplete[self.chance.below(incomplete.len())].clone();
        let sealed = self.disk.accepted_count();
        let new = || ErasureProgress { sealed, ..ErasureProgress::default() };
        let progress = self.erasures.entry(person.clone()).or_insert_with(new);
        if progress.is_waiting || self.disk.answered_count() < progress.sealed {
            return false;
        }
        if let Some(step) = progress.steps.pop_front() {
            self.perform(&person, step);
        } else if progress.head.is_none() {
            progress.head = Some(self.disk.head());
            let destroy = ErasureStep::DestroyKey(person.clone());
            let account = customer(&person).iter().flat_map(erasure::account_steps).collect::<Vec<_>>();
            progress.steps = std::iter::once(destroy).chain(account).map(SweepStep::Listed).collect();
        } else if let Some(has_all_orders) = progress.has_all_orders {
            self.erasures.remove(&person);
            if has_all_orders {
                self.disk.keys.complete_erasure(&person);
            }
        } else {
            progress.has_all_orders = Some(progress.head <= Some(self.models.position()));
            let orders = self.orders_of(&person).into_iter();
            let steps = orders.flat_map(|order| erasure::order_steps(&person, order));
            self.erasures.entry(person.clone()).or_default().steps = steps.map(SweepStep::Listed).collect();
        }
        true
    }

    /// Performs one step of an erasure. The answer to its command comes later.
    fn perform(&mut self, person: &Person, step: SweepStep) {
        match step {
            SweepStep::Listed(ErasureStep::DestroyKey(person)) => self.disk.keys.erase(person),
            SweepStep::Listed(ErasureStep::DestroyGuestKey(order)) => self.disk.keys.erase(order.guest()),
            SweepStep::Listed(ErasureStep::EraseAccount(user)) => {
                if self.alias_of(user).is_some() {
                    self.send(person, AggregateCommand::User(User::stream(user), UserCommand::Erase));
                    let progress = self.erasures.entry(person.clone()).or_default();
                    progress.steps.push_front(SweepStep::ReleaseEmail(user));
                }
            }
            SweepStep::ReleaseEmail(user) => {
                let alias = self.alias_of(user).expect("only accounts with an alias are erased");
                let stream = User::stream(user);
                let epoch = self.books().state::<User>(&stream).epoch();
                let release = ClaimCommand::Release { owner: stream.to_string(), epoch };
                self.send(person, AggregateCommand::Claim(Claim::of_email(&alias), release));
            }
            SweepStep::Listed(ErasureStep::EraseOrder(order, erased)) => {
                let erase = OrderCommand::Erase { person: erased };
                self.send(person, AggregateCommand::Order(Order::stream(order), erase));
            }
            // The simulated shop stores nothing of this kind.
            SweepStep::Listed(ErasureStep::EndSessions(_) | ErasureStep::DeleteMail(_)) => {}
        }
    }

    fn send(&mut self, person: &Person, command: AggregateCommand) {
        self.commands += 1;
        let id = CommandId(Uuid::from_u128(self.commands));
        self.tasks.push(Task::Send(command, origin(id), Sender::Sweep(person.clone())));
        self.erasures.entry(person.clone()).or_default().is_waiting = true;
    }

    /// Records that a command of the sweep was answered.
    pub(crate) fn on_sweep_answered(&mut self, person: &Person) {
        self.erasures.entry(person.clone()).or_default().is_waiting = false;
    }

    /// Returns the alias of an account's e-mail address; `None` if there was never an account.
    fn alias_of(&self, user: UserId) -> Option<EmailHash> {
        self.books().state::<User>(&User::stream(user)).email_hash().cloned()
    }

    /// Returns the orders of a person, as the read model knows them.
    fn orders_of(&self, person: &Person) -> Vec<OrderId> {
        let customer = match ErasedSubject::of(person).unwrap() {
            ErasedSubject::Customer(customer) => customer,
            ErasedSubject::Order(order) => return vec![order],
            ErasedSubject::Unknown => return Vec::new(),
        };
        let rows = self.models.rows::<OrderRow>("orders").into_iter();
        let of_customer = rows.filter(|(_, row)| row.customer.as_ref() == Some(&customer));
        of_customer.map(|(key, _)| OrderId(key.parse().unwrap())).collect()
    }

    /// Checks that the data of erased people is unreadable, and that the data of all others is readable.
    pub(crate) fn check_erasures(&self) {
        assert!(self.disk.keys.incomplete_erasures().is_empty(), "an erasure is not complete");
        self.check_nothing_is_open();
        for event in &self.disk.synced {
            for sealed in sealed_values(&event.event.data) {
                let person = sealed.person.clone();
                let opened = Personal::<Value>::Sealed(sealed).reveal(&self.disk.keys.ring_of(&person));
                let is_erased = self.disk.keys.is_erased(&person);
                assert!(
                    opened.is_some() || is_erased,
                    "{person} is not erased, but data of {person} in {} is unreadable",
                    event.stream
                );
            }
        }
        self.check_orders();
        self.check_users();
    }

    /// Checks that events and rows contain no unsealed personal data.
    fn check_nothing_is_open(&self) {
        let events = self.disk.synced.iter().map(|event| event.event.data.as_ref());
        let rows = self.models.documents().map(Vec::as_slice);
        let states = self.processes.iter().flat_map(|process| process.documents()).map(Vec::as_slice);
        for bytes in events.chain(rows).chain(states) {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains(NAME), "unsealed personal data in {text}");
        }
    }

    fn check_orders(&self) {
        for (key, row) in self.models.rows::<OrderRow>("orders") {
            let order = OrderId(key.parse().unwrap());
            let address = row.shipping_address.as_ref();
            let is_lost = address.is_some_and(|address| self.disk.keys.is_erased(address.person()));
            assert_eq!(
                row.is_address_erased, is_lost,
                "{order}: the row must be marked exactly if its address was erased"
            );
            let Some(customer) = row.customer.filter(|buyer| self.disk.keys.is_erased(&buyer.person()))
            else {
                continue;
            };
            // An address that the shop gave to the order after the erasure has a key of its own.
            let shop_keys = BTreeSet::from([order.readdressed()]);
            let cart = row.cart.map(|cart| StreamName::new(Cart::CATEGORY, &cart.to_string()));
            let streams = [Some(Order::stream(order)), cart];
            for event in self.disk.synced.iter().filter(|event| streams.contains(&Some(event.stream.clone())))
            {
                for Sealed { person, .. } in sealed_values(&event.event.data) {
                    let is_unreadable = self.disk.keys.is_erased(&person) || shop_keys.contains(&person);
                    assert!(is_unreadable, "{customer} is erased, but {order} has readable data of {person}");
                }
            }
        }
    }

    fn check_users(&self) {
        let users = self.models.rows::<UserRow>("users");
        let erased_people = self.models.rows::<ErasedPersonRow>("erased_people");
        for person in self.disk.keys.erased() {
            let Some(user) = customer(person).and_then(|customer| UserId::of_customer(&customer)) else {
                continue;
            };
            assert!(!users.contains_key(&user.to_string()), "{person} is erased, but still has an account");
            let claim =
                self.alias_of(user).map(|alias| self.books().state::<Claim>(&Claim::of_email(&alias)));
            assert!(
                claim.is_none_or(|claim| claim.holder.is_none()),
                "{person} is erased, but still has an e-mail address"
            );
            assert!(
                erased_people.contains_key(person.as_str()),
                "the log has no event about the erasure of {person}"
            );
        }
    }

    /// Returns true if the user has an account that owns its e-mail address.
    pub(crate) fn is_user(&self, user: UserId) -> bool {
        let user = self.books().state::<User>(&User::stream(user));
        let claim = user.account().map(|account| Claim::of_email(&account.email_hash));
        claim.is_some_and(|claim| self.books().state::<Claim>(&claim).holder.is_some())
    }
}

fn customer(person: &Person) -> Option<CustomerId> {
    match ErasedSubject::of(person).unwrap() {
        ErasedSubject::Customer(customer) => Some(customer),
        ErasedSubject::Order(_) | ErasedSubject::Unknown => None,
    }
}

/// Returns all sealed values in a payload.
fn sealed_values(data: &[u8]) -> Vec<Sealed> {
    let mut found = Vec::new();
    let mut values: Vec<Value> = serde_json::from_slice(data).into_iter().collect();
    while let Some(value) = values.pop() {
        match value {
            Value::Array(items) => values.extend(items),
            Value::Object(fields) if fields.contains_key("sealed") => {
                found.push(serde_json::from_value(Value::Object(fields)).unwrap());
            }
            Value::Object(fields) => values.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    found
}
