//! The ports of the command side: aggregates, stores, clock, keys and settings that every handler gets.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_domain::{AggregatePorts, CartId, Currency, CustomerId, DebtId, OrderId, PaymentId};
use souk_eventsourcing::{Clock, PersonKeys, Personal};
use souk_http::{Caller, Keys, Problem};
use souk_process_managers::{PaymentProvider, ShopPorts};
use souk_sign_in::AccessDenials;
use tokio::sync::{Notify, watch};

use crate::auth::accounts::Accounts;
use crate::maintenance::Maintenance;
use crate::settled::SettledOrders;

/// Fires all due timers of the processes. Returns the number of these timers.
pub type RunTimers = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = usize> + Send>> + Send + Sync>;

/// The owner of an order: a customer, or the guest who has the token of the order's cart. Only the owner and
/// admins may see the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderOwner {
    /// The customer; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// The cart that the order was made from, or whose token the guest sent.
    pub cart: Option<CartId>,
}

impl OrderOwner {
    /// Returns true if the caller is the owner or an admin.
    pub fn allows(&self, caller: &Caller) -> bool {
        let is_own = match &self.customer {
            Some(customer) => Some(customer) == caller.subject.as_ref(),
            None => self.cart.is_some() && self.cart == caller.cart,
        };
        is_own || caller.is_admin()
    }
}

/// A guest's order and the e-mail address that it was placed with.
#[derive(Clone, Debug)]
pub struct GuestOrder {
    /// Id of the order.
    pub order: OrderId,
    /// The e-mail address, sealed with the key of the guest; `None` after the erasure of the guest.
    pub email: Option<Personal<String>>,
}

/// Finds orders, their owners and payments in the read models. Only the aggregates make decisions about them.
#[async_trait]
pub trait OrderFinder: Send + Sync + 'static {
    /// Returns the guests' orders with an order code, such as `SK-7F3K-9QXM`: almost always one. Reads no
    /// order lines.
    async fn by_code(&self, code: &str) -> Result<Vec<GuestOrder>, Problem>;

    /// Returns the owner of an order; `None` if the read models do not have the order yet. Reads no order
    /// lines.
    async fn owner_of(&self, order: OrderId) -> Result<Option<OrderOwner>, Problem>;

    /// Returns true if the read models have an order of this customer.
    async fn has_orders(&self, customer: &CustomerId) -> Result<bool, Problem>;

    /// Returns the payment that a refund or void belongs to.
    async fn payment_of(&self, debt: DebtId) -> Result<Option<PaymentId>, Problem>;

    /// Returns the number of open debts: refunds and voids that the payment provider declined and that staff
    /// have not retried, settled or withdrawn.
    async fn open_debts(&self) -> Result<i64, Problem>;
}

/// Everything that handlers of the command side use.
#[derive(Clone)]
pub struct Ports {
    /// Command port of each aggregate.
    pub aggregates: AggregatePorts,
    /// Maintenance of read models and processes.
    pub maintenance: Arc<dyn Maintenance>,
    /// Source of the time and of new ids.
    pub clock: Arc<dyn Clock>,
    /// Keys that seal personal values.
    pub people: Arc<dyn PersonKeys>,
    /// Wakes the sweep that finishes erasures.
    pub erased: Arc<Notify>,
    /// Accounts and sign-in.
    pub accounts: Accounts,
    /// Lookups of orders and payments in the read models.
    pub finder: Arc<dyn OrderFinder>,
    /// The payment provider. It maps its own payment and refund ids to those of the shop.
    pub provider: Arc<dyn PaymentProvider>,
    /// Notifies waiting requests when an order settles.
    pub settled: Arc<SettledOrders>,
    /// Fires all due timers of the processes.
    pub run_timers: RunTimers,
    /// Configuration of the command side.
    pub settings: Settings,
    /// Keys of tokens, cookies and keyed hashes.
    pub keys: Arc<Keys>,
    /// Becomes true when the shop stops. Waiting requests then stop waiting.
    pub stopping: watch::Receiver<bool>,
}

impl Ports {
    /// Returns the ports that erasures and sweeps use.
    pub fn shop(&self) -> ShopPorts {
        ShopPorts {
            aggregates: self.aggregates.clone(),
            people: Arc::clone(&self.people),
            credentials: Arc::clone(&self.accounts.credentials),
            denials: Arc::clone(&self.accounts.ended_sessions) as Arc<dyn AccessDenials>,
            outbox: Arc::clone(&self.accounts.outbox),
            provider: Arc::clone(&self.provider),
            clock: Arc::clone(&self.clock),
        }
    }
}

/// Configuration of the command side.
#[derive(Clone)]
pub struct Settings {
    /// Currency of prices that name none.
    pub currency: Currency,
    /// Time from placing an order until it times out without payment.
    pub payment_timeout: Duration,
    /// URL at which browsers reach the shop: a scheme and a host, without a path.
    pub public_url: String,
    /// Secret of the webhook signature. Without it, all webhooks are refused.
    pub webhook_secret: Option<String>,
}
