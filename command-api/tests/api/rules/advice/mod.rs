//! Advice in the problem catalogue: each problem code with an advice has a test that follows it.

mod followed;

use std::path::Path;

use souk_http::catalogue;

/// Path of the tests that follow an advice and test nothing else.
const FOLLOWED: &str = "command-api/tests/api/rules/advice/followed.rs";

/// Path of the tests of linked identities.
const LINKING: &str = "command-api/tests/api/auth/oidc/linking.rs";

/// The codes whose explanation contains advice, and the file and name of the test that follows it.
const TESTED: &[(&str, &str, &str)] = &[
    ("malformed-body", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("api-version-missing", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("body-not-allowed", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("unsupported-media-type", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("unauthenticated", "command-api/tests/api/auth/refresh.rs", "a_repeated_refresh_token_ends_its_session"),
    ("invalid-signature", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("idempotency-key-reused", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("revision-mismatch", FOLLOWED, "advice_about_the_form_of_a_request_helps"),
    ("sku-taken", FOLLOWED, "advice_about_products_helps"),
    ("product-withdrawn", FOLLOWED, "advice_about_products_helps"),
    ("email-taken", FOLLOWED, "advice_about_accounts_helps"),
    ("too-many-addresses", FOLLOWED, "advice_about_accounts_helps"),
    ("last-way-to-sign-in", LINKING, "an_identity_is_unlinked_unless_it_is_the_only_way_to_sign_in"),
    ("account-not-linked", LINKING, "an_existing_account_is_linked_by_its_owner_only"),
    ("email-not-verified", LINKING, "an_existing_account_is_linked_by_its_owner_only"),
    ("sign-in-needed", LINKING, "a_user_without_a_password_confirms_an_erasure_by_a_recent_sign_in"),
    ("stock-below-reserved", FOLLOWED, "advice_about_stock_helps"),
    ("reservation-exists", FOLLOWED, "advice_about_stock_helps"),
    ("reservation-not-open", FOLLOWED, "advice_about_stock_helps"),
    ("reservation-expired", FOLLOWED, "advice_about_stock_helps"),
    ("price-changed", FOLLOWED, "advice_about_carts_helps"),
    ("cart-empty", FOLLOWED, "advice_about_carts_helps"),
    ("order-not-cancellable", FOLLOWED, "advice_about_orders_helps"),
    ("too-many-notes", "command-api/tests/api/orders/notes.rs", "an_order_has_a_limited_number_of_notes"),
    ("order-not-shippable", FOLLOWED, "advice_about_orders_helps"),
    ("order-address-erased", FOLLOWED, "advice_about_an_order_without_an_address_helps"),
    (
        "payment-in-progress",
        "command-api/tests/api/payments/intents.rs",
        "an_order_that_waits_for_payment_is_paid_in_full",
    ),
    ("still-parked", "tests/shop/replay.rs", "an_unreadable_event_parks_only_its_order"),
    ("export-in-progress", "query-api/tests/api/users/export.rs", "a_person_has_one_export_at_a_time"),
];

/// The codes whose advice is to repeat the request later or to start again. These requests contain no
/// mistake, so no test follows the advice.
const REPEAT_LATER: &[&str] = &[
    "cart-changed",
    "credentials-unavailable",
    "idempotency-in-flight",
    "keys-unavailable",
    "overloaded",
    "rate-limited",
    "read-model-behind",
    "request-timeout",
    "revision-conflict",
    "sign-in-not-begun",
    "sign-in-refused",
    "upstream-unavailable",
];

/// The codes whose advice is for operators, and the codes that no HTTP response contains.
const NOT_FOR_CALLERS: &[&str] = &["product-exists", "too-many-skips"];

/// First words of sentences that give advice. `Check` is not in the list: it only tells where to look.
const ADVISING: [&str; 19] = [
    "Add", "Cancel", "Correct", "Create", "Delete", "Fix", "Read", "Record", "Release", "Repeat", "Replace",
    "Reserve", "Send", "Set", "Sign", "Start", "Use", "Verify", "Wait",
];

#[test]
fn all_advice_in_the_catalogue_has_a_test() {
    let advises = |explanation: &str| {
        let mut verbs = explanation.split(". ").filter_map(|sentence| sentence.split([' ', ',', '.']).next());
        verbs.any(|verb| ADVISING.contains(&verb))
    };
    for entry in catalogue::entries() {
        let is_listed = TESTED.iter().any(|(code, ..)| *code == entry.code);
        let is_covered =
            is_listed || REPEAT_LATER.contains(&entry.code) || NOT_FOR_CALLERS.contains(&entry.code);
        assert!(is_covered || !advises(entry.explanation), "{}: {}", entry.code, entry.explanation);
        assert!(!is_covered || advises(entry.explanation), "{} has no advice", entry.code);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (code, file, test) in TESTED {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let body = source.split_once(&format!("fn {test}(")).map(|(_, rest)| rest.split_once("\n}\n"));
        let body = body.flatten().unwrap_or_else(|| panic!("{file} has no test {test}")).0;
        assert!(body.contains(code), "{test} does not test {code}");
    }
}
