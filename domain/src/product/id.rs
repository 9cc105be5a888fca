//! Ids of products and their variants.

use crate::InvalidText;
use crate::characters::is_printable;
use crate::ids::{text_id, uuid_id};
use crate::limits::SKU_CHARS_MAX;

uuid_id!(
    /// Id of a product. Its stream is `product-ID`.
    ProductId
);

text_id!(
    /// A stock-keeping unit: 1 to 64 printable characters, compared exactly, without `:` and `/`.
    Sku
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
    fn the_longest_sku_fits_into_a_stream_name() {
        let longest = Sku::parse(&"🏺".repeat(64)).unwrap();
        assert_eq!(longest.as_str().len(), 256);
    }
}
