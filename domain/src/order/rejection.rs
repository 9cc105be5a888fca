//! Why a command to an order is refused.

use souk_eventsourcing::Rejection;

use crate::names::Sku;

use super::state::OrderStatus;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// No such order.
    #[error("there is no such order")]
    NotFound,
    /// Too late to cancel.
    #[error("an order that is {} can't be cancelled{}", .0.as_str(), advice_to_take_back(*.0))]
    NotCancellable(OrderStatus),
    /// It does not wait for payment.
    #[error("an order that is {} doesn't wait for payment", .0.as_str())]
    NotPayable(OrderStatus),
    /// Not all of it is reserved.
    #[error("not all of the order is reserved yet")]
    NotReserved,
    /// Its fate is decided.
    #[error("the order is {} already", .0.as_str())]
    Settled(OrderStatus),
    /// It can't be shipped.
    #[error("an order that is {} can't be shipped{}", .0.as_str(), advice_to_correct(*.0))]
    NotShippable(OrderStatus),
    /// It has no shipment.
    #[error("an order that is {} has no shipment that can be corrected", .0.as_str())]
    NotShipped(OrderStatus),
    /// It can't arrive.
    #[error("an order that is {} can't be delivered", .0.as_str())]
    NotDeliverable(OrderStatus),
    /// Nothing can come back.
    #[error("goods of an order that is {} can't come back", .0.as_str())]
    NotReturnable(OrderStatus),
    /// More would come back than was sent.
    #[error("{asked} units of {sku} can't come back, {left} are left")]
    ReturnExceedsOrder {
        /// The SKU.
        sku: Sku,
        /// Units that would come back.
        asked: u32,
        /// Units that may.
        left: u32,
    },
    /// Nobody knows where to.
    #[error("where the goods go was erased: cancel the order, or give it an address")]
    AddressErased,
    /// It goes elsewhere already.
    #[error("the address of an order that is {} can't be changed", .0.as_str())]
    NotChangeable(OrderStatus),
}

/// Goods that are on their way or arrived can come back; those that came back can't.
fn advice_to_take_back(status: OrderStatus) -> &'static str {
    let can_come_back = matches!(status, OrderStatus::Shipped | OrderStatus::Delivered);
    if can_come_back { "; take the goods back instead, with `/return`" } else { "" }
}

/// A second shipment with another number is mostly the correction of a mistyped one.
fn advice_to_correct(status: OrderStatus) -> &'static str {
    let is_on_its_way = matches!(status, OrderStatus::Shipped | OrderStatus::Delivered);
    if is_on_its_way { "; correct its carrier or tracking number with `PATCH` of `/shipments/1`" } else { "" }
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
