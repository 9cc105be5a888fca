//! The rule for each text that the shop stores.

use crate::limits::{
    ATTRIBUTE_BYTES_MAX, DESCRIPTION_BYTES_MAX, IMAGE_URL_CHARS_MAX, NAME_CHARS_MAX, NOTE_CHARS_MAX,
    ORDER_CODE_CHARS_MAX, PAYMENT_TOKEN_CHARS_MAX, SHORT_CHARS_MAX, TEXT_CHARS_MAX,
};

use crate::text::TextRule;

/// A label, a phone number, or an optional line of an address; may be empty.
pub const SHORT: TextRule = TextRule::line(0, SHORT_CHARS_MAX);
/// A person's name, or a required line of an address.
pub const SHORT_NEEDED: TextRule = TextRule::line(1, SHORT_CHARS_MAX);
/// A reason; may be empty.
pub const REASON: TextRule = TextRule::lines(0, TEXT_CHARS_MAX);
/// A required reason.
pub const REASON_NEEDED: TextRule = TextRule::lines(1, TEXT_CHARS_MAX);
/// Note on an order.
pub const NOTE: TextRule = TextRule::lines(1, NOTE_CHARS_MAX);
/// Name of a carrier.
pub const CARRIER: TextRule = TextRule::line(1, TEXT_CHARS_MAX);
/// Tracking number; may be empty.
pub const TRACKING: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// Token of the payment provider.
pub const PAYMENT_TOKEN: TextRule = TextRule::line(1, PAYMENT_TOKEN_CHARS_MAX);
/// Order code, as people type it.
pub const ORDER_CODE: TextRule = TextRule::line(1, ORDER_CODE_CHARS_MAX);
/// Name of a product.
pub const PRODUCT_NAME: TextRule = TextRule::line(1, NAME_CHARS_MAX);
/// Category path; may be empty.
pub const CATEGORY: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// Name of an attribute or of an option.
pub const PART_NAME: TextRule = TextRule::line(1, TEXT_CHARS_MAX);
/// Value of an option; may be empty.
pub const OPTION_VALUE: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// URL of an image.
pub const IMAGE_URL: TextRule = TextRule::line(1, IMAGE_URL_CHARS_MAX);
/// Description of a product. It comes from another system and is stored unchanged. Of 19,406 real products,
/// four have a description, and six have attributes, with characters that the other rules refuse.
pub const DESCRIPTION: TextRule = TextRule::external(DESCRIPTION_BYTES_MAX);
/// Value of an attribute. It comes from another system and is stored unchanged.
pub const ATTRIBUTE_VALUE: TextRule = TextRule::external(ATTRIBUTE_BYTES_MAX);
