//! Properties of an order: its status moves only forward, no unit is taken back twice, and no money is
//! refunded twice, whatever commands arrive in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use souk_eventsourcing::testkit::{context, fold, noon};

use super::event::{Placed, Reason, ReasonCode, Reversal};
use super::tests::{ORDER, assembled, delivered, line, sku};
use super::*;
use crate::history::History;
use crate::{CustomerId, Sku};

/// Status changes that an event may cause.
const TRANSITIONS: [(OrderStatus, OrderStatus); 11] = [
    (OrderStatus::Placed, OrderStatus::PaymentPending),
    (OrderStatus::Placed, OrderStatus::Cancelled),
    (OrderStatus::Placed, OrderStatus::TimedOut),
    (OrderStatus::PaymentPending, OrderStatus::Confirmed),
    (OrderStatus::PaymentPending, OrderStatus::Cancelled),
    (OrderStatus::PaymentPending, OrderStatus::TimedOut),
    (OrderStatus::Confirmed, OrderStatus::Shipped),
    (OrderStatus::Confirmed, OrderStatus::Cancelled),
    (OrderStatus::Shipped, OrderStatus::Delivered),
    (OrderStatus::Shipped, OrderStatus::Returned),
    (OrderStatus::Delivered, OrderStatus::Returned),
];

/// Returns an order of 9 units of 3 SKUs, for 1,900 pence.
fn draft() -> Draft {
    assembled(vec![line("A", 3, 200), line("B", 4, 150), line("C", 1, 300), line("A", 1, 400)]).unwrap()
}

fn command() -> impl Strategy<Value = OrderCommand> {
    let reason = |code| Reason { code, detail: "".into() };
    let cancel = OrderCommand::Cancel { reason: reason(ReasonCode::CancelledByShop) };
    let fail = move |code| OrderCommand::Fail { reason: reason(code), failed_skus: Vec::new() };
    let customer = CustomerId::parse("ada").unwrap();
    let attach = OrderCommand::Attach { customer, email: None, shipping_address: Some(Box::default()) };
    let units = ("[A-D]", 0..3_u32).prop_map(|(text, units)| (sku(&text), units));
    let text = || "[ab]";
    prop_oneof![
        1 => Just(OrderCommand::Place(Box::new(draft()))),
        4 => Just(OrderCommand::AwaitPayment),
        1 => Just(cancel),
        1 => Just(OrderCommand::MarkPaidOutside),
        4 => any::<bool>().prop_map(|paid_outside| OrderCommand::Confirm { paid_outside }),
        1 => Just(fail(ReasonCode::PaymentTimedOut)),
        1 => Just(fail(ReasonCode::InsufficientStock)),
        4 => (text(), text()).prop_map(|(carrier, tracking)| OrderCommand::Ship { carrier, tracking }),
        1 => (prop::option::of(text()), prop::option::of(text()))
            .prop_map(|(carrier, tracking)| OrderCommand::CorrectShipment { carrier, tracking }),
        2 => Just(OrderCommand::Deliver),
        6 => prop::collection::vec(units, 0..4).prop_map(|lines| OrderCommand::Return { lines }),
        1 => Just(OrderCommand::ChangeAddress { address: Box::default() }),
        1 => Just(attach),
        1 => Just(OrderCommand::Erase { person: ORDER.guest() }),
    ]
}

/// Units and money that the events of an order gave back.
#[derive(Default)]
struct GivenBack {
    units: BTreeMap<Sku, u32>,
    money: i64,
}

impl GivenBack {
    fn add(&mut self, reversal: &Reversal) {
        for line in &reversal.lines {
            *self.units.entry(line.sku.clone()).or_default() += line.quantity;
        }
        self.money += reversal.refund.map_or(0, |refund| refund.amount);
    }
}

