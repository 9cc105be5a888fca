//! Enums of the API: statuses, reasons, roles and kinds of sign-in.
//!
//! Each enum mirrors an enum of the domain, so that the API document lists its values and generated clients
//! have a type for it. A value that exists only in the domain does not compile.

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
    /// Status of an order.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[schema(title = "OrderStatus", example = "CONFIRMED")]
    OrderStatusShape of OrderStatus {
        /// The order lines are being reserved.
        Placed,
        /// All lines are reserved. The order waits for payment.
        PaymentPending,
        /// The order is paid, and its units are sold.
        Confirmed,
        /// The goods were handed to the carrier.
        Shipped,
        /// The goods reached the buyer.
        Delivered,
        /// All goods were returned.
        Returned,
        /// The order ended early. The reason says why.
        Cancelled,
        /// The order ended early, because the payment did not arrive in time.
        TimedOut,
    }
}

mirrored! {
    /// Status of a payment.
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[schema(title = "PaymentStatus", example = "CAPTURED")]
    PaymentStatusShape of PaymentStatus {
        /// The provider has not answered yet.
        Pending,
        /// The provider holds the money for the shop.
        Authorized,
        /// The shop has the money.
        Captured,
        /// The last attempt to pay failed.
        Failed,
        /// The payment is no longer needed.
        Cancelled,
        /// A part of the money was refunded.
        PartiallyRefunded,
        /// All of the money was refunded.
        Refunded,
    }
}

mirrored! {
    /// Reason why an order ended early.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "ReasonCode", example = "insufficient-stock")]
    ReasonCodeShape of ReasonCode {
        /// Too few units of a SKU were available.
        InsufficientStock,
        /// The provider declined the payment, or could not be reached for too long.
        PaymentDeclined,
        /// The payment did not arrive in time.
        PaymentTimedOut,
        /// The buyer cancelled the order.
        CancelledByCustomer,
        /// The shop cancelled the order.
        CancelledByShop,
    }
}

mirrored! {
    /// Role of an account.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "UserRole", example = "customer")]
    UserRoleShape of UserRole {
        /// A person who buys.
        Customer,
        /// A person who runs the shop.
        Admin,
    }
}

mirrored! {
    /// Kind of an entry of the sign-in audit.
    #[serde(rename_all = "kebab-case")]
    #[schema(title = "SignInKind", example = "signed-in")]
    SignInKindShape of SignInKind {
        /// The account was created.
        SignedUp,
        /// The owner signed in.
        SignedIn,
        /// A sign-in failed: the password was wrong, or the account does not exist.
        Failed,
        /// A used refresh token was used again, so the session was ended.
        TokenReused,
        /// The owner signed out.
        SignedOut,
        /// The owner changed the password.
        PasswordChanged,
        /// The password was reset by mail.
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

    /// Checks that the domain reads each listed text, and that the API shows the domain's value as the same
    /// text.
    fn check_texts<Domain: DeserializeOwned, Shape: From<Domain> + Serialize + PartialSchema>() {
        let schema = to_value(Shape::schema()).unwrap();
        let listed = schema["enum"].as_array().unwrap();
        assert!(listed.len() > 1, "{schema}");
        for text in listed {
            let value: Domain = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(to_value(Shape::from(value)).unwrap(), *text);
        }
    }

    #[test]
    fn the_api_lists_the_texts_of_the_domain() {
        check_texts::<OrderStatus, OrderStatusShape>();
        check_texts::<PaymentStatus, PaymentStatusShape>();
        check_texts::<ReasonCode, ReasonCodeShape>();
        check_texts::<UserRole, UserRoleShape>();
        for kind in SignInKind::ALL {
            assert_eq!(to_value(SignInKindShape::from(kind)).unwrap(), kind.as_str());
        }
    }
}
