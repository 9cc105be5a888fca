use std::collections::BTreeSet;

use crate::shop::Shop;

#[tokio::test]
async fn every_read_is_in_the_api_description() {
    let documented: BTreeSet<String> = Shop::open().await.documented.into_iter().collect();
    let expected: BTreeSet<String> = souk_query_api::routes().into_iter().map(|route| route.path).collect();
    assert_eq!(documented, expected);
}
