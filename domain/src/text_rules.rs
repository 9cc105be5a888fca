//! The rule of every text that is stored.

use crate::limits::{
    ATTRIBUTE_BYTES_MAX, DESCRIPTION_BYTES_MAX, IMAGE_URL_CHARS_MAX, NAME_CHARS_MAX, ORDER_CODE_CHARS_MAX,
    PAYMENT_TOKEN_CHARS_MAX, SHORT_CHARS_MAX, TEXT_CHARS_MAX,
};

use crate::text::TextRule;

/// A line of an address, a label or a phone number; may be empty.
pub const SHORT: TextRule = TextRule::line(0, SHORT_CHARS_MAX);
/// A name of a person or a line that an address needs.
pub const SHORT_NEEDED: TextRule = TextRule::line(1, SHORT_CHARS_MAX);
/// A reason; may be empty.
pub const REASON: TextRule = TextRule::lines(0, TEXT_CHARS_MAX);
/// A reason that is needed.
pub const REASON_NEEDED: TextRule = TextRule::lines(1, TEXT_CHARS_MAX);
/// The name of a carrier.
pub const CARRIER: TextRule = TextRule::line(1, TEXT_CHARS_MAX);
/// A tracking number; may be empty.
pub const TRACKING: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// A token of the payment provider.
pub const PAYMENT_TOKEN: TextRule = TextRule::line(1, PAYMENT_TOKEN_CHARS_MAX);
/// The code of an order, as people type it.
pub const ORDER_CODE: TextRule = TextRule::line(1, ORDER_CODE_CHARS_MAX);
/// The name of a product.
pub const PRODUCT_NAME: TextRule = TextRule::line(1, NAME_CHARS_MAX);
/// A category; may be empty.
pub const CATEGORY: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// The name of an attribute or of an option.
pub const PART_NAME: TextRule = TextRule::line(1, TEXT_CHARS_MAX);
/// The value of an option; may be empty.
pub const OPTION_VALUE: TextRule = TextRule::line(0, TEXT_CHARS_MAX);
/// The URL of an image.
pub const IMAGE_URL: TextRule = TextRule::line(1, IMAGE_URL_CHARS_MAX);
/// The description of a product. It comes from elsewhere and is kept as it is: of 19,406 real products four have
/// a separator or a mark there, and six have control characters in attributes.
pub const DESCRIPTION: TextRule = TextRule::foreign(DESCRIPTION_BYTES_MAX);
/// The value of an attribute, which comes from elsewhere too.
pub const ATTRIBUTE_VALUE: TextRule = TextRule::foreign(ATTRIBUTE_BYTES_MAX);
