//! Compares a cart with a plain model: units by SKU, and the orders whose lines can still be put back. No
//! line is lost or duplicated, whatever commands arrive in whatever order.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use souk_eventsourcing::Rejection;
use souk_eventsourcing::testkit::{context, noon};
use uuid::Uuid;

use super::event::CartLine;
use super::tests::{add, customer, draft, line, sku};
use super::*;
use crate::limits::{LINE_UNITS_MAX, SECOND_CLICK_S};
use crate::money::{Currency, Money};
use crate::{OrderId, Sku};

const LIMIT: u64 = LINE_UNITS_MAX as u64;

type Units = BTreeMap<u16, u32>;

#[derive(Clone, Debug)]
enum Act {
    Add(u16, u32),
    Change(u16, u32),
    Remove(u16),
    Clear,
    Merge(u8, u64, Units),
    GiveAway,
    CheckOut,
    CheckOutOther(Units),
    GiveBack(u128),
    Wait(i64),
}

#[derive(Default)]
struct Model {
    units: BTreeMap<u16, u64>,
    merged: BTreeMap<u8, u64>,
    out: BTreeMap<u128, Vec<CartLine>>,
    orders: u128,
    transfers: u64,
    last: Option<(u128, Timestamp)>,
}

impl Model {
    fn put_in(&mut self, n: u16, units: u64) {
        let entry = self.units.entry(n).or_default();
        *entry = LIMIT.min(*entry + units);
        self.last = None;
    }

    fn lines(&self) -> Vec<CartLine> {
        self.units.iter().map(|(n, units)| line(*n, u32::try_from(*units).unwrap(), 1)).collect()
    }

    fn has_recent_order(&self, now: Timestamp) -> bool {
        self.last.is_some_and(|(_, at)| now.duration_since(at) <= SignedDuration::from_secs(SECOND_CLICK_S))
    }

    /// Returns the command of an act, and its expected result.
    fn command_of(&mut self, act: Act, now: Timestamp) -> (CartCommand, Result<(), &'static str>) {
        match act {
            Act::Add(n, units) => (add(n, units, 1), self.add(n, u64::from(units))),
            Act::Change(n, quantity) => {
                let unit_price = Money::new(100, Currency::GBP);
                (
                    CartCommand::Change { sku: sku(n), quantity, unit_price },
                    self.change(n, u64::from(quantity)),
                )
            }
            Act::Remove(n) => {
                self.units.remove(&n);
                (CartCommand::Remove { sku: sku(n) }, Ok(()))
            }
            Act::Clear => {
                self.units.clear();
                self.last = None;
                (CartCommand::Clear, Ok(()))
            }
            Act::Merge(cart, revision, units) => (self.merge(cart, revision, &units), Ok(())),
            Act::GiveAway => {
                self.units.clear();
                self.transfers += 1;
                (CartCommand::GiveAway { into: CartId(Uuid::nil()), at_revision: self.transfers }, Ok(()))
            }
            Act::CheckOut => self.check_out(now),
            Act::CheckOutOther(units) => self.check_out_other(&units, now),
            Act::GiveBack(order) => (self.give_back(order), Ok(())),
            Act::Wait(_) => unreachable!("waiting sends no command"),
        }
    }

