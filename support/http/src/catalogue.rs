//! All codes of problems, in one table: what each means and what to do about it.
//!
//! `type` of a problem is the page that shows its entry: `/problems/CODE`.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;

use crate::problem::Problem;

/// A code and what is to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Stable.
    pub code: &'static str,
    /// The status it is answered with.
    pub status: u16,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Cause and cure.
    pub explanation: &'static str,
}

const fn entry(code: &'static str, status: u16, title: &'static str, explanation: &'static str) -> Entry {
    Entry { code, status, title, explanation }
}

/// Rejections of a value that stands in the request, and where it mostly stands: they are answered as
/// `validation-failed`.
const OF_FIELDS: [(&str, &str); 6] = [
    ("invalid-quantity", "/quantity"),
    ("quantity-limit", "/quantity"),
    ("total-too-large", "/quantity"),
    ("invalid-amount", "/amount/amount"),
    ("currency-mismatch", "/amount/currency"),
    ("reason-required", "/reason"),
];

/// Where the value mostly stands that a rejection is about; none when it is about the aggregate.
pub fn place_of(code: &str) -> Option<&'static str> {
    OF_FIELDS.iter().find(|(known, _)| *known == code).map(|(_, pointer)| *pointer)
}

/// What is answered when something is wrong with the shop itself.
const INTERNAL: Entry =
    entry("internal", 500, "Something is wrong here", "It was logged under the correlation id.");

