//! Ids of orders and of their reversals.

use souk_eventsourcing::Person;

use crate::ids::uuid_id;

uuid_id!(
    /// Id of an order. Its stream is `order-ID`.
    OrderId
);

uuid_id!(
    /// Id of a reversal: the return of a confirmed order's goods and money, complete (a cancellation) or in
    /// part (a return of goods).
    ReversalId
);

impl OrderId {
    /// Returns the person whose key seals the personal data of a guest's order. The key belongs to this order
    /// only.
    pub fn guest(self) -> Person {
        Person::new("order", &self.to_string())
    }

    /// The kind of the person that [`OrderId::readdressed`] returns.
    pub const READDRESSED: &'static str = "order-readdressed";

    /// Returns the person whose key seals an address that the shop gives to the order after its buyer was
    /// erased.
    pub fn readdressed(self) -> Person {
        Person::new(Self::READDRESSED, &self.to_string())
    }
}