    fn add(&mut self, n: u16, units: u64) -> Result<(), &'static str> {
        if units == 0 || self.units.get(&n).unwrap_or(&0) + units > LIMIT {
            return Err("quantity-limit");
        }
        self.put_in(n, units);
        Ok(())
    }

    fn change(&mut self, n: u16, units: u64) -> Result<(), &'static str> {
        if !self.units.contains_key(&n) {
            return Err("line-not-found");
        }
        match units {
            0 => drop(self.units.remove(&n)),
            units if units > LIMIT => return Err("quantity-limit"),
            units => drop(self.units.insert(n, units)),
        }
        Ok(())
    }

    fn merge(&mut self, cart: u8, revision: u64, units: &Units) -> CartCommand {
        let is_new = self.merged.get(&cart).is_none_or(|seen| *seen < revision);
        if is_new && !units.is_empty() {
            self.merged.insert(cart, revision);
            for (n, units) in units {
                self.put_in(*n, u64::from(*units));
            }
        }
        CartCommand::Merge {
            from: CartId(Uuid::from_u128(u128::from(cart))),
            from_revision: revision,
            lines: units.iter().map(|(n, units)| line(*n, *units, 1)).collect(),
            previous_transfer: Some(u64::MAX),
            customer: customer(),
        }
    }

    fn check_out(&mut self, now: Timestamp) -> (CartCommand, Result<(), &'static str>) {
        let lines = self.lines();
        if lines.is_empty() {
            return self.check_out_other(&Units::from([(1, 1)]), now);
        }
        self.orders += 1;
        let order = OrderId(Uuid::from_u128(self.orders));
        let command = CartCommand::CheckOut { draft: Box::new(draft(order, &lines, now)) };
        self.out.insert(self.orders, lines);
        self.units.clear();
        self.last = Some((self.orders, now));
        (command, Ok(()))
    }

    /// Checks out lines that differ from those in the cart; recalls the last order if the cart is empty.
    fn check_out_other(&mut self, units: &Units, now: Timestamp) -> (CartCommand, Result<(), &'static str>) {
        let lines: Vec<CartLine> = units.iter().map(|(n, units)| line(*n, *units, 1)).collect();
        if !self.units.is_empty() && lines == self.lines() {
            return self.check_out(now);
        }
        if self.units.is_empty() {
            let order = self.last.map(|(order, _)| OrderId(Uuid::from_u128(order)));
            let expected = if self.has_recent_order(now) { Ok(()) } else { Err("cart-empty") };
            return (CartCommand::RecallOrder { order }, expected);
        }
        let draft = Box::new(draft(OrderId(Uuid::nil()), &lines, now));
        (CartCommand::CheckOut { draft }, Err("cart-changed"))
    }

    fn give_back(&mut self, order: u128) -> CartCommand {
        let lines = self.out.remove(&order);
        for CartLine { product, quantity, .. } in lines.iter().flatten() {
            self.put_in(u16::try_from(product.0.as_u128()).unwrap(), u64::from(*quantity));
        }
        // A repeat does nothing, so it may name any lines.
        let lines = lines.unwrap_or_else(|| vec![line(1, 1, 1)]);
        CartCommand::GiveBack { order: OrderId(Uuid::from_u128(order)), lines }
    }
}

fn units() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1..4_u32, 1 => LINE_UNITS_MAX - 3..=LINE_UNITS_MAX]
}

fn act() -> impl Strategy<Value = Act> {
    let lines = || prop::collection::btree_map(0..5_u16, units(), 0..4);
    let some_lines = prop::collection::btree_map(0..5_u16, units(), 1..4);
    let quantities =
        || prop_oneof![8 => units(), 1 => Just(0), 1 => Just(LINE_UNITS_MAX + 1), 1 => Just(u32::MAX)];
    prop_oneof![
        8 => (0..5_u16, quantities()).prop_map(|(n, units)| Act::Add(n, units)),
        3 => (0..5_u16, quantities()).prop_map(|(n, units)| Act::Change(n, units)),
        2 => (0..5_u16).prop_map(Act::Remove),
        1 => Just(Act::Clear),
        4 => (0..3_u8, 0..6_u64, lines()).prop_map(|(cart, revision, lines)| Act::Merge(cart, revision, lines)),
        1 => Just(Act::GiveAway),
        3 => Just(Act::CheckOut),
        1 => some_lines.prop_map(Act::CheckOutOther),
        3 => (1..6_u128).prop_map(Act::GiveBack),
        2 => (0..50_i64).prop_map(Act::Wait),
    ]
}

