//! The catalogue of problem codes: one table with the status, the title and the explanation of each code.
//!
//! The `type` of a problem document is the address of the page that shows the code's entry: `/problems/CODE`.
//! Codes are part of the public API and never change. A code without an entry is sent as `internal`.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;

use crate::problem::Problem;

/// Entry of the catalogue: a problem code and its explanation.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Problem code. It is part of the public API and never changes.
    pub code: &'static str,
    /// HTTP status of the response.
    pub status: u16,
    /// The problem in a few words.
    pub title: &'static str,
    /// Cause of the problem, and what the caller can do about it.
    pub explanation: &'static str,
}

const fn entry(code: &'static str, status: u16, title: &'static str, explanation: &'static str) -> Entry {
    Entry { code, status, title, explanation }
}

/// Codes of rejections that are about one value of the request, each with the JSON pointer at which most
/// requests have that value. The response to such a rejection is `validation-failed`.
const FIELD_POINTERS: [(&str, &str); 7] = [
    ("unknown-sku", "/sku"),
    ("invalid-quantity", "/quantity"),
    ("quantity-limit", "/quantity"),
    ("total-too-large", "/quantity"),
    ("invalid-amount", "/amount/amount"),
    ("currency-mismatch", "/amount/currency"),
    ("reason-required", "/reason"),
];

/// Returns the JSON pointer of the request field that a rejection is usually about, or `None` if the
/// rejection is about the aggregate.
pub fn pointer_of(code: &str) -> Option<&'static str> {
    FIELD_POINTERS.iter().find(|(known, _)| *known == code).map(|(_, pointer)| *pointer)
}

/// Entry for an error of the shop itself.
const INTERNAL: Entry =
    entry("internal", 500, "Internal error", "The error is in the log, under the correlation id.");

