//! Those outside: they order, change their minds, and ask again until they are answered.

use souk_domain::cart::CartCommand;
use souk_domain::order::OrderCommand;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::stock::StockCommand;
use souk_domain::{CartId, CustomerId, ShopCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::{Actor, CommandId, CorrelationId};
use uuid::Uuid;

use crate::books::SKUS;
use crate::drafts::{draft, sku};
use crate::world::{From, Task, World};

const ORDERS_MAX: usize = 6;

/// Where a request comes from.
pub(crate) fn origin(id: CommandId) -> Origin {
    Origin::new(id.0, Actor::new("test", "buyer"), CorrelationId::from(id.0))
}

impl World {
    /// Somebody outside asks for something, and asks again until there is an answer.
    pub(crate) fn ask(&mut self, command: ShopCommand) {
        self.commands += 1;
        let id = command.id().unwrap_or(CommandId(Uuid::from_u128(self.commands)));
        self.unanswered.insert(id, command.clone());
        self.tasks.push(Task::Send(command, origin(id), From::Outside(id)));
    }

    /// One of them does something.
    pub(crate) fn outside(&mut self) {
        let (pick, how) = (self.chance.below(16), self.chance.next().to_le_bytes()[0]);
        if pick < 6 {
            return self.place(how);
        }
        if self.orders.is_empty() {
            return;
        }
        let order = self.orders[self.chance.below(self.orders.len())].clone();
        let to_order = |command| ShopCommand::Order(order.order, command);
        match pick {
            6 => {
                let (code, detail) = (ReasonCode::CancelledByCustomer, "changed my mind".to_owned());
                self.ask(to_order(OrderCommand::Cancel { reason: Reason { code, detail } }));
            }
            7 => self.ask(to_order(OrderCommand::MarkPaidOutside)),
            8 => self.ask(to_order(OrderCommand::Ship { carrier: "post".into(), tracking: "1".into() })),
            9 => self.ask(to_order(OrderCommand::Deliver)),
            10 => {
                let (sku, most) = order.reservations()[0].clone();
                let lines = vec![(sku, u32::from(how) % most + 1)];
                self.ask(to_order(OrderCommand::Return { lines }));
            }
            14 => {
                let customer = CustomerId::parse("ada").expect("a name is allowed");
                self.ask(to_order(OrderCommand::Attach { customer, email: None, shipping_address: None }));
            }
            15 => self.ask(to_order(OrderCommand::Erase { person: order.order.guest() })),
            11 if !self.unplaced.is_empty() => {
                let draft = self.unplaced.remove(0);
                self.ask(ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
            }
            _ => self.ask(ShopCommand::Stock(sku(u32::from(how) % SKUS), StockCommand::ExpireDue)),
        }
    }

    /// An order is placed, from a cart or not.
    pub(crate) fn place(&mut self, how: u8) {
        let n = self.orders.len();
        if n >= ORDERS_MAX {
            return;
        }
        let cart = (how % 7 < 3).then(|| CartId(Uuid::from_u128(0x2000 + n as u128)));
        let draft = draft(n, how, cart, self.now);
        let Some(cart) = cart else {
            self.orders.push(draft.clone());
            return self.ask(ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
        };
        // What goes before is done before: a buyer orders what is in the cart.
        for line in &draft.lines {
            let (sku, product, quantity) = (line.sku.clone(), line.product, line.quantity);
            let add =
                CartCommand::Add { sku, product, quantity, unit_price: line.unit_price, customer: None };
            self.ask(ShopCommand::Cart(cart, add));
        }
        if !self.settle_requests() {
            return;
        }
        self.ask(ShopCommand::Cart(cart, CartCommand::CheckOut { draft: Box::new(draft.clone()) }));
        if !self.settle_requests() {
            return;
        }
        self.orders.push(draft.clone());
        self.unplaced.push(draft);
    }

    /// Lets the shop work until those outside have their answers, kills included.
    fn settle_requests(&mut self) -> bool {
        for _ in 0..2_000 {
            if self.unanswered.is_empty() {
                return true;
            }
            let is_stuck = !self.disk.is_open() || self.disk.is_full;
            if is_stuck || (self.with_faults && self.chance.once_in(300)) {
                self.kill();
            }
            self.work();
        }
        panic!("those outside get no answer: {:?}", self.unanswered);
    }
}
