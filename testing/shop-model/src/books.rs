//! Books of a shop: rules on stock and money that must hold in every run. All tests that simulate a shop
//! share them.

use std::collections::BTreeMap;

use souk_domain::cart::Cart;
use souk_domain::order::{Draft, Order, OrderEvent, OrderState, OrderStatus};
use souk_domain::payment::{Payment, PaymentState};
use souk_domain::stock::{Stock, StockState};
use souk_domain::{DebtId, OrderId, OrderRef, PaymentId, Sku};
use souk_eventsourcing::{Decider, RecordedEvent, StreamName};

use crate::drafts::sku;
use crate::provider::Provider;

/// Number of SKUs in the shop.
pub const SKUS: u32 = 2;

/// Log of the shop, and the provider with its own books.
pub struct Books<'a> {
    /// Events of the shop, in log order.
    pub log: &'a [RecordedEvent],
    /// Payment provider with its own books.
    pub provider: &'a Provider,
}

impl Books<'_> {
    /// Returns the state of an aggregate, folded from the log.
    pub fn state<D: Decider>(&self, stream: &StreamName) -> D::State {
        let of_stream = self.log.iter().filter(|recorded| recorded.stream == *stream && !recorded.is_noted());
        of_stream.fold(D::State::default(), |state, recorded| D::evolve(state, &recorded.decode().unwrap()))
    }

    /// Returns the state of an order.
    pub fn order(&self, order: OrderId) -> OrderState {
        self.state::<Order>(&Order::stream(order))
    }

    fn payment(&self, order: OrderId) -> PaymentState {
        self.state::<Payment>(&Payment::stream(PaymentId::of(order)))
    }

    /// Returns the refunds and voids of these orders that the provider declined and that staff have not
    /// retried, settled or withdrawn.
    pub fn debts(&self, orders: &[Draft]) -> Vec<(PaymentId, DebtId)> {
        let of_order = |draft: &Draft| {
            let debts = self.payment(draft.order).debts().into_iter();
            debts.map(|debt| (PaymentId::of(draft.order), debt)).collect::<Vec<_>>()
        };
        orders.iter().flat_map(of_order).collect()
    }

    /// Returns the state of the stock of a SKU.
    pub fn stock(&self, sku: &Sku) -> StockState {
        self.state::<Stock>(&StreamName::new(Stock::CATEGORY, sku.as_str()))
    }

    /// Returns the events of an order by revision.
    pub fn order_events(&self, order: OrderId) -> BTreeMap<u64, OrderEvent> {
        let stream = Order::stream(order);
        let of_order = self.log.iter().filter(|recorded| recorded.stream == stream && !recorded.is_noted());
        of_order.map(|recorded| (recorded.revision.0, recorded.decode().unwrap())).collect()
    }

    /// Checks the rule that holds after every step: no SKU has more reserved units than units on hand.
    pub fn check_after_step(&self) {
        for n in 0..SKUS {
            let stock = self.stock(&sku(n));
            assert!(
                stock.on_hand() >= stock.reserved() && stock.reserved() >= 0,
                "more units are reserved than on hand"
            );
        }
    }

    /// Checks the rules that hold when all processes have finished: orders are settled, and stock and money
    /// match them.
    pub fn check_at_rest(&self, orders: &[Draft], on_hand: i64) {
        self.check_stock(orders, on_hand);
        for draft in orders {
            self.check_order(draft);
        }
    }

    /// Returns the units of each SKU that were sold and not returned.
    fn sold(&self, orders: &[Draft]) -> BTreeMap<Sku, i64> {
        let mut sold = BTreeMap::new();
        for draft in orders {
            let status = self.order(draft.order).status();
            if matches!(status, None | Some(OrderStatus::Cancelled | OrderStatus::TimedOut)) {
                continue;
            }
            for (sku, units) in draft.reservations() {
                *sold.entry(sku).or_insert(0) += i64::from(units);
            }
            for event in self.order_events(draft.order).into_values() {
                let OrderEvent::Returned(event) = event else { continue };
                for line in event.reversal.lines {
                    *sold.entry(line.sku).or_insert(0) -= i64::from(line.quantity);
                }
            }
        }
        sold
    }

    /// Returns the amount that the provider should have captured for an order and not refunded, in minor
    /// units.
    fn expected_amount(&self, draft: &Draft) -> i64 {
        let mut expected = 0;
        for event in self.order_events(draft.order).into_values() {
            match event {
                OrderEvent::Confirmed(event) if !event.paid_outside => expected = draft.total.amount,
                OrderEvent::Cancelled(_) => expected = 0,
                OrderEvent::Returned(event) => {
                    expected -= event.reversal.refund.map_or(0, |refund| refund.amount);
                }
                _ => {}
            }
        }
        expected
    }

    fn check_stock(&self, orders: &[Draft], on_hand: i64) {
        let sold = self.sold(orders);
        for n in 0..2 {
            let stock = self.stock(&sku(n));
            assert_eq!(stock.on_hand(), on_hand - sold.get(&sku(n)).unwrap_or(&0), "{}", sku(n));
            for draft in orders {
                assert!(
                    stock.reservation(&OrderRef::from(draft.order)).is_none(),
                    "units stay reserved for a settled order"
                );
            }
        }
    }

    fn check_order(&self, draft: &Draft) {
        let status = self.order(draft.order).status().expect("a cart that was checked out becomes an order");
        assert!(status.is_settled(), "{} is {status:?}", draft.order);
        let mut events = self.order_events(draft.order).into_values();
        if events.any(|event| matches!(event, OrderEvent::CancellationRequested(_))) {
            let has_ended_early = matches!(status, OrderStatus::Cancelled | OrderStatus::TimedOut);
            assert!(has_ended_early, "{} has a cancellation request, but is {status:?}", draft.order);
        }
        let payment = self.payment(draft.order);
        let id = PaymentId::of(draft.order);
        payment.invariant().unwrap();
        assert!(!payment.is_held(), "the payment of {} is still held", draft.order);
        for hold in self.provider.holds.values().filter(|hold| hold.payment == id) {
            assert!(!hold.is_held, "the provider still holds money of {}", draft.order);
        }
        assert_eq!(
            self.provider.net_amount(id),
            self.expected_amount(draft),
            "{} is {status:?}",
            draft.order
        );
        assert_eq!(payment.net_captured(), self.expected_amount(draft), "{} is {status:?}", draft.order);
        if let Some(cart) = draft.cart {
            let stream = StreamName::new(Cart::CATEGORY, &cart.to_string());
            let mut events = self.order_events(draft.order).into_values();
            let was_confirmed = events.any(|event| matches!(event, OrderEvent::Confirmed(_)));
            let is_empty = self.state::<Cart>(&stream).is_empty();
            assert_eq!(
                is_empty, was_confirmed,
                "exactly the lines of a failed order go back to its cart: {status:?}"
            );
        }
    }
}
