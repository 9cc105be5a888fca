//! Reasons why a command to an order is refused.

use souk_eventsourcing::Rejection;

use crate::Sku;
use crate::problem::ProblemKind::{Conflict, Missing};
use crate::problem::{ProblemEntry, PublicRejection};

use super::state::OrderStatus;

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// The order does not exist.
    #[error("there is no such order")]
    NotFound,
    /// The order can no longer be cancelled.
    #[error("an order with status {} can't be cancelled{}", .0.as_str(), advice_to_take_back(*.0))]
    NotCancellable(OrderStatus),
    /// The order does not wait for payment.
    #[error("an order with status {} doesn't wait for payment", .0.as_str())]
    NotPayable(OrderStatus),
    /// Some lines are not reserved yet.
    #[error("some lines of the order are not reserved yet")]
    NotReserved,
    /// The checkout of the order has already ended.
    #[error("the order already has the status {}", .0.as_str())]
    Settled(OrderStatus),
    /// The order can't be shipped in its status.
    #[error("an order with status {} can't be shipped{}", .0.as_str(), advice_to_correct(*.0))]
    NotShippable(OrderStatus),
    /// The order has no shipment that can be corrected.
    #[error("an order with status {} has no shipment that can be corrected", .0.as_str())]
    NotShipped(OrderStatus),
    /// The order can't be delivered in its status.
    #[error("an order with status {} can't be delivered", .0.as_str())]
    NotDeliverable(OrderStatus),
    /// Goods of the order can't be returned in its status.
    #[error("goods of an order with status {} can't be returned", .0.as_str())]
    NotReturnable(OrderStatus),
    /// More units would be returned than the buyer has.
    #[error("{requested} units of {sku} can't be returned, at most {left} can")]
    ReturnExceedsOrder {
        /// SKU of the units.
        sku: Sku,
        /// Units that the request returns.
        requested: u32,
        /// Units that can still be returned.
        left: u32,
    },
    /// The shipping address was erased.
    #[error("the shipping address was erased: cancel the order, or give it a new address")]
    AddressErased,
    /// The shipping address can't be changed in the order's status.
    #[error("the address of an order with status {} can't be changed", .0.as_str())]
    NotChangeable(OrderStatus),
}

/// Returns the advice to take the goods back, if they are shipped or delivered.
fn advice_to_take_back(status: OrderStatus) -> &'static str {
    let is_returnable = matches!(status, OrderStatus::Shipped | OrderStatus::Delivered);
    if is_returnable { "; take the goods back instead, with `/return`" } else { "" }
}

/// Returns the advice to correct the shipment, if there is one. Staff who ship an order twice usually want to
/// correct a mistyped tracking number.
fn advice_to_correct(status: OrderStatus) -> &'static str {
    let is_shipped = matches!(status, OrderStatus::Shipped | OrderStatus::Delivered);
    if is_shipped { "; correct its carrier or tracking number with `PATCH` of `/shipments/1`" } else { "" }
}

impl Rejection for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "order-not-found",
            Self::NotCancellable(_) => "order-not-cancellable",
            Self::NotPayable(_) => "order-not-payable",
            Self::NotReserved => "order-not-reserved",
            Self::Settled(_) => "order-settled",
            Self::NotShippable(_) => "order-not-shippable",
            Self::NotShipped(_) => "order-not-shipped",
            Self::NotDeliverable(_) => "order-not-deliverable",
            Self::NotReturnable(_) => "order-not-returnable",
            Self::ReturnExceedsOrder { .. } => "return-exceeds-order",
            Self::AddressErased => "order-address-erased",
            Self::NotChangeable(_) => "order-not-changeable",
        }
    }
}

impl PublicRejection for OrderRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "order-not-found",
            Missing,
            "The order does not exist",
            "No order has this id, or the order belongs to another customer.",
        ),
        ProblemEntry::new(
            "order-not-cancellable",
            Conflict,
            "The order can't be cancelled",
            "The order was shipped. Record a return with `/return` instead, unless all goods were returned already.",
        ),
        ProblemEntry::new(
            "order-not-payable",
            Conflict,
            "The order is not waiting for payment",
            "Check the order's status. Only an order in PAYMENT_PENDING can be paid.",
        ),
        ProblemEntry::new(
            "order-not-reserved",
            Conflict,
            "The order is not fully reserved",
            "Check the order's status. Every line must be reserved first.",
        ),
        ProblemEntry::new(
            "order-settled",
            Conflict,
            "The order is already settled",
            "Check the order's status.",
        ),
        ProblemEntry::new(
            "order-not-shippable",
            Conflict,
            "The order can't be shipped",
            "Only a confirmed order can be shipped. Correct a wrong carrier or tracking number with `PATCH` on `/shipments/1`.",
        ),
        ProblemEntry::new(
            "order-not-shipped",
            Conflict,
            "The order has no shipment",
            "Only the shipment of an order that is SHIPPED or DELIVERED can be corrected.",
        ),
        ProblemEntry::new(
            "order-not-deliverable",
            Conflict,
            "The order can't be marked as delivered",
            "Only a shipped order can be delivered.",
        ),
        ProblemEntry::new(
            "order-not-returnable",
            Conflict,
            "The order can't be returned",
            "Only goods that were shipped can be returned.",
        ),
        ProblemEntry::new(
            "return-exceeds-order",
            Conflict,
            "More units would be returned than were shipped",
            "The detail says how many units can still be returned.",
        ),
        ProblemEntry::new(
            "order-address-erased",
            Conflict,
            "The shipping address was erased",
            "The buyer's personal data was erased. Cancel the order, or give it a new address.",
        ),
        ProblemEntry::new(
            "order-address-unreadable",
            Conflict,
            "The shipping address can't be read",
            "The key that decrypts the address is missing. Restore the keys of personal data, give the order an address, or cancel the order.",
        ),
        ProblemEntry::new(
            "order-not-changeable",
            Conflict,
            "The address can't be changed",
            "The goods were already shipped, or the order has ended.",
        ),
    ];
}
