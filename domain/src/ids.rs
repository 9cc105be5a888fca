//! Ids: each has its own type, so that one cannot be used in place of another.
//!
//! The types are in the `id.rs` of their aggregate. This module has their common code.

use crate::characters::is_printable;
use crate::limits::OPAQUE_ID_CHARS_MAX;

/// Reason why a text is not a valid id or e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub &'static str);

/// Defines an id that is a UUID.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// Parses the spelling that `Display` writes: lower case, with dashes. An id has only this
            /// spelling, so that all routes agree on which ids exist.
            pub fn parse(text: &str) -> Result<Self, $crate::InvalidText> {
                let id = uuid::Uuid::try_parse(text).ok().map(Self).filter(|id| id.to_string() == text);
                id.ok_or($crate::InvalidText("an id is a UUID in lower case, with dashes"))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use uuid_id;

/// Defines an id that is a text. It has no public constructor: the `parse` of each id checks its form.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_id;

/// Checks the form of an id that another system made: 1 to 64 printable characters.
pub(crate) fn opaque(text: &str) -> Option<Box<str>> {
    let fits = (1..=OPAQUE_ID_CHARS_MAX).contains(&text.chars().count());
    (fits && text.chars().all(is_printable)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::{CustomerId, OrderId, OrderRef, Sku};

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
    fn an_id_of_this_shop_has_one_spelling() {
        let order = OrderId(Uuid::from_u128(0xabc));
        let text = order.to_string();
        assert_eq!(OrderId::parse(&text), Ok(order));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            String::new(),
        ] {
            assert!(OrderId::parse(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn ids_are_serialized_as_plain_text() {
        assert_eq!(serde_json::to_string(&Sku::parse("85123A").unwrap()).unwrap(), r#""85123A""#);
        let order = OrderId(Uuid::from_u128(7));
        assert_eq!(serde_json::to_string(&order).unwrap(), r#""00000000-0000-0000-0000-000000000007""#);
    }
}
