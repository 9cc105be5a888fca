//! A command to any aggregate of the shop: what processes send.

use souk_eventsourcing::id::derive;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::{CommandId, Decider, StreamName};
use uuid::Uuid;

use souk_domain::cart::{Cart, CartCommand};
use souk_domain::names::{CartId, OrderId, OrderRef, PaymentId, Sku};
use souk_domain::order::{Order, OrderCommand};
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::{Stock, StockCommand};

/// A command and the aggregate it is for.
#[derive(Clone, Debug)]
pub enum ShopCommand {
    /// To a cart.
    Cart(CartId, CartCommand),
    /// To an order.
    Order(OrderId, OrderCommand),
    /// To a payment.
    Payment(PaymentId, PaymentCommand),
    /// To the stock of a SKU.
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

/// Reserving, releasing and confirming are one command for one reservation, whoever asks and however
/// often: its id comes from the verb and `orderId:sku`.
pub fn reservation_command_id(sku: &Sku, command: &StockCommand) -> Option<CommandId> {
    let of = |verb: &str, order: &OrderRef| {
        // An order of this shop lends its id's time, which keeps the log's index of ids compact.
        let origin = Uuid::parse_str(order.as_str()).unwrap_or(Uuid::nil());
        Some(CommandId(derive(
            origin,
            &[verb.as_bytes(), order.as_str().as_bytes(), sku.as_str().as_bytes()],
        )))
    };
    match command {
        StockCommand::Reserve { order, .. } => of("reserve", order),
        StockCommand::Release { order } => of("release", order),
        StockCommand::Confirm { order } => of("confirm", order),
        _ => None,
    }
}

/// An order from a cart is placed once, be it by the request that asked for it or, after a crash, by
/// the checkout: both send this command.
pub fn place_command_id(order: OrderId) -> CommandId {
    CommandId(order.0).step("place")
}
