//! What the shop takes at most, each with its unit.

use souk_eventsourcing::id::STREAM_NAME_BYTES_MAX;

/// Order lines in one order, cart lines in one cart.
pub const LINES_MAX: usize = 2_000;
/// Units of one line.
pub const LINE_UNITS_MAX: u32 = 1_000_000;
/// Units of one SKU on hand.
pub const STOCK_UNITS_MAX: i64 = 1_000_000_000;
/// A price, in minor units.
pub const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;
/// The total of an order, in minor units: far above any shop, far below where sums of them overflow.
pub const TOTAL_MINOR_MAX: i64 = 1_000_000_000_000_000;
/// Characters of a SKU.
pub const SKU_CHARS_MAX: usize = 64;
/// Characters of a subject, customer id, or order id of another system.
pub const OPAQUE_ID_CHARS_MAX: usize = 64;
/// Variants of one product.
pub const VARIANTS_MAX: usize = 200;
/// Options of one variant, as in size and colour.
pub const OPTIONS_MAX: usize = 50;
/// Attributes of one product.
pub const ATTRIBUTES_MAX: usize = 1_000;
/// Bytes of an attribute's value.
pub const ATTRIBUTE_BYTES_MAX: usize = 8 * 1024;
/// Characters of a product's name.
pub const NAME_CHARS_MAX: usize = 500;
/// Bytes of a product's description.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Characters of a reason, a carrier, a tracking number, a category, the name of an attribute.
pub const TEXT_CHARS_MAX: usize = 500;
/// Characters of a person's name, a label, a phone number, a line of an address.
pub const SHORT_CHARS_MAX: usize = 200;
/// Characters of a token of the payment provider.
pub const PAYMENT_TOKEN_CHARS_MAX: usize = 200;
/// Characters of an order's code, as people type it.
pub const ORDER_CODE_CHARS_MAX: usize = 20;
/// Characters of the URL of an image.
pub const IMAGE_URL_CHARS_MAX: usize = 2_048;
/// Images of one variant.
pub const IMAGES_MAX: usize = 100;
/// Characters of an id that the payment provider gives.
pub const PROVIDER_ID_CHARS_MAX: usize = 128;
/// Addresses in somebody's book.
pub const ADDRESSES_MAX: usize = 50;
/// Characters of an e-mail address: what a path of RFC 5321 holds.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Overdue reservations that one command expires.
pub const EXPIRE_MAX: usize = 1_000;
/// Seconds by which a checkout's reservations outlive its payment timeout.
pub const RESERVATION_GRACE_S: i64 = 300;
/// Seconds in which a second click on "order" answers the first order.
pub const SECOND_CLICK_S: i64 = 60;

// A line at its dearest fits 64 bits, and so do a thousand totals.
const _: () = assert!(PRICE_MINOR_MAX.checked_mul(LINE_UNITS_MAX as i64).is_some());
const _: () = assert!(TOTAL_MINOR_MAX.checked_mul(1_000).is_some());
// Any line fits on a shelf.
const _: () = assert!(LINE_UNITS_MAX as i64 <= STOCK_UNITS_MAX);
// Every character has a byte at least.
// The longest SKU, of characters of four bytes, fits into the name of its claim.
const _: () = assert!("claim-sku-".len() + 4 * SKU_CHARS_MAX <= STREAM_NAME_BYTES_MAX);
