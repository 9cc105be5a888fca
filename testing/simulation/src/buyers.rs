//! Requests of buyers and staff. Buyers and staff place, change and cancel orders, and repeat each request
//! until it is answered.

use souk_domain::cart::{Cart, CartCommand};
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Draft, Order, OrderCommand, OrderStatus};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::{Entry, UserRole};
use souk_domain::user::{User, UserCommand};
use souk_domain::{AggregateCommand, CartId, Email, EmailHash, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::ProcessCommand as _;
use souk_eventsourcing::{Actor, CommandId, CorrelationId};
use uuid::Uuid;

use crate::task::{Sender, Task};
use crate::world::World;
use souk_shop_model::books::SKUS;
use souk_shop_model::drafts::{NAME, address, draft, sku};

const ORDERS_MAX: usize = 6;
/// Number of customers with an account.
const CUSTOMERS: u8 = 3;

fn user(n: u8) -> UserId {
    UserId(Uuid::from_u128(0x3000 + u128::from(n)))
}

/// Returns the origin of a request with this command id.
pub(crate) fn origin(id: CommandId) -> Origin {
    Origin::new(id.0, Actor::new("test", "buyer"), CorrelationId::from(id.0))
}

impl World {
    /// Sends a request of a buyer, of staff or of the provider. It is repeated until it is answered.
    pub(crate) fn request(&mut self, command: AggregateCommand) {
        self.commands += 1;
        let id = command.id().unwrap_or(CommandId(Uuid::from_u128(self.commands)));
        self.unanswered.insert(id, command.clone());
        self.tasks.push(Task::Send(command, origin(id), Sender::Outside(id)));
    }

    /// Makes a random request of a buyer or of staff.
    pub(crate) fn random_request(&mut self) {
        let pick = self.chance.below(20);
        let variant = self.chance.next().to_le_bytes()[0];
        if pick < 6 {
            return self.place(variant);
        }
        if self.orders.is_empty() {
            return;
        }
        let order = self.order_for(pick);
        let to_order = |command| AggregateCommand::Order(Order::stream(order.order), command);
        match pick {
            6 if self.chance.once_in(3) => {
                let code = ReasonCode::CancelledByCustomer;
                let detail = "changed my mind".into();
                self.request(to_order(OrderCommand::Cancel { reason: Reason { code, detail } }));
            }
            7 => self.request(to_order(OrderCommand::MarkPaidOutside)),
            8 | 16 => {
                self.request(to_order(OrderCommand::Ship { carrier: "post".into(), tracking: "1".into() }));
            }
            9 | 17 => self.request(to_order(OrderCommand::Deliver)),
            10 | 18 => {
                let (sku, ordered) = order.reservations()[0].clone();
                let lines = vec![(sku, u32::from(variant) % ordered + 1)];
                self.request(to_order(OrderCommand::Return { lines }));
            }
            12 => {
                let address = Box::new(address(&format!("{NAME}-{variant}")));
                self.request(to_order(OrderCommand::ChangeAddress { address }));
            }
            13 => self.change_account(variant),
            14 => self.attach(&order, user(variant % CUSTOMERS)),
            15 if self.chance.once_in(6) => self.erase(&order),
            11 if !self.unplaced.is_empty() => {
                let draft = self.unplaced.remove(0);
                self.request(AggregateCommand::Order(
                    Order::stream(draft.order),
                    OrderCommand::Place(Box::new(draft)),
                ));
            }
            _ => self.request(AggregateCommand::Stock(
                Stock::stream(&sku(u32::from(variant) % SKUS)),
                StockCommand::ExpireDue,
            )),
        }
    }

    /// Returns a random order. Half of the requests to ship, deliver or return (16, 17 and 18) get an order
    /// with the right status if there is one.
    fn order_for(&mut self, pick: usize) -> Draft {
        let required_status = match pick {
            16 => Some(OrderStatus::Confirmed),
            17 => Some(OrderStatus::Shipped),
            18 => Some(OrderStatus::Delivered),
            _ => None,
        };
        let matching: Vec<Draft> = required_status.map_or_else(Vec::new, |required| {
            let has_status = |order: &&Draft| self.books().order(order.order).status() == Some(required);
            self.orders.iter().filter(has_status).cloned().collect()
        });
        let candidates = if matching.is_empty() { &self.orders } else { &matching };
        candidates[self.chance.below(candidates.len())].clone()
    }

    /// Registers all customers, and claims their e-mail addresses.
    pub(crate) fn sign_up(&mut self) {
        for n in 0..CUSTOMERS {
            let email = Email::parse(&format!("{NAME}-{n}@example.org")).unwrap();
            let email_hash = EmailHash::parse(&format!("{n:064x}")).unwrap();
            let user = user(n);
            let name = NAME.to_owned();
            let role = UserRole::Customer;
            let claim = ClaimCommand::Claim { owner: User::stream(user).to_string(), epoch: 0 };
            self.request(AggregateCommand::Claim(Claim::of_email(&email_hash), claim));
            let registration = Registration { user, email, email_hash, name, is_verified: true, role };
            self.request(AggregateCommand::User(
                User::stream(user),
                UserCommand::Register(Box::new(registration)),
            ));
        }
    }

    fn change_account(&mut self, variant: u8) {
        let user = user(variant % CUSTOMERS);
        let name = format!("{NAME}-{variant}");
        let command = if variant.is_multiple_of(2) {
            UserCommand::ChangeProfile { user, name, phone: String::new() }
        } else {
            let entry = Box::new(Entry { label: NAME.to_owned(), address: address(&name) });
            UserCommand::AddAddress { user, entry, is_default: variant.is_multiple_of(3) }
        };
        self.request(AggregateCommand::User(User::stream(user), command));
    }

    /// Attaches a guest's order to a customer whose e-mail address is verified. In the shop, a sweep does
    /// this, possibly at the same time as other work such as an erasure.
    fn attach(&mut self, order: &Draft, user: UserId) {
        // The payment token of an order that is not settled is sealed with the guest's key. So the order
        // keeps this key until it is settled.
        let is_settled = self.books().order(order.order).status().is_some_and(OrderStatus::is_settled);
        let can_be_attached =
            is_settled && order.customer.is_none() && !self.disk.keys.is_erased(&order.order.guest());
        if !can_be_attached || !self.is_user(user) || self.disk.keys.is_erased(&user.person()) {
            return;
        }
        let email = Some(Email::parse(&format!("{NAME}@example.org")).unwrap());
        let shipping_address = order.shipping_address.is_some().then(|| Box::new(address(NAME)));
        let attach = OrderCommand::Attach { customer: user.customer(), email, shipping_address };
        self.request(AggregateCommand::Order(Order::stream(order.order), attach));
        if self.work_until_answered() && self.chance.once_in(2) {
            self.disk.keys.erase(order.order.guest());
        }
    }

    /// Erases the person who placed the order.
    fn erase(&mut self, order: &Draft) {
        match order.customer.as_ref().and_then(UserId::of_customer) {
            Some(user) if self.is_user(user) => self.disk.keys.erase(user.person()),
            Some(_) => {}
            None => self.disk.keys.erase(order.order.guest()),
        }
    }

    /// Places an order directly, or checks out a cart. A later request places the order of the cart.
    pub(crate) fn place(&mut self, variant: u8) {
        let n = self.orders.len();
        if n >= ORDERS_MAX {
            return;
        }
        let cart = (variant % 7 < 3).then(|| CartId(Uuid::from_u128(0x2000 + n as u128)));
        let customer = (variant % 5 < 2).then(|| user(variant % CUSTOMERS));
        // The session of an erased customer has ended, but a request that was sent before may still arrive.
        let is_erased = customer.is_some_and(|user| self.disk.keys.is_erased(&user.person()));
        let customer = if is_erased && !self.chance.once_in(4) { None } else { customer };
        let customer = customer.map(UserId::customer);
        let draft = draft(n, variant, customer, cart, self.now);
        let Some(cart) = cart else {
            self.orders.push(draft.clone());
            return self.request(AggregateCommand::Order(
                Order::stream(draft.order),
                OrderCommand::Place(Box::new(draft)),
            ));
        };
        // The cart must have its lines before the buyer checks it out.
        for line in &draft.lines {
            let add = CartCommand::Add {
                sku: line.sku.clone(),
                product: line.product,
                quantity: line.quantity,
                unit_price: line.unit_price,
                customer: None,
            };
            self.request(AggregateCommand::Cart(Cart::stream(cart), add));
        }
        if !self.work_until_answered() {
            return;
        }
        self.request(AggregateCommand::Cart(
            Cart::stream(cart),
            CartCommand::CheckOut { draft: Box::new(draft.clone()) },
        ));
        if !self.work_until_answered() {
            return;
        }
        self.orders.push(draft.clone());
        self.unplaced.push(draft);
    }

    /// Lets the shop work until all requests are answered, and kills it now and then. Returns true.
    ///
    /// # Panics
    /// If the requests are not answered after many steps.
    fn work_until_answered(&mut self) -> bool {
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
        panic!("requests without an answer: {:?}", self.unanswered);
    }
}
