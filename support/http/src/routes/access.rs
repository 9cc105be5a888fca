//! Access rules: the callers that may use a route.

use crate::identity::{Caller, Role};
use crate::problem::Problem;

/// Access rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every caller.
    Anyone,
    /// Every caller, with or without a cart token.
    OptionalCart,
    /// Callers with an access token or a cart token. Requests for resources of other people get 404.
    Buyer,
    /// Callers with an access token. Requests for resources of other people get 404.
    SignedIn,
    /// Admins, and other systems that call the shop.
    Staff,
    /// Admins only.
    Admin,
    /// Callers that sign the body with the secret of the webhooks.
    Signature,
}

impl Access {
    /// Returns the name of the rule in the list of routes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::OptionalCart => "guest cart",
            Self::Buyer => "guest cart or customer, own only",
            Self::SignedIn => "customer, own only",
            Self::Staff => "admin or service",
            Self::Admin => "admin",
            Self::Signature => "signed",
        }
    }

    /// Checks a caller against the rule. Returns a problem if the caller is refused.
    pub fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Anyone | Self::OptionalCart | Self::Signature => Ok(()),
            // This process can't verify the token; the upstream verifies it.
            _ if caller.unverified.token => Ok(()),
            Self::Buyer if caller.unverified.cart => Ok(()),
            Self::Buyer => caller.signed_in_or_guest(),
            Self::SignedIn => caller.signed_in().map(drop),
            Self::Staff => caller.require(&[Role::Admin, Role::Service]),
            Self::Admin => caller.require(&[Role::Admin]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: edge.access-table
    #[test]
    fn each_access_rule_admits_only_its_callers() {
        let nobody = Caller::default();
        let with = |roles: Vec<Role>| Caller {
            subject: Some(souk_domain::CustomerId::parse("ada").unwrap()),
            roles,
            ..Caller::default()
        };
        let guest = Caller { cart: Some(souk_domain::CartId(uuid::Uuid::nil())), ..Caller::default() };
        let customer = with(vec![Role::Customer]);
        let service = with(vec![Role::Service]);
        let admin = with(vec![Role::Admin]);
        let status = |access: Access, caller: &Caller| match access.check(caller) {
            Ok(()) => 200,
            Err(problem) => problem.status().as_u16(),
        };
        for (access, expected) in [
            (Access::Anyone, [200, 200, 200, 200, 200]),
            (Access::OptionalCart, [200, 200, 200, 200, 200]),
            (Access::Signature, [200, 200, 200, 200, 200]),
            (Access::Buyer, [401, 200, 200, 200, 200]),
            (Access::SignedIn, [401, 401, 200, 200, 200]),
            (Access::Staff, [401, 401, 403, 200, 200]),
            (Access::Admin, [401, 401, 403, 403, 200]),
        ] {
            let callers = [&nobody, &guest, &customer, &service, &admin];
            assert_eq!(callers.map(|caller| status(access, caller)), expected, "{access:?}");
        }
    }
}
