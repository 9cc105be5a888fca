//! The whole shop against its promises, whatever happens in whatever order: answers late, doubled and
//! reordered, timers going off at any moment, buyers changing their minds, too few units for all.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod process;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use souk_domain::cart::CartCommand;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Draft, OrderCommand, OrderEvent, OrderStatus};
use souk_domain::payment::{PaymentCommand, PaymentEvent};
use souk_domain::stock::{StockCommand, StockEvent};
use souk_domain::{CartId, CustomerId, PaymentId};
use souk_eventsourcing::EventPayload;
use souk_eventsourcing::testkit::noon;
use souk_process_managers::ShopCommand;
use uuid::Uuid;

use souk_shop_model::drafts::{draft, sku};
use souk_shop_model::provider::TOKENS;
use world::{Action, World};

/// Units of each SKU: fewer than the orders ask for.
const ON_HAND: i64 = 6;
const ORDERS_MAX: usize = 5;

struct Shop {
    world: World,
    orders: Vec<Draft>,
    /// Orders from a cart that their request has not placed yet, and may never place.
    unplaced: Vec<Draft>,
}

impl Shop {
    fn open() -> Self {
        let mut world = World::new(noon());
        for n in 0..2 {
            world.ask(&ShopCommand::Stock(sku(n), StockCommand::Count { on_hand: ON_HAND }));
        }
        Self { world, orders: Vec::new(), unplaced: Vec::new() }
    }