/// The table.
pub const CATALOGUE: &[Entry] = &[
    entry(
        "malformed-body",
        400,
        "The body is not JSON",
        "The detail says where reading it failed. Send one JSON document in UTF-8.",
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
        "No body belongs to this route",
        "Send the request without a body. The list of routes in docs/ACCESS.md says which take one.",
    ),
    entry("api-version-unsupported", 400, "The version is not supported", "This server speaks v1."),
    entry(
        "invalid-parameter",
        400,
        "A parameter is not allowed",
        "The detail names the parameter or header and what is allowed.",
    ),
    entry(
        "unauthenticated",
        401,
        "Who asks is not known",
        "The token is missing, expired or not signed by this shop. `souk token` makes one.",
    ),
    entry(
        "invalid-signature",
        401,
        "The signature is wrong",
        "Sign the raw body with HMAC-SHA256 under the shared secret and send it in hex as `X-Razorpay-Signature`.",
    ),
    entry("forbidden", 403, "Not allowed", "The token's roles don't include the one that is needed."),
    entry("not-found", 404, "Not found", "There is nothing here, or it belongs to somebody else."),
    entry(
        "method-not-allowed",
        405,
        "The method is not allowed",
        "The resource is here and has other methods; `Allow` lists them.",
    ),
    entry(
        "sku-taken",
        409,
        "The SKU belongs to another product",
        "A SKU is sold by one product. Use another SKU or change that product.",
    ),
    entry(
        "email-taken",
        409,
        "There is an account with this e-mail address",
        "Sign in with it, or reset its password. An address is one account's.",
    ),
    entry(
        "account-not-linked",
        409,
        "The identity is not linked to the account",
        "Sign in with the password first, then connect the identity provider from there. Both have the same e-mail address.",
    ),
    entry(
        "last-way-to-sign-in",
        409,
        "It is the only way to sign in",
        "Nobody could sign in to the account any more. Set a password first, by `/api/auth/password/reset`.",
    ),
    entry(
        "email-not-verified",
        403,
        "No e-mail address is known to be theirs",
        "Verify the address at the identity provider, then begin again.",
    ),
    entry(
        "sign-in-needed",
        403,
        "The sign-in is too long ago",
        "Sign in again through the identity provider and repeat the request within two minutes, or set a password.",
    ),
    entry(
        "sign-in-not-begun",
        400,
        "There is no such sign-in",
        "A sign-in through an identity provider ends in the browser where it began, within ten minutes, once.",
    ),
    entry(
        "sign-in-refused",
        403,
        "The identity provider signed nobody in",
        "Begin again. If it goes on, the detail and the log say what was wrong.",
    ),
    entry(
        "too-many-addresses",
        409,
        "The address book is full",
        "Take an address out before you put another in.",
    ),
    entry("claim-taken", 409, "It belongs to somebody else", "What must be unique has another owner."),
    entry("product-not-found", 404, "There is no such product", "It was never created here."),
    entry("product-exists", 409, "The product is there already", "Replace it with PUT."),
    entry(
        "product-withdrawn",
        409,
        "The product was withdrawn",
        "It stays withdrawn. Create a new product in its place.",
    ),
    entry("insufficient-stock", 409, "Not enough in stock", "Fewer units are available than were asked for."),
    entry(
        "stock-below-reserved",
        409,
        "More is promised than would be there",
        "Release reservations first, or count again.",
    ),
    entry("reservation-exists", 409, "The order holds another quantity", "Release its reservation first."),
    entry(
        "reservation-not-open",
        409,
        "Nothing is held for the order",
        "It was never reserved, or released, confirmed or expired since. Reserve again.",
    ),
    entry("reservation-expired", 409, "The reservation expired", "Reserve again."),
    entry(
        "price-changed",
        409,
        "Prices changed",
        "Set the lines again to take them at the prices of now, or order with `acceptPriceChanges`.",
    ),
    entry("cart-empty", 409, "The cart is empty", "Put something in first."),
    entry("cart-full", 409, "The cart is full", "A cart has at most 2,000 lines."),
    entry(
        "cart-changed",
        409,
        "The cart was changed meanwhile",
        "Repeat the order, after a look at the cart.",
    ),
    entry("line-not-found", 404, "The cart has no such line", "It was removed, or never there."),
    entry(
        "order-not-found",
        404,
        "There is no such order",
        "There is nothing here, or it belongs to somebody else.",
    ),
    entry(
        "order-not-cancellable",
        409,
        "The order can't be cancelled",
        "It was shipped. Take the goods back instead, with `/return`, unless they are back already.",
    ),
    entry("order-not-payable", 409, "The order doesn't wait for payment", "Look at its status."),
    entry("order-not-reserved", 409, "Not all of the order is reserved", "Look at its status."),
    entry("order-settled", 409, "The order is settled", "Look at its status."),
    entry(
        "order-not-shippable",
        409,
        "The order can't be shipped",
        "Only confirmed orders are shipped. Correct a mistyped carrier or tracking number with `PATCH` of `/shipments/1`.",
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
        "Where the goods go was erased",
        "Whoever ordered was erased. Cancel the order, or give it an address.",
    ),
    entry(
        "order-address-unreadable",
        409,
        "Where the goods go can't be read",
        "The key that opens the address is missing. Restore the keys of people, give the order an address, or cancel it.",
    ),
    entry("order-not-deliverable", 409, "The order can't be delivered", "Only shipped orders arrive."),
    entry(
        "order-not-returnable",
        409,
        "Goods of the order can't come back",
        "Only goods that were shipped do.",
    ),
    entry(
        "return-exceeds-order",
        409,
        "More would come back than was sent",
        "The detail says how many units are left.",
    ),
    entry("order-not-changeable", 409, "The address can't be changed", "The goods are on their way."),
    entry(
        "payment-not-found",
        404,
        "There is no such payment",
        "There is nothing here, or it belongs to somebody else.",
    ),
    entry("payment-in-progress", 409, "A payment is under way", "Wait for its answer."),
    entry("payment-already-made", 409, "The order is paid", "Look at the order."),
    entry("payment-closed", 409, "Nobody waits for this payment", "The order has ended."),
    entry("payment-not-captured", 409, "Nothing was taken", "Only money that was captured is refunded."),
    entry("refund-exceeds-payment", 409, "More than is left", "The detail says how much is left to refund."),
    entry("refund-not-found", 404, "There is no such refund", "Look at the payment."),
    entry(
        "too-many-webhooks",
        409,
        "Too many webhooks about an unknown payment",
        "Look at the provider's payment id.",
    ),
    entry(
        "idempotency-in-flight",
        409,
        "The request is still under way",
        "The same key was sent a moment ago. Wait and repeat.",
    ),
    entry(
        "still-parked",
        409,
        "It still can't be brought further",
        "The detail says which event is in the way. Mend the program, or skip the event with a reason.",
    ),
    entry(
        "too-many-skips",
        409,
        "Too much is skipped",
        "Mend the read model or process that can't take so many events.",
    ),
    entry(
        "build-not-ready",
        409,
        "The build can't become live yet",
        "The detail says why. `souk replay` lets it catch up and asks again.",
    ),
    entry("revision-conflict", 409, "Others were quicker too often", "Repeat the request."),
    entry(
        "revision-mismatch",
        412,
        "The resource has moved on",
        "Read it again and send its new revision in `If-Match`.",
    ),
    entry(
        "body-too-large",
        413,
        "The body is too large",
        "The detail says how many bytes the route takes: 1 MiB at most.",
    ),
    entry(
        "unsupported-media-type",
        415,
        "The content type is not supported",
        "Send `Content-Type: application/json`.",
    ),
    entry("validation-failed", 422, "Fields are not allowed", "`errors` names each with what is allowed."),
    entry(
        "idempotency-key-reused",
        422,
        "The key was used for another request",
        "A key belongs to one request. Make a new one.",
    ),
    entry(
        "request-timeout",
        408,
        "The body took too long",
        "Send the body without long pauses. Nothing was done.",
    ),
    entry(
        "export-in-progress",
        429,
        "An export is being written",
        "A person has one export at a time. Read the first to its end, or close its connection, and repeat.",
    ),
    entry("rate-limited", 429, "Too many requests", "Wait as long as `Retry-After` says."),
    INTERNAL,
    entry(
        "credentials-unavailable",
        503,
        "Nobody can sign in",
        "Where passwords and sessions are kept can't be reached. Repeat the request after a moment.",
    ),
    entry(
        "keys-unavailable",
        503,
        "Personal data can't be read or written",
        "The keys that personal data is sealed with can't be reached. Repeat the request after a moment.",
    ),
    entry(
        "read-model-behind",
        503,
        "The answer is not that far yet",
        "Repeat after a moment, or ask for an earlier position.",
    ),
    entry(
        "upstream-unavailable",
        503,
        "A service behind this one doesn't answer",
        "Repeat after a moment; the detail says which.",
    ),
    entry(
        "overloaded",
        503,
        "The server holds as much as it can",
        "Nothing was done. Repeat the request after `Retry-After`, with fewer requests at once.",
    ),
    entry(
        "log-unavailable",
        503,
        "The log takes no writes",
        "Its disk is full or failed. Reads go on; operators look at /health/ready.",
    ),
];

