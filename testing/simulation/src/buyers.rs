//! Those outside: they order, change their minds, and ask again until they are answered.

use souk_domain::cart::CartCommand;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Draft, OrderCommand, OrderStatus};
use souk_domain::stock::StockCommand;
use souk_domain::user::UserCommand;
use souk_domain::user::command::Registration;
use souk_domain::user::event::{Entry, UserRole};
use souk_domain::{CartId, Email, EmailHash, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandId, CorrelationId};
use souk_process_managers::ShopCommand;
use uuid::Uuid;

use crate::desk::Wanted;
use crate::world::{From, Task, World};
use souk_shop_model::books::SKUS;
use souk_shop_model::drafts::{NAME, address, draft, sku};

const ORDERS_MAX: usize = 6;
/// Customers with an account.
const CUSTOMERS: u8 = 3;

fn user(n: u8) -> UserId {
    UserId(Uuid::from_u128(0x3000 + u128::from(n)))
}

/// Where a request comes from.
pub(crate) fn origin(id: CommandId) -> Origin {
    Origin::new(id.0, Actor::new("test", "buyer"), CorrelationId::from(id.0))
}

impl World {
    /// Somebody outside asks for something, and asks again until there is an answer.
    pub(crate) fn ask(&mut self, command: impl Into<Wanted>) {
        let command = command.into();
        self.commands += 1;
        let id = command.id().unwrap_or(CommandId(Uuid::from_u128(self.commands)));
        self.unanswered.insert(id, command.clone());
        self.tasks.push(Task::Send(command, origin(id), From::Outside(id)));
    }

    /// One of them does something.
    pub(crate) fn outside(&mut self) {
        let (pick, how) = (self.chance.below(20), self.chance.next().to_le_bytes()[0]);
        if pick < 6 {
            return self.place(how);
        }
        if self.orders.is_empty() {
            return;
        }
        let order = self.order_for(pick);
        let to_order = |command| ShopCommand::Order(order.order, command);
        match pick {
            6 if self.chance.once_in(3) => {
                let code = ReasonCode::CancelledByCustomer;
                let detail = "changed my mind".into();
                self.ask(to_order(OrderCommand::Cancel { reason: Reason { code, detail } }));
            }
            7 => self.ask(to_order(OrderCommand::MarkPaidOutside)),
            8 | 16 => self.ask(to_order(OrderCommand::Ship { carrier: "post".into(), tracking: "1".into() })),
            9 | 17 => self.ask(to_order(OrderCommand::Deliver)),
            10 | 18 => {
                let (sku, most) = order.reservations()[0].clone();
                let lines = vec![(sku, u32::from(how) % most + 1)];
                self.ask(to_order(OrderCommand::Return { lines }));
            }
            12 => {
                let address = Box::new(address(&format!("{NAME}-{how}")));
                self.ask(to_order(OrderCommand::ChangeAddress { address }));
            }
            13 => self.change_account(how),
            14 => self.attach(&order, user(how % CUSTOMERS)),
            15 if self.chance.once_in(6) => self.erase(&order),
            11 if !self.unplaced.is_empty() => {
                let draft = self.unplaced.remove(0);
                self.ask(ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
            }
            _ => self.ask(ShopCommand::Stock(sku(u32::from(how) % SKUS), StockCommand::ExpireDue)),
        }
    }

    /// An order; for staff one that can be shipped, delivered or returned, when there is one.
    fn order_for(&mut self, pick: usize) -> Draft {
        let wanted = match pick {
            16 => Some(OrderStatus::Confirmed),
            17 => Some(OrderStatus::Shipped),
            18 => Some(OrderStatus::Delivered),
            _ => None,
        };
        let fitting: Vec<Draft> = wanted.map_or_else(Vec::new, |wanted| {
            let has_it = |order: &&Draft| self.books().order(order.order).status() == Some(wanted);
            self.orders.iter().filter(has_it).cloned().collect()
        });
        let among = if fitting.is_empty() { &self.orders } else { &fitting };
        among[self.chance.below(among.len())].clone()
    }

    /// Everybody who has an account by the end makes it now.
    pub(crate) fn sign_up(&mut self) {
        for n in 0..CUSTOMERS {
            let email = Email::parse(&format!("{NAME}-{n}@example.org")).unwrap();
            let email_hash = EmailHash::parse(&format!("{n:064x}")).unwrap();
            let (user, name) = (user(n), NAME.to_owned());
            let role = UserRole::Customer;
            let registration = Registration { user, email, email_hash, name, is_verified: true, role };
            self.ask(Wanted::User(user, UserCommand::Register(Box::new(registration))));
        }
    }

    fn change_account(&mut self, how: u8) {
        let user = user(how % CUSTOMERS);
        let (name, phone) = (format!("{NAME}-{how}"), String::new());
        let command = if how.is_multiple_of(2) {
            UserCommand::ChangeProfile { user, name, phone }
        } else {
            let entry = Box::new(Entry { label: NAME.to_owned(), address: address(&name) });
            UserCommand::AddAddress { user, entry, is_default: how.is_multiple_of(3) }
        };
        self.ask(Wanted::User(user, command));
    }

    /// A guest's order becomes that of a customer, whose address was verified: done by a sweep that does
    /// one thing after another, erasures among them.
    fn attach(&mut self, order: &Draft, user: UserId) {
        // The token of a payment that is under way is sealed under the guest's key.
        let is_settled = self.books().order(order.order).status().is_some_and(OrderStatus::is_settled);
        let is_guests =
            is_settled && order.customer.is_none() && !self.disk.keys.is_erased(&order.order.guest());
        if !is_guests || !self.is_user(user) || self.disk.keys.is_erased(&user.person()) {
            return;
        }
        let email = Some(Email::parse(&format!("{NAME}@example.org")).unwrap());
        let shipping_address = order.shipping_address.is_some().then(|| Box::new(address(NAME)));
        let attach = OrderCommand::Attach { customer: user.customer(), email, shipping_address };
        self.ask(ShopCommand::Order(order.order, attach));
        if self.settle_requests() && self.chance.once_in(2) {
            self.disk.keys.erase(order.order.guest());
        }
    }

    /// Whoever ordered wants to be forgotten.
    fn erase(&mut self, order: &Draft) {
        match order.customer.as_ref().and_then(UserId::of_customer) {
            Some(user) if self.is_user(user) => self.disk.keys.erase(user.person()),
            Some(_) => {}
            None => self.disk.keys.erase(order.order.guest()),
        }
    }

    /// An order is placed, from a cart or not.
    pub(crate) fn place(&mut self, how: u8) {
        let n = self.orders.len();
        if n >= ORDERS_MAX {
            return;
        }
        let cart = (how % 7 < 3).then(|| CartId(Uuid::from_u128(0x2000 + n as u128)));
        let customer = (how % 5 < 2).then(|| user(how % CUSTOMERS));
        // The session of an erased customer ends; a request that is under way may still come.
        let is_gone = customer.is_some_and(|user| self.disk.keys.is_erased(&user.person()));
        let customer = if is_gone && !self.chance.once_in(4) { None } else { customer };
        let customer = customer.map(UserId::customer);
        let draft = draft(n, how, customer, cart, self.now);
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
        self.ask(ShopCommand::Cart(
            cart,
            CartCommand::CheckOut { draft: Box::new(draft.clone()), recalls: None },
        ));
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