    fn place(&mut self, how: u8) {
        let n = self.orders.len();
        if n >= ORDERS_MAX {
            return;
        }
        let is_from_cart = how % 7 < 3;
        let cart = is_from_cart.then(|| CartId(Uuid::from_u128(0x2000 + n as u128)));
        let draft = draft(n, how, None, cart, self.world.now);
        self.orders.push(draft.clone());
        let Some(cart) = cart else {
            self.world.ask(&ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
            return;
        };
        for line in &draft.lines {
            let (sku, product, quantity) = (line.sku.clone(), line.product, line.quantity);
            let (unit_price, customer) = (line.unit_price, None);
            let add = CartCommand::Add { sku, product, quantity, unit_price, customer };
            self.world.ask(&ShopCommand::Cart(cart, add));
        }
        self.world.ask(&ShopCommand::Cart(
            cart,
            CartCommand::CheckOut { draft: Box::new(draft.clone()), recalls: None },
        ));
        self.unplaced.push(draft);
    }

    /// Somebody outside does something.
    fn outside(&mut self, pick: u16, how: u8) {
        let what = pick % 16;
        if what < 5 {
            return self.place(how);
        }
        if self.orders.is_empty() {
            return;
        }
        let of = usize::from(pick / 16) % self.orders.len();
        let (order, total, lines) =
            (self.orders[of].order, self.orders[of].total, self.orders[of].reservations());
        let ask = |world: &mut World, command| world.ask(&ShopCommand::Order(order, command));
        match what {
            5 => {
                let reason =
                    Reason { code: ReasonCode::CancelledByCustomer, detail: "changed my mind".into() };
                ask(&mut self.world, OrderCommand::Cancel { reason });
            }
            6 => {
                ask(&mut self.world, OrderCommand::MarkPaidOutside);
            }
            7 | 8 if self.world.order(order).status() == Some(OrderStatus::PaymentPending) => {
                let token = TOKENS[usize::from(how) % TOKENS.len()].into();
                let request = PaymentCommand::Request { order, amount: total, token };
                self.world.ask(&ShopCommand::Payment(PaymentId::of(order), request));
            }
            9 => {
                ask(&mut self.world, OrderCommand::Ship { carrier: "post".into(), tracking: "1".into() });
                let tracking = Some("2".to_owned());
                ask(&mut self.world, OrderCommand::CorrectShipment { carrier: None, tracking });
                ask(&mut self.world, OrderCommand::Deliver);
            }
            10 => {
                let (sku, most) = lines[usize::from(how) % lines.len()].clone();
                let units = u32::from(how) % most + 1;
                ask(&mut self.world, OrderCommand::Return { lines: vec![(sku, units)] });
            }
            11 if !self.unplaced.is_empty() => {
                let draft = self.unplaced.remove(0);
                self.world.ask(&ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
            }
            12 => self.world.pass(i64::from(how) * 4),
            13 => {
                self.world.fire(usize::from(how));
            }
            14 => {
                self.see_to_a_debt();
                self.world.ask(&ShopCommand::Stock(sku(u32::from(how % 2)), StockCommand::ExpireDue));
            }
            _ if how.is_multiple_of(4) => {
                ask(&mut self.world, OrderCommand::Erase { person: order.guest() });
            }
            _ => {
                let customer = CustomerId::parse("ada").unwrap();
                let attach = OrderCommand::Attach { customer, email: None, shipping_address: None };
                ask(&mut self.world, attach);
            }
        }
    }

    fn step(&mut self, pick: u16, how: u8) {
        let actions = self.world.actions(false);
        if how < 60 || actions.is_empty() {
            return self.outside(pick, how.wrapping_mul(31).wrapping_add(pick.to_le_bytes()[1]));
        }
        let action = actions[usize::from(pick) % actions.len()].clone();
        self.world.act(&action, how.is_multiple_of(8));
        if matches!(action, Action::Read(_)) {
            for _ in 1..how % 6 {
                self.world.act(&action, false);
            }
        }
    }

    /// Staff has one refund or void tried again that the provider refused, at any moment.
    fn see_to_a_debt(&mut self) {
        let Some((payment, debt)) = self.world.books().debts(&self.orders).pop() else { return };
        self.world.ask(&ShopCommand::Payment(payment, PaymentCommand::RetryDebt { debt }));
    }

    /// Staff has every refund and void tried again that the provider refused.
    fn see_to_debts(&mut self) {
        for (payment, debt) in self.world.books().debts(&self.orders) {
            let answer = self.world.ask(&ShopCommand::Payment(payment, PaymentCommand::RetryDebt { debt }));
            assert!(matches!(answer, process::Answer::Done), "{answer:?}");
        }
        self.world.drain(true);
        assert_eq!(self.world.books().debts(&self.orders), []);
    }

    fn go_through(&mut self, choices: &[(u16, u8)]) {
        for (pick, how) in choices {
            self.step(*pick, *how);
            self.world.books().check_at_any_moment();
        }
    }
}

fn run(before: &[(u16, u8)], after: &[(u16, u8)]) -> Shop {
    let mut shop = Shop::open();
    shop.go_through(before);
    // At rest in between, so that much of what comes after concerns orders that are settled.
    shop.world.drain(false);
    shop.go_through(after);
    shop.world.drain(false);
    // Answers that never came do come, long after everybody stopped waiting.
    shop.world.drain(true);
    shop.see_to_debts();
    shop.world.books().check(&shop.orders, ON_HAND);
    shop
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_books_balance(
        before in prop::collection::vec(any::<(u16, u8)>(), 1..250),
        after in prop::collection::vec(any::<(u16, u8)>(), 0..60),
    ) {
        run(&before, &after);
    }
}

/// Guards the property above: runs that never get anywhere would balance too.
#[test]
fn such_runs_reach_every_event_that_the_shop_has() {
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bytes = random.to_be_bytes();
        (u16::from_be_bytes([bytes[0], bytes[1]]), bytes[2])
    };
    let mut reached = BTreeSet::new();
    for _ in 0..300 {
        let choices: Vec<_> = (0..260).map(|_| next()).collect();
        let log = run(&choices[..200], &choices[200..]).world.log;
        reached.extend(log.into_iter().map(|recorded| recorded.event.event_type.into_owned()));
    }
    // Nobody changes an address here, refunds for goodwill or pays a debt in another way; a debt whose earlier try
    // turns out to have succeeded is too rare for so few runs.
    let beside = [
        "order.address-changed",
        "payment.debt-settled",
        "payment.debt-withdrawn",
        "payment.refund-deferred",
        "payment.refund-doubled",
        "stock.adjusted",
    ];
    let all = [OrderEvent::event_types(), PaymentEvent::event_types(), StockEvent::event_types()].concat();
    let missed: Vec<_> =
        all.into_iter().filter(|of| !reached.contains(*of) && !beside.contains(of)).collect();
    assert!(missed.is_empty(), "{missed:?} never happened");
}
