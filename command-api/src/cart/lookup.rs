//! The cart of a caller.

use souk_domain::CartId;
use souk_http::Caller;

/// Returns the cart of a caller: a customer's by their id, a guest's by the cart token. `None` for a guest
/// without a token.
pub fn cart_of_caller(caller: &Caller) -> Option<CartId> {
    caller.subject.as_ref().map(CartId::of_customer).or(caller.cart)
}
