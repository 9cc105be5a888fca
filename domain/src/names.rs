//! Ids and opaque names, each a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::id::derive;
use souk_eventsourcing::{Actor, Person};
use uuid::Uuid;

use crate::limits::{OPAQUE_ID_CHARS_MAX, SKU_CHARS_MAX};

/// Why a text is no name of the wanted kind.
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
    /// A product; its stream is `product-ID`.
    ProductId
);
uuid_name!(
    /// A cart; its stream is `cart-ID`.
    CartId
);
uuid_name!(
    /// An order; its stream is `order-ID`.
    OrderId
);
uuid_name!(
    /// A payment; its stream is `payment-ID`. An order has one, whose id comes from the order's.
    PaymentId
);
uuid_name!(
    /// A refund of a payment.
    RefundId
);
uuid_name!(
    /// A refund or void that the provider refused: its own id.
    DebtId
);
uuid_name!(
    /// A request to let held money of a payment go.
    VoidId
);
uuid_name!(
    /// What takes a confirmed order back, in whole (a cancellation) or in part (a return).
    ReversalId
);

uuid_name!(
    /// Somebody with an account; their stream is `user-ID`, and as a customer they are known by the same id.
    UserId
);
uuid_name!(
    /// An address in somebody's book.
    AddressId
);

impl UserId {
    /// The same as a customer.
    pub fn customer(self) -> CustomerId {
        CustomerId(self.to_string().into())
    }

    /// Somebody who is nobody: looked up in place of a user that is not there.
    pub fn nobody() -> Self {
        Self(Uuid::nil())
    }

    /// As events name them.
    pub fn actor(self) -> Actor {
        Actor::new("customer", &self.to_string())
    }

    /// The user that a customer is; none when they have no account here.
    pub fn of_customer(customer: &CustomerId) -> Option<Self> {
        Uuid::parse_str(customer.as_str()).ok().map(Self).filter(|user| user.customer() == *customer)
    }

    /// Whom their personal data tells about.
    pub fn person(self) -> Person {
        self.customer().person()
    }
}

impl PaymentId {
    /// The payment of an order.
    pub fn of(order: OrderId) -> Self {
        Self(derive(order.0, &[b"payment"]))
    }
}

impl OrderId {
    /// Whom the order tells about when a guest placed it: nobody but the order itself.
    pub fn guest(self) -> Person {
        Person::new("order", &self.to_string())
    }

    /// The kind of person of [`OrderId::readdressed`].
    pub const READDRESSED: &'static str = "order-readdressed";

    /// Whom the address tells about that the shop gives the order after that was erased.
    pub fn readdressed(self) -> Person {
        Person::new(Self::READDRESSED, &self.to_string())
    }
}

impl CartId {
    /// The one cart of a customer.
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
            /// The text.
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
    /// The keyed hash of an e-mail address, or the random alias that stands for it in the log: 64 hexadecimal
    /// digits. The address can't be found from the hash without the key, and not at all from the alias.
    EmailHash
);
text_name!(
    /// A stock-keeping unit: 1 to 64 printable characters, compared exactly, without `:` and `/`.
    Sku
);
text_name!(
    /// Who buys: the subject of a token, opaque, 1 to 64 characters.
    CustomerId
);
text_name!(
    /// Whom a reservation is for: an order of this shop or of another system, 1 to 64 characters.
    OrderRef
);

impl Sku {
    /// Takes a SKU, trimmed.
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
    /// The keyed hash of an address that is trimmed and lower-cased.
    pub fn of(key: &[u8; 32], email: &str) -> Self {
        Self(blake3::keyed_hash(key, email.as_bytes()).to_hex().as_str().into())
    }

    /// Reads what was written.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(Self(text.into())) } else { Err(InvalidText("64 hexadecimal digits are allowed")) }
    }
}

impl CustomerId {
    /// Whom the customer's personal data tells about.
    pub fn person(&self) -> Person {
        Person::new("customer", self.as_str())
    }

    /// Takes an id as it is.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        opaque(text).map(Self).ok_or(InvalidText("a customer id has 1 to 64 printable characters"))
    }
}

impl OrderRef {
    /// Takes an id as it is, without `:` since reservation ids are `orderId:sku`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let refused = InvalidText("an order id has 1 to 64 printable characters, without `:`");
        if text.contains(':') {
            return Err(refused);
        }
        opaque(text).map(Self).ok_or(refused)
    }
}

impl From<OrderId> for OrderRef {
    fn from(order: OrderId) -> Self {
        Self(order.to_string().into())
    }
}

/// Whether a character can be seen, or is a space between such: neither a control character nor one that
/// only changes how others are shown (Unicode's general category Cf), nor a line or paragraph separator.
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
    fn ids_of_other_systems_are_opaque_but_bounded() {
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
    fn the_longest_sku_is_a_streams_name() {
        let longest = Sku::parse(&"🏺".repeat(64)).unwrap();
        assert_eq!(longest.as_str().len(), 256);
    }

    #[test]
    fn derived_ids_are_the_same_each_time_and_differ_by_what_they_come_from() {
        let order = |n| OrderId(Uuid::from_u128(n));
        assert_eq!(PaymentId::of(order(1)), PaymentId::of(order(1)));
        assert_ne!(PaymentId::of(order(1)), PaymentId::of(order(2)));
        assert_ne!(PaymentId::of(order(1)).0, order(1).0);
        let cart = |name| CartId::of_customer(&CustomerId::parse(name).unwrap());
        assert_eq!(cart("ada"), cart("ada"));
        assert_ne!(cart("ada"), cart("bob"));
    }

    #[test]
    fn an_order_of_this_shop_is_known_to_stock_by_its_id() {
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(OrderRef::parse(&order.to_string()), Ok(OrderRef::from(order)));
    }

    #[test]
    fn names_are_plain_text_in_events() {
        assert_eq!(serde_json::to_string(&Sku::parse("85123A").unwrap()).unwrap(), r#""85123A""#);
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(serde_json::to_string(&order).unwrap(), r#""00000000-0000-0000-0000-000000000007""#);
    }
}
