//! Closed sets of texts, as answers show them.
//!
//! Each enum mirrors one of the domain: the document of the API lists its values, and generated clients have a type
//! for them. A new value in the domain does not compile until it stands here.

use serde::{Deserialize, Serialize};
use souk_domain::order::OrderStatus;
use souk_domain::order::event::ReasonCode;
use souk_domain::payment::PaymentStatus;
use souk_domain::user::event::UserRole;
use souk_sign_in::SignInKind;
use utoipa::ToSchema;

macro_rules! mirrored {
    ($(#[$about:meta])* $name:ident of $domain:ident { $($(#[$of_value:meta])* $value:ident),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        $(#[$about])*
        pub enum $name { $($(#[$of_value])* $value),+ }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value { $($domain::$value => Self::$value),+ }
            }
        }
    };
}

mirrored! {
    /// The status of an order.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[schema(title = "OrderStatus", example = "CONFIRMED")]
    OrderStatusShape of OrderStatus {
        /// Its lines are being reserved.
        Placed,
        /// All is reserved; it waits for payment.
        PaymentPending,
        /// Paid, and its goods are the buyer's.
        Confirmed,
        /// On its way.
        Shipped,
        /// Arrived.
        Delivered,
        /// All came back.
        Returned,
        /// Ended early.
        Cancelled,
        /// Ended early, for nobody paid in time.
        TimedOut,
    }
}

mirrored! {
    /// The status of a payment.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[schema(title = "PaymentStatus", example = "CAPTURED")]
    PaymentStatusShape of PaymentStatus {
        /// The provider has not answered.
        Pending,
        /// The provider holds the money.
        Authorized,
        /// The money is the shop's.
        Captured,
        /// The last try came to nothing.
        Failed,
        /// Nobody wants it any more.
        Cancelled,
        /// Some of it went back.
        PartiallyRefunded,
        /// All of it went back.
        Refunded,
    }
}

mirrored! {
    /// The reason why an order ended early.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "ReasonCode", example = "insufficient-stock")]
    ReasonCodeShape of ReasonCode {
        /// Not enough of a SKU.
        InsufficientStock,
        /// The provider declined, or could not be reached for too long.
        PaymentDeclined,
        /// Nobody paid in time.
        PaymentTimedOut,
        /// The buyer wanted it no more.
        CancelledByCustomer,
        /// The shop wanted it no more.
        CancelledByShop,
    }
}

mirrored! {
    /// The role of an account.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "UserRole", example = "customer")]
    UserRoleShape of UserRole {
        /// Buys.
        Customer,
        /// Runs the shop.
        Admin,
    }
}

mirrored! {
    /// Something that had to do with signing in.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "SignInKind", example = "signed-in")]
    SignInKindShape of SignInKind {
        /// An account was made.
        SignedUp,
        /// Somebody signed in.
        SignedIn,
        /// A password was wrong, or nobody's.
        Failed,
        /// A used refresh token came again: the session was ended.
        TokenReused,
        /// Somebody signed out.
        SignedOut,
        /// A password was changed.
        PasswordChanged,
        /// A password was reset by mail.
        PasswordReset,
        /// The identity of an identity provider was linked to the account.
        ProviderLinked,
        /// The identity of an identity provider was unlinked from the account.
        ProviderUnlinked,
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::to_value;
    use utoipa::PartialSchema;

    use super::*;

    /// Checks that the domain reads each listed text, and that the API shows the domain's value as the same text.
    fn are_of<Domain: DeserializeOwned, Shape: From<Domain> + Serialize + PartialSchema>() {
        let schema = to_value(Shape::schema()).unwrap();
        let listed = schema["enum"].as_array().unwrap();
        assert!(listed.len() > 1, "{schema}");
        for text in listed {
            let value: Domain = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(to_value(Shape::from(value)).unwrap(), *text);
        }
    }

    #[test]
    fn listed_texts_are_those_of_the_domain() {
        are_of::<OrderStatus, OrderStatusShape>();
        are_of::<PaymentStatus, PaymentStatusShape>();
        are_of::<ReasonCode, ReasonCodeShape>();
        are_of::<UserRole, UserRoleShape>();
        for kind in SignInKind::ALL {
            assert_eq!(to_value(SignInKindShape::from(kind)).unwrap(), kind.as_str());
        }
    }
}