proptest! {
    // Proves: cart.cart-lines
    #[test]
    fn a_cart_holds_the_units_that_the_model_predicts(acts in prop::collection::vec(act(), 1..60)) {
        let mut state = CartState::default();
        let mut model = Model::default();
        let mut now = noon();
        for act in acts {
            if let Act::Wait(seconds) = act {
                now += SignedDuration::from_secs(seconds);
                continue;
            }
            let (command, expected) = model.command_of(act, now);
            let decided = Cart::decide(&state, &command, &context(1, now));
            prop_assert_eq!(decided.as_ref().map(drop).map_err(Rejection::code), expected, "{:?}", command);
            let events = decided.unwrap_or_default();
            state = events.iter().fold(state, Cart::evolve);
            let held: BTreeMap<Sku, u64> =
                state.lines().map(|(sku, line)| (sku.clone(), u64::from(line.quantity))).collect();
            let expected: BTreeMap<Sku, u64> = model.units.iter().map(|(n, units)| (sku(*n), *units)).collect();
            prop_assert_eq!(held, expected);
            let recent = model.last.filter(|_| model.has_recent_order(now)).map(|(order, _)| order);
            prop_assert_eq!(state.recent_order(now), recent.map(|order| OrderId(Uuid::from_u128(order))));
        }
    }
}

/// A step in the life of a guest's cart that two customers merge again and again.
#[derive(Clone, Debug)]
enum Step {
    GuestAdds(u16, u32),
    /// The guest's cart gives its lines to a customer's cart.
    GiveTo(usize),
    /// A customer's cart takes in the lines that are owed to it.
    TakeIn(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4_u16, 1..4_u32).prop_map(|(n, units)| Step::GuestAdds(n, units)),
        2 => (0..2_usize).prop_map(Step::GiveTo),
        2 => (0..2_usize).prop_map(Step::TakeIn),
    ]
}

const GUEST: CartId = CartId(Uuid::from_u128(1));

fn id_of(customer: usize) -> CartId {
    CartId(Uuid::from_u128(2 + customer as u128))
}

/// A guest's cart, the number of its events, and the carts of two customers.
#[derive(Default)]
struct Carts {
    guest: CartState,
    guest_events: u64,
    customers: [CartState; 2],
}

impl Carts {
    fn guest(&mut self, command: &CartCommand) {
        let events = Cart::decide(&self.guest, command, &context(1, noon())).unwrap();
        self.guest_events += events.len() as u64;
        self.guest = events.iter().fold(std::mem::take(&mut self.guest), Cart::evolve);
    }

    fn give_to(&mut self, customer: usize) {
        let at_revision = self.guest_events;
        self.guest(&CartCommand::GiveAway { into: id_of(customer), at_revision });
    }

    /// Repeats every merge into a customer's cart, including those that are completed.
    fn take_in(&mut self, customer: usize) {
        for transfer in self.guest.transfers_to(id_of(customer)) {
            let merge = CartCommand::Merge {
                from: GUEST,
                from_revision: transfer.at_revision,
                lines: transfer.lines.clone(),
                previous_transfer: transfer.previous,
                customer: super::tests::customer(),
            };
            let cart = &mut self.customers[customer];
            let events = Cart::decide(cart, &merge, &context(1, noon())).unwrap();
            *cart = events.iter().fold(std::mem::take(cart), Cart::evolve);
        }
    }

    fn units(&self) -> u64 {
        let lines = self.customers.iter().chain([&self.guest]).flat_map(CartState::lines);
        lines.map(|(_, line)| u64::from(line.quantity)).sum()
    }
}

proptest! {
    /// The guest's cart gives its lines to the cart of one of two customers, which takes them in. The merge
    /// can be interrupted anywhere, and the guest continues in the meantime.
    // Proves: cart.merge-once
    #[test]
    fn a_merge_neither_loses_nor_duplicates_units(steps in prop::collection::vec(step(), 1..16)) {
        let mut carts = Carts::default();
        let mut added = 0;
        for step in steps {
            match step {
                Step::GuestAdds(n, units) => {
                    added += u64::from(units);
                    carts.guest(&add(n, units, 1));
                }
                Step::GiveTo(customer) => carts.give_to(customer),
                Step::TakeIn(customer) => carts.take_in(customer),
            }
            prop_assert!(carts.units() <= added);
        }
        for customer in [0, 1] {
            carts.take_in(customer);
        }
        prop_assert_eq!(carts.units(), added);
    }
}
