//! Owner of an order. It is read from columns and checked before the document of the order is parsed, so a
//! document that can't be parsed looks to other callers like an order that does not exist.

use souk_http::Caller;

/// Owner of an order: a customer, or a guest with a cart. Both are `None` if the owner is unknown.
pub(crate) struct OrderOwner {
    pub(crate) customer: Option<String>,
    /// Cart that a guest's order was placed from.
    pub(crate) cart: Option<String>,
}

impl OrderOwner {
    /// Returns true if the caller is allowed to see the order. Admins see all orders, a customer their own
    /// orders, and a guest the orders that were placed from their cart.
    pub(crate) fn allows(&self, caller: &Caller) -> bool {
        let is_own = match &self.customer {
            Some(customer) => caller.subject.as_ref().is_some_and(|subject| subject.as_str() == customer),
            None => self.cart.is_some() && self.cart == caller.cart.map(|cart| cart.to_string()),
        };
        is_own || caller.is_admin()
    }
}
