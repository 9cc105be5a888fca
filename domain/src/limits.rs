//! Limits of the shop, each with its unit.

use souk_eventsourcing::id::STREAM_NAME_BYTES_MAX;

/// Maximum lines in one order or one cart.
pub const LINES_MAX: usize = 2_000;
/// Maximum units of one line.
pub const LINE_UNITS_MAX: u32 = 1_000_000;
/// Maximum units of one SKU on hand.
pub const STOCK_UNITS_MAX: i64 = 1_000_000_000;
/// Maximum price, in minor units.
pub const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;
/// Maximum total of an order, in minor units: far more than a shop needs, and small enough that sums of
/// totals fit into 64 bits.
pub const TOTAL_MINOR_MAX: i64 = 1_000_000_000_000_000;
/// Maximum characters of a SKU.
pub const SKU_CHARS_MAX: usize = 64;
/// Maximum characters of an id that comes from another system: a token's subject, a customer id or an order
/// id.
pub const OPAQUE_ID_CHARS_MAX: usize = 64;
/// Maximum variants of one product.
pub const VARIANTS_MAX: usize = 200;
/// Maximum options of one variant, such as size and color.
pub const OPTIONS_MAX: usize = 50;
/// Maximum attributes of one product.
pub const ATTRIBUTES_MAX: usize = 1_000;
/// Maximum number of bytes of an attribute's value.
pub const ATTRIBUTE_BYTES_MAX: usize = 8 * 1024;
/// Maximum characters of a product's name.
pub const NAME_CHARS_MAX: usize = 500;
/// Maximum number of bytes of a product's description.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Maximum characters of a reason, a carrier, a tracking number, a category, or the name of an attribute.
pub const TEXT_CHARS_MAX: usize = 500;
/// Maximum notes that one order has at a time.
pub const NOTES_MAX: usize = 200;
/// Maximum characters of a note on an order.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Maximum characters of a person's name, a label, a phone number, or a line of an address.
pub const SHORT_CHARS_MAX: usize = 200;
/// Maximum characters of a token of the payment provider.
pub const PAYMENT_TOKEN_CHARS_MAX: usize = 200;
/// Maximum characters of an order code, as people type it.
pub const ORDER_CODE_CHARS_MAX: usize = 20;
/// Maximum characters of the URL of an image.
pub const IMAGE_URL_CHARS_MAX: usize = 2_048;
/// Maximum images of one variant.
pub const IMAGES_MAX: usize = 100;
/// Maximum characters of an id that the payment provider assigns.
pub const PROVIDER_ID_CHARS_MAX: usize = 128;
/// Maximum addresses in the address book of one user.
pub const ADDRESSES_MAX: usize = 50;
/// Maximum characters of an e-mail address: the maximum length of a path in RFC 5321.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Maximum overdue reservations that one command expires.
pub const EXPIRE_MAX: usize = 1_000;
/// Seconds by which the reservations of a checkout outlast its payment timeout.
pub const RESERVATION_GRACE_S: i64 = 300;
/// Seconds after an order in which a checkout of the now empty cart returns the same order.
pub const SECOND_CLICK_S: i64 = 60;

// The most expensive line fits into 64 bits, and so do a thousand totals.
const _: () = assert!(PRICE_MINOR_MAX.checked_mul(LINE_UNITS_MAX as i64).is_some());
const _: () = assert!(TOTAL_MINOR_MAX.checked_mul(1_000).is_some());
// The units of any line fit into the stock of a SKU.
const _: () = assert!(LINE_UNITS_MAX as i64 <= STOCK_UNITS_MAX);
// The longest SKU, with four bytes per character, fits into the stream name of its claim.
const _: () = assert!("claim-sku-".len() + 4 * SKU_CHARS_MAX <= STREAM_NAME_BYTES_MAX);
