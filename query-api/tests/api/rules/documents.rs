//! The API document of the reads.

use std::collections::BTreeSet;

use souk_http_shop::Shop;

// Proves: operations.api-document
#[tokio::test]
async fn every_read_is_in_the_api_description() {
    let shop = Shop::open().await;
    let state = || shop.reads.state.clone();
    let reads = souk_query_api::router(state()).merge(souk_query_api::log_browser(shop.log.clone(), state()));
    let documented: BTreeSet<String> = reads.into_openapi().paths.paths.into_keys().collect();
    let expected: BTreeSet<String> = souk_query_api::routes().into_iter().map(|route| route.path).collect();
    assert_eq!(documented, expected);
}