proptest! {
    /// An order begins once, its status moves only along the transitions, and it belongs to one customer at
    /// most. A repeated command appends nothing, except an address or a return.
    // Proves: orders.status-transitions
    #[test]
    fn an_order_moves_only_along_its_transitions(commands in prop::collection::vec(command(), 0..60)) {
        let mut order = History::<Order>::default();
        order.send(1, &OrderCommand::Place(Box::new(draft()))).unwrap();
        let mut is_erased = false;
        let mut is_attached = false;
        for (n, command) in (2..).zip(commands) {
            let mut before = order.state.clone();
            for event in order.send(n, &command).unwrap_or_default() {
                match &event {
                    OrderEvent::Placed(_) => prop_assert!(false, "placed again"),
                    OrderEvent::Attached(_) => prop_assert!(!is_erased && !std::mem::replace(&mut is_attached, true)),
                    OrderEvent::Erased(_) => prop_assert!(!std::mem::replace(&mut is_erased, true)),
                    _ => {}
                }
                let after = Order::evolve(before.clone(), &event);
                let change = (before.status().unwrap(), after.status().unwrap());
                prop_assert!(change.0 == change.1 || TRANSITIONS.contains(&change), "{:?}", change);
                before = after;
            }
            let may_repeat = matches!(command, OrderCommand::ChangeAddress { .. } | OrderCommand::Return { .. });
            prop_assert!(may_repeat || order.is_unchanged_by(n, &command), "{:?}", command);
        }
        prop_assert_eq!(order.state_after_restart(), order.state);
    }

    /// Cancellations and returns never give back more units or money than were sold. An order that ended
    /// after its confirmation gave back everything, but no money if it was paid outside the shop.
    // Proves: orders.returns-at-most-sold
    #[test]
    fn an_order_gives_back_at_most_what_was_sold(commands in prop::collection::vec(command(), 0..60)) {
        let mut order = History::<Order>::default();
        let sold: BTreeMap<Sku, u32> = draft().reservations().into_iter().collect();
        let mut back = GivenBack::default();
        let mut paid_outside = false;
        let mut has_given_back = false;
        let place = OrderCommand::Place(Box::new(draft()));
        for (n, command) in (1..).zip(std::iter::once(place).chain(commands)) {
            for event in order.send(n, &command).unwrap_or_default() {
                match &event {
                    OrderEvent::Confirmed(event) => paid_outside = event.paid_outside,
                    OrderEvent::Cancelled(event) => event.reversal.iter().for_each(|all| back.add(all)),
                    OrderEvent::Returned(event) => back.add(&event.reversal),
                    _ => {}
                }
                has_given_back |= matches!(&event, OrderEvent::Cancelled(event) if event.reversal.is_some());
                has_given_back |= matches!(&event, OrderEvent::Returned(event) if event.complete);
            }
            prop_assert!(back.units.iter().all(|(sku, units)| *units <= sold[sku]), "{:?}", back.units);
            let refundable = if paid_outside { 0 } else { draft().total.amount };
            prop_assert!(back.money <= refundable, "{} of {}", back.money, refundable);
        }
        if has_given_back {
            prop_assert_eq!(back.units, sold);
            prop_assert_eq!(back.money, if paid_outside { 0 } else { draft().total.amount });
        }
    }

    /// Compares returns with a simple model: the units that the buyer still has. No sequence of returns takes
    /// back more units than were sold, and the refunds of all returns together are exactly the total.
    // Proves: orders.returns-at-most-sold
    #[test]
    fn all_returns_together_refund_the_total(
        lines in prop::collection::vec((0..4_u8, 1..5_u32, 0..900_i64), 1..8),
        returns in prop::collection::vec((0..4_u8, 1..4_u32), 0..40),
    ) {
        let lines = lines.into_iter().map(|(n, units, price)| line(&n.to_string(), units, price)).collect();
        let draft = assembled(lines).unwrap();
        let mut with_buyer: std::collections::BTreeMap<_, _> = draft.reservations().into_iter().collect();
        let total = draft.total.amount;
        let mut paid_back = 0;
        let mut history = delivered();
        history[0] = Placed { draft }.into();
        let mut state = fold::<Order>(&history);
        let all_the_rest = (0..4_u8).flat_map(|n| [(n, 1); 40]);
        for (n, units) in returns.into_iter().chain(all_the_rest) {
            let sku = sku(&n.to_string());
            let left = with_buyer.get(&sku).copied().unwrap_or(0);
            let command = OrderCommand::Return { lines: vec![(sku.clone(), units)] };
            let Ok(events) = Order::decide(&state, &command, &context(1, noon())) else {
                prop_assert!(units > left || state.status() == Some(OrderStatus::Returned));
                continue;
            };
            prop_assert!(units <= left);
            with_buyer.insert(sku, left - units);
            for event in events {
                let OrderEvent::Returned(back) = &event else { panic!("{event:?}") };
                paid_back += back.reversal.refund.map_or(0, |refund| refund.amount);
                prop_assert!(paid_back <= total);
                state = Order::evolve(state, &event);
            }
        }
        prop_assert_eq!(state.status(), Some(OrderStatus::Returned));
        prop_assert_eq!(paid_back, total);
    }
}
