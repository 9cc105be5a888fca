//! Id of a cart.

use souk_eventsourcing::id::derive;
use uuid::Uuid;

use crate::CustomerId;
use crate::ids::uuid_id;

uuid_id!(
    /// Id of a cart. Its stream is `cart-ID`.
    CartId
);

impl CartId {
    /// Returns the id of a customer's cart. Each customer has one.
    pub fn of_customer(customer: &CustomerId) -> Self {
        Self(derive(Uuid::nil(), &[b"cart", customer.as_str().as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_customers_cart_depends_only_on_the_customer() {
        let cart = |name| CartId::of_customer(&CustomerId::parse(name).unwrap());
        assert_eq!(cart("ada"), cart("ada"));
        assert_ne!(cart("ada"), cart("bob"));
    }
}