/// The entry of a code; that of `internal` for one that the table lacks, which a test keeps from happening.
pub fn entry_of(code: &str) -> &'static Entry {
    CATALOGUE.iter().find(|entry| entry.code == code).unwrap_or(&INTERNAL)
}

impl Entry {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// `/problems/CODE`.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/problems/{code}", get(page))
}

async fn page(Path(code): Path<String>) -> Result<Html<String>, Problem> {
    let entry = CATALOGUE.iter().find(|entry| entry.code == code);
    let entry = entry.ok_or_else(|| Problem::new("not-found", "there is no problem of this name"))?;
    let Entry { code, status, title, explanation } = entry;
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p><code>{code}</code>, status {status}</p><p>{explanation}</p></html>"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CATALOGUE.len());
        assert!(CATALOGUE.iter().all(|entry| entry.status >= 400 && !entry.explanation.is_empty()));
    }

    /// Source files under a folder, whole.
    fn sources(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// What stands in quotes behind each `mark`.
    fn quoted_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(mark).skip(1).filter_map(|rest| rest.split_once('"').map(|(code, _)| code))
    }

    #[test]
    fn every_code_that_the_shop_answers_is_in_the_table() {
        let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        let root = std::path::Path::new(&manifest).parent().unwrap();
        let mut used = std::collections::BTreeSet::new();
        for (folder, mark) in [
            ("domain/src", "=> \""),
            ("support/http/src", "Problem::new(\""),
            ("command-api/src", "Problem::new(\""),
            ("query-api/src", "Problem::new(\""),
        ] {
            let mut files = Vec::new();
            sources(&root.join(folder), &mut files);
            for text in &files {
                let is_code_table = folder != "domain/src" || text.contains("impl Rejection for");
                used.extend(quoted_after(text, mark).filter(|_| is_code_table).map(str::to_owned));
            }
        }
        // Whatever isn't there is answered as `not-found`.
        let is_absence = |code: &str| code.ends_with("-not-found");
        let is_missing = |code: &&String| {
            !is_absence(code)
                && CATALOGUE.iter().all(|entry| entry.code != code.as_str())
                && place_of(code).is_none()
        };
        let missing: Vec<_> = used.iter().filter(is_missing).collect();
        assert!(used.len() > 30 && missing.is_empty(), "{missing:?}");
    }
}
