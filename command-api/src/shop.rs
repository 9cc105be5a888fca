//! What the command side works with.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_domain::cart::Cart;
use souk_domain::claim::Claim;
use souk_domain::order::Order;
use souk_domain::payment::Payment;
use souk_domain::product::Product;
use souk_domain::skips::Skips;
use souk_domain::stock::Stock;
use souk_domain::webhook::Webhook;
use souk_domain::{CartId, Currency, CustomerId, DebtId, OrderId, PaymentId};
use souk_eventsourcing::{Clock, CommandPort, PersonKeys, Personal};
use souk_http::{Caller, Keys, Problem};
use souk_process_managers::PaymentProvider;
use tokio::sync::{Notify, watch};

use crate::auth::accounts::Accounts;
use crate::maintenance::Maintenance;
use crate::settled::SettledOrders;

/// Lets the timers that are due go off, and tells how many there were.
pub type RunTimers = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = usize> + Send>> + Send + Sync>;

/// The owner of an order, who alone may know of it: a customer, or the guest with the token of its cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderOwner {
    /// The customer; none for a guest.
    pub customer: Option<CustomerId>,
    /// The cart that the order comes from.
    pub cart: Option<CartId>,
}

impl OrderOwner {
    /// Returns true for the owner, and for admins.
    pub fn lets(&self, caller: &Caller) -> bool {
        let is_own = match &self.customer {
            Some(customer) => Some(customer) == caller.subject.as_ref(),
            None => self.cart.is_some() && self.cart == caller.cart,
        };
        is_own || caller.is_admin()
    }
}

/// An order of a guest's, and the e-mail address it was placed with.
#[derive(Clone, Debug)]
pub struct GuestOrder {
    /// The order.
    pub order: OrderId,
    /// The address, sealed under the key of the guest.
    pub email: Personal<String>,
}

/// Finds the order or payment that a request means by another name, and the owner of an order; the aggregate decides
/// what may be done with it.
#[async_trait]
pub trait OrderFinder: Send + Sync + 'static {
    /// The guests' orders with a code for people: mostly one. No lines are read.
    async fn by_code(&self, code: &str) -> Result<Vec<GuestOrder>, Problem>;

    /// The owner of an order, as far as read models know of it. No lines are read.
    async fn owner_of(&self, order: OrderId) -> Result<Option<OrderOwner>, Problem>;

    /// True if an order of the customer's is known to the read models.
    async fn has_orders(&self, customer: &CustomerId) -> Result<bool, Problem>;

    /// The payment of a refund or void.
    async fn payment_of(&self, debt: DebtId) -> Result<Option<PaymentId>, Problem>;

    /// Refused refunds and voids that nobody has seen to.
    async fn open_debts(&self) -> Result<i64, Problem>;
}

/// The aggregates and what else the command side needs.
#[derive(Clone)]
pub struct Shop {
    /// Products.
    pub products: Arc<dyn CommandPort<Product>>,
    /// Claims of SKUs.
    pub claims: Arc<dyn CommandPort<Claim>>,
    /// Stock.
    pub stock: Arc<dyn CommandPort<Stock>>,
    /// Carts.
    pub carts: Arc<dyn CommandPort<Cart>>,
    /// Orders.
    pub orders: Arc<dyn CommandPort<Order>>,
    /// Payments.
    pub payments: Arc<dyn CommandPort<Payment>>,
    /// Webhooks about unknown payments.
    pub webhooks: Arc<dyn CommandPort<Webhook>>,
    /// What is skipped by decision.
    pub skips: Arc<dyn CommandPort<Skips>>,
    /// Whoever follows the log.
    pub maintenance: Arc<dyn Maintenance>,
    /// Time and new ids.
    pub clock: Arc<dyn Clock>,
    /// Keys of people.
    pub people: Arc<dyn PersonKeys>,
    /// Wakes the sweep that finishes erasures.
    pub erased: Arc<Notify>,
    /// Accounts.
    pub accounts: Accounts,
    /// Finds guests' orders.
    pub finder: Arc<dyn OrderFinder>,
    /// The payment provider, asked which of our payments an id of its belongs to.
    pub provider: Arc<dyn PaymentProvider>,
    /// Tells when orders settle.
    pub settled: Arc<SettledOrders>,
    /// Runs the timers of processes.
    pub run_timers: RunTimers,
    /// Configuration.
    pub settings: Settings,
    /// Keys.
    pub keys: Arc<Keys>,
    /// Flips when the shop stops: waits end.
    pub stopping: watch::Receiver<bool>,
}

/// Configuration of the command side.
#[derive(Clone)]
pub struct Settings {
    /// The shop's currency.
    pub currency: Currency,
    /// How long an order waits for payment.
    pub payment_timeout: Duration,
    /// Where browsers find the shop: a scheme and a host.
    pub public_url: String,
    /// The secret of webhooks; without one all are refused.
    pub webhook_secret: Option<String>,
}
