//! Ids of payments, refunds, voids and debts.

use souk_eventsourcing::id::derive;

use crate::OrderId;
use crate::ids::uuid_id;

uuid_id!(
    /// Id of a payment. Its stream is `payment-ID`. Each order has one payment, whose id is derived from the
    /// order's id.
    PaymentId
);

uuid_id!(
    /// Id of a refund.
    RefundId
);

uuid_id!(
    /// Id of a void: a request to release money that the provider holds.
    VoidId
);

uuid_id!(
    /// Id of a debt: a refund or void that the provider refused. It equals the id of that refund or void.
    DebtId
);

impl PaymentId {
    /// Returns the id of an order's payment.
    pub fn of(order: OrderId) -> Self {
        Self(derive(order.0, &[b"payment"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_payment_depends_only_on_the_order() {
        let order = |n| OrderId(uuid::Uuid::from_u128(n));
        assert_eq!(PaymentId::of(order(1)), PaymentId::of(order(1)));
        assert_ne!(PaymentId::of(order(1)), PaymentId::of(order(2)));
        assert_ne!(PaymentId::of(order(1)).0, order(1).0);
    }
}
