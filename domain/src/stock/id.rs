//! Id of the order that a reservation is for.

use crate::ids::{opaque, text_id};
use crate::{InvalidText, OrderId};

text_id!(
    /// Id of the order that a reservation is for. The order belongs to this shop or to another system; 1 to
    /// 64 characters.
    OrderRef
);

impl OrderRef {
    /// Parses an order id. It must not contain `:`, since reservation ids have the form `orderId:sku`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let invalid = InvalidText("an order id has 1 to 64 printable characters, without `:`");
        if text.contains(':') {
            return Err(invalid);
        }
        opaque(text).map(Self).ok_or(invalid)
    }
}

impl From<OrderId> for OrderRef {
    fn from(order: OrderId) -> Self {
        Self(order.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_refers_to_an_order_of_this_shop_by_its_id() {
        let order = OrderId(uuid::Uuid::from_u128(7));
        assert_eq!(OrderRef::parse(&order.to_string()), Ok(OrderRef::from(order)));
    }
}
