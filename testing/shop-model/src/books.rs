//! The books of a shop: what must hold whatever happened, said once for every test that makes things happen.

use std::collections::BTreeMap;

use souk_domain::cart::Cart;
use souk_domain::order::{Draft, Order, OrderEvent, OrderState, OrderStatus};
use souk_domain::payment::{Payment, PaymentState};
use souk_domain::stock::{Stock, StockState};
use souk_domain::{DebtId, OrderId, OrderRef, PaymentId, Sku};
use souk_eventsourcing::{Decider, RecordedEvent, StreamName};

use crate::drafts::sku;
use crate::provider::Provider;

/// SKUs that are sold.
pub const SKUS: u32 = 2;

/// A log, and what the provider says.
pub struct Books<'a> {
    /// The log of the shop.
    pub log: &'a [RecordedEvent],
    /// The provider with its own books.
    pub provider: &'a Provider,
}

impl Books<'_> {
    /// The state of an aggregate, folded from the bytes in the log.
    pub fn state<D: Decider>(&self, stream: &StreamName) -> D::State {
        let of_stream = self.log.iter().filter(|recorded| recorded.stream == *stream && !recorded.is_noted());
        of_stream.fold(D::State::default(), |state, recorded| D::evolve(state, &recorded.decode().unwrap()))
    }

    /// The state of an order.
    pub fn order(&self, order: OrderId) -> OrderState {
        self.state::<Order>(&Order::stream(order))
    }

    fn payment(&self, order: OrderId) -> PaymentState {
        self.state::<Payment>(&Payment::stream(PaymentId::of(order)))
    }

    /// Refunds and voids of these orders that failed, and that nobody has seen to.
    pub fn debts(&self, orders: &[Draft]) -> Vec<(PaymentId, DebtId)> {
        let of_order = |draft: &Draft| {
            let debts = self.payment(draft.order).debts().into_iter();
            debts.map(|debt| (PaymentId::of(draft.order), debt)).collect::<Vec<_>>()
        };
        orders.iter().flat_map(of_order).collect()
    }

    /// The state of the stock of a SKU.
    pub fn stock(&self, sku: &Sku) -> StockState {
        self.state::<Stock>(&StreamName::new(Stock::CATEGORY, sku.as_str()))
    }

    /// The events of an order.
    pub fn order_events(&self, order: OrderId) -> BTreeMap<u64, OrderEvent> {
        let stream = Order::stream(order);
        let of_order = self.log.iter().filter(|recorded| recorded.stream == stream && !recorded.is_noted());
        of_order.map(|recorded| (recorded.revision.0, recorded.decode().unwrap())).collect()
    }

    /// At any moment: no more is held than is there.
    pub fn check_at_any_moment(&self) {
        for n in 0..SKUS {
            let stock = self.stock(&sku(n));
            assert!(stock.on_hand() >= stock.reserved() && stock.reserved() >= 0, "oversold");
        }
    }

    /// At rest: everything that was begun has come to its end.
    pub fn check(&self, orders: &[Draft], on_hand: i64) {
        self.check_stock(orders, on_hand);
        for draft in orders {
            self.check_order(draft);
        }
    }

    /// What was sold of each SKU and not brought back.
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

    /// What the provider should have kept for an order.
    fn due(&self, draft: &Draft) -> i64 {
        let mut due = 0;
        for event in self.order_events(draft.order).into_values() {
            match event {
                OrderEvent::Confirmed(event) if !event.paid_outside => due = draft.total.amount,
                OrderEvent::Cancelled(_) => due = 0,
                OrderEvent::Returned(event) => due -= event.reversal.refund.map_or(0, |refund| refund.amount),
                _ => {}
            }
        }
        due
    }

    fn check_stock(&self, orders: &[Draft], on_hand: i64) {
        let sold = self.sold(orders);
        for n in 0..2 {
            let stock = self.stock(&sku(n));
            assert_eq!(stock.on_hand(), on_hand - sold.get(&sku(n)).unwrap_or(&0), "{}", sku(n));
            for draft in orders {
                assert!(stock.reservation(&OrderRef::from(draft.order)).is_none(), "units are held for ever");
            }
        }
    }

    fn check_order(&self, draft: &Draft) {
        let status = self.order(draft.order).status().expect("a checked-out cart becomes an order");
        assert!(status.is_settled(), "{} is {status:?}", draft.order);
        let mut events = self.order_events(draft.order).into_values();
        if events.any(|event| matches!(event, OrderEvent::CancellationRequested(_))) {
            let is_over = matches!(status, OrderStatus::Cancelled | OrderStatus::TimedOut);
            assert!(is_over, "{} was not wanted any more and is {status:?}", draft.order);
        }
        let (payment, id) = (self.payment(draft.order), PaymentId::of(draft.order));
        payment.invariant().unwrap();
        assert!(!payment.is_held(), "money of {} is held for ever", draft.order);
        for hold in self.provider.holds.values().filter(|hold| hold.payment == id) {
            assert!(!hold.is_held, "the provider holds money of {} for ever", draft.order);
        }
        assert_eq!(self.provider.kept(id), self.due(draft), "{} is {status:?}", draft.order);
        assert_eq!(payment.kept(), self.due(draft), "{} is {status:?}", draft.order);
        if let Some(cart) = draft.cart {
            let stream = StreamName::new(Cart::CATEGORY, &cart.to_string());
            let was_reversed = self.order_events(draft.order).into_values();
            let was_confirmed =
                was_reversed.into_iter().any(|event| matches!(event, OrderEvent::Confirmed(_)));
            let is_empty = self.state::<Cart>(&stream).is_empty();
            assert_eq!(is_empty, was_confirmed, "a failed order's lines are back in its cart: {status:?}");
        }
    }
}
