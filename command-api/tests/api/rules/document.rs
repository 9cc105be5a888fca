//! The API document of the writes.

use souk_http_shop::Shop;

#[tokio::test]
async fn every_write_of_the_document_has_a_summary() {
    let shop = Shop::open().await;
    let api = souk_command_api::router(shop.ports.clone()).into_openapi();
    let api = serde_json::to_value(&api).unwrap();
    let paths = api["paths"].as_object().unwrap();
    assert!(!paths.is_empty());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let is_key_set = path == "/.well-known/jwks.json";
            assert!(is_key_set || operation["summary"].is_string(), "{method} {path}");
        }
    }
}
