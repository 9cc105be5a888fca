//! Compares stock with a simple model: a shelf with a number of units and a list of reservations. The model
//! predicts the result of every command, and the aggregate must have the same result.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use souk_eventsourcing::Rejection;
use souk_eventsourcing::testkit::{context, noon};

use super::state::is_covered;
use super::*;
use crate::OrderRef;

#[derive(Clone, Debug)]
enum Act {
    Send(StockCommand),
    /// Reserves units for a number of seconds from now.
    Reserve(OrderRef, u32, i64),
    /// Waits a number of seconds.
    Wait(i64),
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    units: i64,
    /// Order, units and expiry of each reservation.
    reservations: Vec<(OrderRef, i64, Timestamp)>,
}

impl Shelf {
    fn reserved(&self) -> i64 {
        self.reservations.iter().map(|(_, units, _)| units).sum()
    }

    /// Returns the index of an order's reservation.
    fn find(&self, order: &OrderRef) -> Option<usize> {
        self.reservations.iter().position(|(owner, _, _)| owner == order)
    }

    /// Removes the oldest overdue reservation. Returns false if there is none.
    fn expire_oldest(&mut self, now: Timestamp) -> bool {
        let oldest = self
            .reservations
            .iter()
            .filter(|(_, _, until)| *until <= now)
            .min_by_key(|(order, _, until)| (*until, order.clone()));
        let Some(oldest) = oldest.cloned() else { return false };
        self.reservations.retain(|reservation| *reservation != oldest);
        true
    }

    fn reserve(
        &mut self,
        order: &OrderRef,
        units: i64,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        if units == 0 {
            return Err("invalid-quantity");
        }
        let before = self.clone();
        if let Some(index) = self.find(order) {
            if self.reservations[index].2 > now {
                return if self.reservations[index].1 == units { Ok(()) } else { Err("reservation-exists") };
            }
            self.reservations.remove(index);
        }
        while self.units - self.reserved() < units {
            if !self.expire_oldest(now) {
                *self = before;
                return Err("insufficient-stock");
            }
        }
        self.reservations.push((order.clone(), units, until));
        Ok(())
    }

    /// Removes the reservation of an order. Returns its units.
    fn remove(&mut self, order: &OrderRef) -> Result<i64, &'static str> {
        let index = self.find(order).ok_or("reservation-not-open")?;
        Ok(self.reservations.remove(index).1)
    }

    fn set(&mut self, units: i64) -> Result<(), &'static str> {
        if units < self.reserved() {
            return Err("stock-below-reserved");
        }
        self.units = units;
        Ok(())
    }

    fn expected_result(&mut self, command: &StockCommand, now: Timestamp) -> Result<(), &'static str> {
        match command {
            StockCommand::Count { on_hand } if *on_hand < 0 => Err("invalid-quantity"),
            StockCommand::Count { on_hand } => self.set(*on_hand),
            StockCommand::Adjust { change: 0, .. } => Err("invalid-quantity"),
            StockCommand::Adjust { change, .. } => self.set(self.units + change),
            StockCommand::Reserve { order, quantity, expires_at } => {
                self.reserve(order, i64::from(*quantity), *expires_at, now)
            }
            StockCommand::Release { order } => self.remove(order).map(drop),
            StockCommand::Confirm { order } => {
                let overdue = self.find(order).is_some_and(|index| self.reservations[index].2 <= now);
                if overdue {
                    return Err("reservation-expired");
                }
                self.units -= self.remove(order)?;
                Ok(())
            }
            StockCommand::ExpireDue => {
                while self.expire_oldest(now) {}
                Ok(())
            }
            StockCommand::Restock { quantity, .. } => {
                self.units += i64::from(*quantity);
                Ok(())
            }
        }
    }
}

/// Sums over the events: units on hand and units reserved.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    on_hand: i64,
    reserved: i64,
}

