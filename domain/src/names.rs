//! Ids and names. Each has its own type, so that one cannot be used in place of another.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::id::derive;
use souk_eventsourcing::{Actor, Person};
use uuid::Uuid;

use crate::limits::{OPAQUE_ID_CHARS_MAX, SKU_CHARS_MAX};

/// Reason why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub &'static str);

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_name!(
    /// Id of a product. Its stream is `product-ID`.
    ProductId
);
uuid_name!(
    /// Id of a cart. Its stream is `cart-ID`.
    CartId
);
uuid_name!(
    /// Id of an order. Its stream is `order-ID`.
    OrderId
);
uuid_name!(
    /// Id of a note that staff wrote on an order.
    NoteId
);
uuid_name!(
    /// Id of a payment. Its stream is `payment-ID`. Each order has one payment, whose id is derived from the
    /// order's id.
    PaymentId
);
uuid_name!(
    /// Id of a refund.
    RefundId
);
uuid_name!(
    /// Id of a debt: a refund or void that the provider refused. It equals the id of that refund or void.
    DebtId
);
uuid_name!(
    /// Id of a void: a request to release money that the provider holds.
    VoidId
);
uuid_name!(
    /// Id of a reversal: the return of a confirmed order's goods and money, complete (a cancellation) or in
    /// part (a return of goods).
    ReversalId
);

uuid_name!(
    /// Id of a user with an account. Its stream is `user-ID`. The user's customer id has the same value.
    UserId
);
uuid_name!(
    /// Id of an address in a user's address book.
    AddressId
);

impl UserId {
    /// Returns the user's customer id.
    pub fn customer(self) -> CustomerId {
        CustomerId(self.to_string().into())
    }

    /// Returns an id that belongs to no user. Lookups use it in place of an unknown user's id, so that both
    /// take the same time.
    pub fn placeholder() -> Self {
        Self(Uuid::nil())
    }

    /// Returns the user as the actor of events.
    pub fn actor(self) -> Actor {
        Actor::new("customer", &self.to_string())
    }

    /// Returns the user of a customer id; `None` if the customer has no account here.
    pub fn of_customer(customer: &CustomerId) -> Option<Self> {
        Uuid::parse_str(customer.as_str()).ok().map(Self).filter(|user| user.customer() == *customer)
    }

    /// Returns the person whose key seals the user's personal data.
    pub fn person(self) -> Person {
        self.customer().person()
    }
}

impl PaymentId {
    /// Returns the id of an order's payment.
    pub fn of(order: OrderId) -> Self {
        Self(derive(order.0, &[b"payment"]))
    }
}

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

impl CartId {
    /// Returns the id of a customer's cart. Each customer has one.
    pub fn of_customer(customer: &CustomerId) -> Self {
        Self(derive(Uuid::nil(), &[b"cart", customer.as_str().as_bytes()]))
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// The keyed hash of an e-mail address, or the random alias that stands for the address in the log: 64
    /// hexadecimal digits. The address can be found from the hash only with the key, and never from the
    /// alias.
    EmailHash
);
text_name!(
    /// A stock-keeping unit: 1 to 64 printable characters, compared exactly, without `:` and `/`.
    Sku
);
text_name!(
    /// Id of a customer: the subject of a token, opaque, 1 to 64 characters.
    CustomerId
);
text_name!(
    /// Id of the order that a reservation is for. The order belongs to this shop or to another system; 1 to
    /// 64 characters.
    OrderRef
);

impl Sku {
    /// Parses a SKU. White space around it is removed.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let trimmed = text.trim();
        let printable = trimmed.chars().all(|c| is_printable(c) && c != ':' && c != '/');
        if !(1..=SKU_CHARS_MAX).contains(&trimmed.chars().count()) || !printable {
            return Err(InvalidText("a SKU has 1 to 64 printable characters, without `:` and `/`"));
        }
        Ok(Self(trimmed.into()))
    }
}

impl EmailHash {
    /// Returns the keyed hash of an address that is trimmed and in lower case.
    pub fn of(key: &[u8; 32], email: &str) -> Self {
        Self(blake3::keyed_hash(key, email.as_bytes()).to_hex().as_str().into())
    }

    /// Parses a hash or an alias.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(Self(text.into())) } else { Err(InvalidText("64 hexadecimal digits are allowed")) }
    }
}

impl CustomerId {
    /// Returns the person whose key seals the customer's personal data.
    pub fn person(&self) -> Person {
        Person::new("customer", self.as_str())
    }

    /// Parses a customer id. White space around it is not removed.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        opaque(text).map(Self).ok_or(InvalidText("a customer id has 1 to 64 printable characters"))
    }
}

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

/// Returns true for a character that can be seen, or that is a space. Control characters, format characters
/// (Unicode general category Cf), and line and paragraph separators are not printable.
pub fn is_printable(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !is_format
}

fn opaque(text: &str) -> Option<Box<str>> {
    let fits = (1..=OPAQUE_ID_CHARS_MAX).contains(&text.chars().count());
    (fits && text.chars().all(is_printable)).then(|| text.into())
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn skus_are_trimmed_and_compared_exactly() {
        assert_eq!(Sku::parse(" 85123A ").unwrap().as_str(), "85123A");
        assert_ne!(Sku::parse("85123a"), Sku::parse("85123A"));
        assert!(Sku::parse("gift 0001 20").is_ok());
        for text in ["", "  ", "a:b", "a/b", "a\nb", "a\u{200b}", "\u{202e}x", &"x".repeat(65)] {
            assert!(Sku::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ids_of_other_systems_are_opaque_but_limited_in_length() {
        assert!(OrderRef::parse("o1").is_ok());
        assert!(OrderRef::parse("o:1").is_err());
        assert!(CustomerId::parse(&"x".repeat(65)).is_err());
        assert!(CustomerId::parse(&"é".repeat(64)).is_ok());
        assert_eq!(CustomerId::parse(" auth0|a:b ").unwrap().as_str(), " auth0|a:b ");
        for text in ["", "a\0b", "a\nb"] {
            assert!(OrderRef::parse(text).is_err() && CustomerId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_longest_sku_fits_into_a_stream_name() {
        let longest = Sku::parse(&"🏺".repeat(64)).unwrap();
        assert_eq!(longest.as_str().len(), 256);
    }

    #[test]
    fn derived_ids_depend_only_on_their_source() {
        let order = |n| OrderId(Uuid::from_u128(n));
        assert_eq!(PaymentId::of(order(1)), PaymentId::of(order(1)));
        assert_ne!(PaymentId::of(order(1)), PaymentId::of(order(2)));
        assert_ne!(PaymentId::of(order(1)).0, order(1).0);
        let cart = |name| CartId::of_customer(&CustomerId::parse(name).unwrap());
        assert_eq!(cart("ada"), cart("ada"));
        assert_ne!(cart("ada"), cart("bob"));
    }

    #[test]
    fn stock_refers_to_an_order_of_this_shop_by_its_id() {
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(OrderRef::parse(&order.to_string()), Ok(OrderRef::from(order)));
    }

    #[test]
    fn names_are_serialized_as_plain_text() {
        assert_eq!(serde_json::to_string(&Sku::parse("85123A").unwrap()).unwrap(), r#""85123A""#);
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(serde_json::to_string(&order).unwrap(), r#""00000000-0000-0000-0000-000000000007""#);
    }
}