/// All problem codes of the shop.
pub const CATALOGUE: &[Entry] = &[
    entry(
        "malformed-body",
        400,
        "The body is not JSON",
        "The detail says where the JSON parser stopped. Send one JSON document in UTF-8.",
    ),
    entry(
        "api-version-missing",
        400,
        "The version header is missing",
        "Send `X-API-Version: v1` with every request to /api.",
    ),
    entry(
        "body-not-allowed",
        400,
        "This route takes no body",
        "Send the request without a body. `GET /openapi.json` says which routes take one.",
    ),
    entry("api-version-unsupported", 400, "The API version is not supported", "This server supports v1."),
    entry(
        "invalid-parameter",
        400,
        "A parameter or header is invalid",
        "The detail names the parameter or header and the allowed values.",
    ),
    entry(
        "unauthenticated",
        401,
        "Sign-in required",
        "The token is missing, expired or not signed by this shop. Sign in, or create a token with `souk token`.",
    ),
    entry(
        "invalid-signature",
        401,
        "The signature is wrong",
        "Sign the raw body with HMAC-SHA256 under the shared secret and send it in hex as `X-Razorpay-Signature`.",
    ),
    entry("forbidden", 403, "Not allowed", "The token does not have the role that this request needs."),
    entry("not-found", 404, "Not found", "The resource does not exist, or it belongs to another customer."),
    entry(
        "method-not-allowed",
        405,
        "The method is not allowed",
        "The resource does not support this method. The header `Allow` lists the methods that it supports.",
    ),
    entry(
        "sku-taken",
        409,
        "The SKU belongs to another product",
        "A SKU can belong to one product only. Use another SKU, or change the other product.",
    ),
    entry(
        "email-taken",
        409,
        "The e-mail address already has an account",
        "Sign in to that account, or reset its password. An e-mail address can have one account only.",
    ),
    entry(
        "account-not-linked",
        409,
        "The identity is not linked to the account",
        "An account with the same e-mail address exists. Sign in with its password, then link the identity provider.",
    ),
    entry(
        "last-way-to-sign-in",
        409,
        "The only way to sign in can't be removed",
        "The account would be left without a way to sign in. Set a password first, with `/api/auth/password/reset`.",
    ),
    entry(
        "email-not-verified",
        403,
        "The e-mail address is not verified",
        "Verify the e-mail address at the identity provider, then start the sign-in again.",
    ),
    entry(
        "sign-in-needed",
        403,
        "A recent sign-in is required",
        "Sign in again with the identity provider and repeat the request within two minutes. Or set a password.",
    ),
    entry(
        "sign-in-not-begun",
        400,
        "The sign-in was not started in this browser",
        "Start the sign-in again. It must be completed within ten minutes, in the browser that started it, and only once.",
    ),
    entry(
        "sign-in-refused",
        403,
        "The sign-in at the identity provider failed",
        "Start the sign-in again. If it fails again, the detail and the log give the reason.",
    ),
    entry(
        "too-many-addresses",
        409,
        "The address book is full",
        "Delete an address before you add another one.",
    ),
    entry(
        "claim-taken",
        409,
        "The value is taken",
        "The value must be unique, and it already belongs to another owner.",
    ),
    entry("product-not-found", 404, "The product does not exist", "No product with this id was created."),
    entry("product-exists", 409, "The product already exists", "Replace it with PUT."),
    entry(
        "product-withdrawn",
        409,
        "The product was withdrawn",
        "A withdrawn product can't be sold again. Create a new product instead.",
    ),
    entry(
        "insufficient-stock",
        409,
        "Not enough in stock",
        "Fewer units are available than the request needs.",
    ),
    entry(
        "stock-below-reserved",
        409,
        "More units are reserved than would be in stock",
        "Release reservations first, or correct the count.",
    ),
    entry(
        "reservation-exists",
        409,
        "The order has a reservation of another quantity",
        "Release that reservation first.",
    ),
    entry(
        "reservation-not-open",
        409,
        "The order has no open reservation",
        "Either nothing was reserved, or the reservation was released, was confirmed or has expired. Reserve again.",
    ),
    entry("reservation-expired", 409, "The reservation has expired", "Reserve again."),
    entry(
        "price-changed",
        409,
        "Prices changed",
        "Set the lines again to accept the current prices, or send the order with `acceptPriceChanges`.",
    ),
    entry("cart-empty", 409, "The cart is empty", "Add an item first."),
    entry("cart-full", 409, "The cart is full", "A cart has at most 2,000 lines."),
    entry(
        "cart-changed",
        409,
        "The cart has changed",
        "Another request changed the cart at the same time. Read the cart again, then repeat the order.",
    ),
    entry("line-not-found", 404, "The cart has no such line", "The line was removed or never existed."),
    entry(
        "order-not-found",
        404,
        "The order does not exist",
        "No order has this id, or the order belongs to another customer.",
    ),
    entry(
        "order-not-cancellable",
        409,
        "The order can't be cancelled",
        "The order was shipped. Record a return with `/return` instead, unless all goods were returned already.",
    ),
    entry(
        "order-not-payable",
        409,
        "The order is not waiting for payment",
        "Check the order's status. Only an order in PAYMENT_PENDING can be paid.",
    ),
    entry(
        "order-not-reserved",
        409,
        "The order is not fully reserved",
        "Check the order's status. Every line must be reserved first.",
    ),
    entry("order-settled", 409, "The order is already settled", "Check the order's status."),
    entry(
        "order-not-shippable",
        409,
        "The order can't be shipped",
        "Only a confirmed order can be shipped. Correct a wrong carrier or tracking number with `PATCH` on `/shipments/1`.",
    ),
    entry(
        "order-not-shipped",
        409,
        "The order has no shipment",
        "Only the shipment of an order that is SHIPPED or DELIVERED can be corrected.",
    ),
    entry(
        "order-address-erased",
        409,
        "The shipping address was erased",
        "The buyer's personal data was erased. Cancel the order, or give it a new address.",
    ),
    entry(
        "order-address-unreadable",
        409,
        "The shipping address can't be read",
        "The key that decrypts the address is missing. Restore the keys of personal data, give the order an address, or cancel the order.",
    ),
    entry(
        "order-erased",
        409,
        "The personal data of the order was erased",
        "A note on the order can't be kept, because no key is left that could encrypt it.",
    ),
    entry(
        "too-many-notes",
        409,
        "The order has too many notes",
        "Delete a note before you write another one.",
    ),
    entry(
        "order-not-deliverable",
        409,
        "The order can't be marked as delivered",
        "Only a shipped order can be delivered.",
    ),
    entry(
        "order-not-returnable",
        409,
        "The order can't be returned",
        "Only goods that were shipped can be returned.",
    ),
    entry(
        "return-exceeds-order",
        409,
        "More units would be returned than were shipped",
        "The detail says how many units can still be returned.",
    ),
    entry(
        "order-not-changeable",
        409,
        "The address can't be changed",
        "The goods were already shipped, or the order has ended.",
    ),
    entry(
        "payment-not-found",
        404,
        "The payment does not exist",
        "No payment has this id, or the payment belongs to another customer.",
    ),
    entry(
        "payment-in-progress",
        409,
        "Another payment is in progress",
        "Wait until the provider has answered.",
    ),
    entry("payment-already-made", 409, "The order is already paid", "Check the order's status."),
    entry("payment-closed", 409, "The payment is closed", "The order has ended, so it needs no payment."),
    entry(
        "payment-not-captured",
        409,
        "The payment was not captured",
        "Only money that was captured can be refunded.",
    ),
    entry(
        "refund-exceeds-payment",
        409,
        "The refund exceeds the payment",
        "The detail says how much can still be refunded.",
    ),
    entry("refund-not-found", 404, "The refund does not exist", "The payment lists its refunds."),
    entry(
        "too-many-webhooks",
        409,
        "Too many webhooks about an unknown payment",
        "Check the provider's payment id.",
    ),
    entry(
        "idempotency-in-flight",
        409,
        "A request with this key is still in progress",
        "Another request with the same idempotency key is not finished. Wait a moment and repeat.",
    ),
    entry(
        "still-parked",
        409,
        "The retry failed again",
        "The detail names the event that can't be applied. Fix the program, or skip the event with a reason.",
    ),
    entry(
        "too-many-skips",
        409,
        "Too many events are skipped",
        "Fix the read model or process that can't apply these events.",
    ),
    entry(
        "build-not-ready",
        409,
        "The new build can't take over yet",
        "The detail says why. `souk replay` lets the build catch up and tries again.",
    ),
    entry(
        "revision-conflict",
        409,
        "Too many concurrent changes",
        "Other requests changed the resource at the same time, on every try. Repeat the request.",
    ),
    entry(
        "revision-mismatch",
        412,
        "The resource has changed",
        "Read the resource again and send its new revision in `If-Match`.",
    ),
    entry(
        "body-too-large",
        413,
        "The body is too large",
        "The detail says how many bytes the route accepts: 1 MiB at most.",
    ),
    entry(
        "unsupported-media-type",
        415,
        "The content type is not supported",
        "Send `Content-Type: application/json`.",
    ),
    entry(
        "validation-failed",
        422,
        "Some fields are invalid",
        "`errors` lists each invalid field with the values that are allowed.",
    ),
    entry(
        "idempotency-key-reused",
        422,
        "The idempotency key was used for another request",
        "Each request needs a key of its own. Use a new key.",
    ),
    entry(
        "request-timeout",
        408,
        "The body took too long",
        "Nothing was done. Repeat the request, and send the body without long pauses.",
    ),
    entry(
        "export-in-progress",
        429,
        "Another export is in progress",
        "Only one export per person can run at a time. Read the first one to its end, or close its connection, and repeat.",
    ),
    entry("rate-limited", 429, "Too many requests", "Wait for the number of seconds in `Retry-After`."),
    INTERNAL,
    entry(
        "credentials-unavailable",
        503,
        "Sign-in is unavailable",
        "The store of passwords and sessions can't be reached. Repeat the request after a moment.",
    ),
    entry(
        "keys-unavailable",
        503,
        "Personal data is unavailable",
        "The store of the keys that encrypt personal data can't be reached. Repeat the request after a moment.",
    ),
    entry(
        "read-model-behind",
        503,
        "The read model is behind",
        "The read model has not reached the requested position. Repeat after a moment, or request an earlier position.",
    ),
    entry(
        "upstream-unavailable",
        503,
        "An upstream service does not respond",
        "The detail names the service. Repeat the request after a moment.",
    ),
    entry(
        "overloaded",
        503,
        "The server is overloaded",
        "Nothing was done. Wait for the number of seconds in `Retry-After`, then repeat, with fewer requests at once.",
    ),
    entry(
        "log-unavailable",
        503,
        "The event log accepts no writes",
        "The disk of the event log is full or has failed. Reads still work. Operators find the reason at /health/ready.",
    ),
];

/// Returns the entry of a code. For a code without an entry it returns the entry of `internal`; a test checks
/// that the shop uses no such code.
pub fn entry_of(code: &str) -> &'static Entry {
    CATALOGUE.iter().find(|entry| entry.code == code).unwrap_or(&INTERNAL)
}

impl Entry {
    /// Returns the HTTP status as axum's type.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Returns the route of the explanation pages, `/problems/{code}`.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/problems/{code}", get(page))
}

async fn page(Path(code): Path<String>) -> Result<Html<String>, Problem> {
    let entry = CATALOGUE.iter().find(|entry| entry.code == code);
    let entry = entry.ok_or_else(|| Problem::new("not-found", "no problem has this code"))?;
    let Entry { code, status, title, explanation } = entry;
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p><code>{code}</code>, status {status}</p><p>{explanation}</p></html>"
    )))
}

#[cfg(test)]
mod tests;