impl Sums {
    fn add(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Counted(event) => self.on_hand = event.on_hand,
            StockEvent::Adjusted(event) => self.on_hand += event.change,
            StockEvent::Restocked(event) => self.on_hand += i64::from(event.quantity),
            StockEvent::Reserved(event) => self.reserved += i64::from(event.quantity),
            StockEvent::Released(event) => self.reserved -= i64::from(event.quantity),
            StockEvent::Expired(event) => self.reserved -= i64::from(event.quantity),
            StockEvent::Confirmed(event) => {
                self.reserved -= i64::from(event.quantity);
                self.on_hand -= i64::from(event.quantity);
            }
        }
    }
}

fn order() -> impl Strategy<Value = OrderRef> {
    (0..5_u8).prop_map(|n| OrderRef::parse(&format!("o{n}")).unwrap())
}

fn act() -> impl Strategy<Value = Act> {
    let adjust = |change| StockCommand::Adjust { change, reason: String::new() };
    prop_oneof![
        1 => (-1..20_i64).prop_map(|on_hand| Act::Send(StockCommand::Count { on_hand })),
        2 => (-8..8_i64).prop_map(move |change| Act::Send(adjust(change))),
        6 => (order(), 0..8_u32, 1..60_i64).prop_map(|(order, units, seconds)| Act::Reserve(order, units, seconds)),
        2 => order().prop_map(|order| Act::Send(StockCommand::Release { order })),
        3 => order().prop_map(|order| Act::Send(StockCommand::Confirm { order })),
        1 => (order(), 1..4_u32).prop_map(|(order, quantity)| Act::Send(StockCommand::Restock { order, quantity })),
        1 => Just(Act::Send(StockCommand::ExpireDue)),
        3 => (0..40_i64).prop_map(Act::Wait),
    ]
}

proptest! {
    // Proves: inventory.never-oversold
    #[test]
    fn stock_is_never_oversold_and_agrees_with_the_model(acts in prop::collection::vec(act(), 1..80)) {
        let mut state = StockState::default();
        let mut shelf = Shelf::default();
        let mut sums = Sums::default();
        let mut now = noon();
        let mut confirmed: BTreeSet<OrderRef> = BTreeSet::new();
        for act in acts {
            let command = match act {
                Act::Wait(seconds) => {
                    now += SignedDuration::from_secs(seconds);
                    continue;
                }
                Act::Reserve(order, quantity, seconds) => {
                    StockCommand::Reserve { order, quantity, expires_at: now + SignedDuration::from_secs(seconds) }
                }
                Act::Send(command) => command,
            };
            let decided = Stock::decide(&state, &command, &context(1, now));
            let expected = shelf.expected_result(&command, now);
            prop_assert_eq!(decided.as_ref().map(drop).map_err(Rejection::code), expected, "{:?}", command);
            for event in decided.unwrap_or_default() {
                match &event {
                    StockEvent::Reserved(event) => { confirmed.remove(&event.order); }
                    StockEvent::Confirmed(event) => { confirmed.insert(event.order.clone()); }
                    StockEvent::Released(event) => prop_assert!(!confirmed.contains(&event.order)),
                    StockEvent::Expired(event) => prop_assert!(!confirmed.contains(&event.order)),
                    _ => {}
                }
                sums.add(&event);
                state = Stock::evolve(state, &event);
                prop_assert!(is_covered(state.on_hand(), state.reserved()) && state.available() >= 0);
            }
            let held: i64 = state.open.values().map(|held| i64::from(held.quantity)).sum();
            prop_assert_eq!(held, state.reserved());
            prop_assert_eq!(&sums, &Sums { on_hand: state.on_hand(), reserved: state.reserved() });
            prop_assert_eq!((state.on_hand(), state.reserved()), (shelf.units, shelf.reserved()));
            prop_assert_eq!(state.open.len(), shelf.reservations.len());
        }
    }
}
