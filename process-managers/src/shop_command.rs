//! Commands that processes send to the aggregates of the shop.

use souk_eventsourcing::id::derive;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::{CommandId, Decider, StreamName};
use uuid::Uuid;

use souk_domain::cart::{Cart, CartCommand};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::{CartId, OrderId, OrderRef, PaymentId, Sku};

/// A command and the id of the aggregate that receives it.
#[derive(Clone, Debug)]
pub enum ShopCommand {
    /// A command to a cart.
    Cart(CartId, CartCommand),
    /// A command to an order.
    Order(OrderId, OrderCommand),
    /// A command to a payment.
    Payment(PaymentId, PaymentCommand),
    /// A command to the stock of a SKU.
    Stock(Sku, StockCommand),
}

impl ProcessCommand for ShopCommand {
    fn stream(&self) -> StreamName {
        match self {
            Self::Cart(cart, _) => StreamName::new(Cart::CATEGORY, &cart.to_string()),
            Self::Order(order, _) => StreamName::new(Order::CATEGORY, &order.to_string()),
            Self::Payment(payment, _) => StreamName::new(Payment::CATEGORY, &payment.to_string()),
            Self::Stock(sku, _) => StreamName::new(Stock::CATEGORY, sku.as_str()),
        }
    }

    fn id(&self) -> Option<CommandId> {
        match self {
            Self::Stock(sku, command) => reservation_command_id(sku, command),
            Self::Order(order, OrderCommand::Place(_)) => Some(place_command_id(*order)),
            _ => None,
        }
    }
}

/// Returns the id of a command that reserves, releases or confirms a reservation; `None` for other commands.
///
/// The id is derived from the kind of the command, the order and the SKU. So the command takes effect once
/// per reservation, even if several senders send it several times.
pub fn reservation_command_id(sku: &Sku, command: &StockCommand) -> Option<CommandId> {
    let derived = |verb: &str, order: &OrderRef| {
        // The derived id keeps the time part of the order's id, so that the log's index of ids stays compact.
        let origin = Uuid::parse_str(order.as_str()).unwrap_or(Uuid::nil());
        Some(CommandId(derive(
            origin,
            &[verb.as_bytes(), order.as_str().as_bytes(), sku.as_str().as_bytes()],
        )))
    };
    match command {
        StockCommand::Reserve { order, .. } => derived("reserve", order),
        StockCommand::Release { order } => derived("release", order),
        StockCommand::Confirm { order } => derived("confirm", order),
        _ => None,
    }
}

/// Returns the id of the command that places an order from a cart.
///
/// The request that checks out the cart sends this command. The checkout sends it too if it reads
/// `cart.checked-out` before the order is placed, for example after a crash. Both use the same id, so the
/// order is placed once.
pub fn place_command_id(order: OrderId) -> CommandId {
    CommandId(order.0).step("place")
}
