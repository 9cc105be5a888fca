//! Whom the shop forgets: a key is destroyed at once; everything that follows is done by a sweep, which a
//! kill interrupts anywhere. And what must be so in the end.

use std::collections::BTreeSet;

use serde_json::Value;
use souk_domain::cart::Cart;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, OrderId, UserId};
use souk_eventsourcing::personal::Sealed;
use souk_eventsourcing::{CommandId, Decider as _, Person, Personal, Position, StreamName};
use souk_process_managers::ShopCommand;
use souk_projections::erased_people::ErasedPersonRow;
use souk_projections::orders::OrderRow;
use souk_projections::users::UserRow;
use uuid::Uuid;

use crate::buyers::origin;
use crate::desk::Wanted;
use crate::world::{From, Task, World};
use souk_shop_model::drafts::NAME;

/// How far the sweep is with one erasure; it begins anew after a kill.
#[derive(Default)]
pub(crate) struct Telling {
    /// Appends that may have been sealed before.
    sealed: usize,
    /// Where the log ended when they were in it.
    until: Option<Position>,
    /// Whether the orders were told.
    has_told_orders: bool,
    unanswered: usize,
}

impl World {
    /// A step of the sweep, for one of those whose erasure not everybody was told of; false when it waits.
    pub(crate) fn tell_of_erasures(&mut self) -> bool {
        let unsettled = self.disk.keys.unsettled();
        if unsettled.is_empty() {
            return false;
        }
        let person = unsettled[self.chance.below(unsettled.len())].clone();
        let Some(telling) = self.telling.get(&person) else {
            let sealed = self.disk.taken();
            self.telling.insert(person.clone(), Telling { sealed, ..Telling::default() });
            let user = customer(&person).and_then(|customer| UserId::of_customer(&customer));
            self.send(&person, user.map(|user| Wanted::User(user, UserCommand::Erase)));
            return true;
        };
        if telling.unanswered > 0 || self.disk.done() < telling.sealed {
            return false;
        }
        let Some(until) = telling.until else {
            let until = Some(self.disk.head());
            self.telling.entry(person).or_default().until = until;
            return true;
        };
        if self.models.position() < until {
            return false;
        }
        if telling.has_told_orders {
            self.disk.keys.settle(&person);
            self.telling.remove(&person);
            return true;
        }
        let orders = self.orders_of(&person);
        for order in &orders {
            // One that was a guest's has things under a key of its own still.
            self.disk.keys.erase(order.guest());
        }
        let erase =
            |order| Wanted::Shop(ShopCommand::Order(order, OrderCommand::Erase { person: person.clone() }));
        self.send(&person, orders.into_iter().map(erase));
        self.telling.entry(person).or_default().has_told_orders = true;
        true
    }

    fn send(&mut self, person: &Person, commands: impl IntoIterator<Item = Wanted>) {
        for command in commands {
            self.commands += 1;
            let id = CommandId(Uuid::from_u128(self.commands));
            self.tasks.push(Task::Send(command, origin(id), From::Sweep(person.clone())));
            self.telling.entry(person.clone()).or_default().unanswered += 1;
        }
    }

    /// A command of the sweep was answered.
    pub(crate) fn on_told(&mut self, person: &Person) {
        self.telling.entry(person.clone()).or_default().unanswered -= 1;
    }

    /// The orders that the read model has of somebody.
    fn orders_of(&self, person: &Person) -> Vec<OrderId> {
        let Some(customer) = customer(person) else {
            return person.parts().1.parse().map(OrderId).into_iter().collect();
        };
        let rows = self.models.rows::<OrderRow>("orders").into_iter();
        let of_customer = rows.filter(|(_, row)| row.customer.as_ref() == Some(&customer));
        of_customer.map(|(key, _)| OrderId(key.parse().unwrap())).collect()
    }

    /// Whoever is erased is forgotten, and nobody else.
    pub(crate) fn check_erasures(&self) {
        assert!(self.disk.keys.unsettled().is_empty(), "not everybody was told of an erasure");
        self.check_nothing_is_open();
        for event in &self.disk.synced {
            for sealed in sealed_values(&event.event.data) {
                let person = sealed.person.clone();
                let opens = Personal::<Value>::Sealed(sealed).reveal(&self.disk.keys.ring_of(&person));
                let is_erased = self.disk.keys.is_erased(&person);
                assert!(opens.is_some() || is_erased, "{person} is not erased and lost {}", event.stream);
            }
        }
        self.check_orders();
        self.check_users();
    }

    /// Nothing that tells about somebody is written as it is.
    fn check_nothing_is_open(&self) {
        let events = self.disk.synced.iter().map(|event| event.event.data.as_ref());
        let rows = self.models.documents().map(Vec::as_slice);
        let kept = self.processes.iter().flat_map(|process| process.documents()).map(Vec::as_slice);
        for bytes in events.chain(rows).chain(kept) {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains(NAME), "personal data in {text}");
        }
    }

    fn check_orders(&self) {
        for (key, row) in self.models.rows::<OrderRow>("orders") {
            let order = OrderId(key.parse().unwrap());
            let address = row.shipping_address.as_ref();
            let is_lost = address.is_some_and(|address| self.disk.keys.is_erased(address.person()));
            assert_eq!(
                row.is_address_erased, is_lost,
                "{order}: whether it is listed for lack of an address"
            );
            let Some(customer) = row.customer.filter(|buyer| self.disk.keys.is_erased(&buyer.person()))
            else {
                continue;
            };
            // The address that the shop gives an order later is not the customer's.
            let others = BTreeSet::from([order.readdressed()]);
            let cart = row.cart.map(|cart| StreamName::new(Cart::CATEGORY, &cart.to_string()));
            let streams = [Some(Order::stream(order)), cart];
            for event in self.disk.synced.iter().filter(|event| streams.contains(&Some(event.stream.clone())))
            {
                for Sealed { person, .. } in sealed_values(&event.event.data) {
                    let is_forgotten = self.disk.keys.is_erased(&person) || others.contains(&person);
                    assert!(is_forgotten, "{customer} is erased, and {order} still tells of {person}");
                }
            }
        }
    }

    fn check_users(&self) {
        let users = self.models.rows::<UserRow>("users");
        let known = self.models.rows::<ErasedPersonRow>("erased_people");
        for person in self.disk.keys.erased() {
            let Some(user) = customer(person).and_then(|customer| UserId::of_customer(&customer)) else {
                continue;
            };
            assert!(!users.contains_key(&user.to_string()), "{person} is erased and still has an account");
            assert!(known.contains_key(person.as_str()), "the log does not know that {person} is erased");
        }
    }

    /// Whether somebody has an account.
    pub(crate) fn is_user(&self, user: UserId) -> bool {
        self.books().state::<User>(&User::stream(user)).account().is_some()
    }
}

fn customer(person: &Person) -> Option<CustomerId> {
    let (kind, id) = person.parts();
    (kind == "customer").then(|| CustomerId::parse(id).unwrap())
}

/// Every sealed value of a payload.
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
