use serde_json::json;
use souk_domain::Sku;
use souk_domain::claim::Claim;
use souk_http_shop::{Call, Shop, product_body};

async fn claim_events(shop: &Shop, sku: &str) -> Vec<String> {
    shop.event_types(&Claim::of_sku(&Sku::parse(sku).unwrap())).await
}

// Proves: common.position-of-write
#[tokio::test]
async fn the_response_to_a_new_product_has_location_revision_and_position() {
    let shop = Shop::open().await;
    let response = shop.admin(Call::post("/api/products", &product_body("heart", 255))).await.done(201);
    let id = response.text("id");
    assert_eq!(response.header("location"), format!("/api/products/{id}"));
    assert_eq!((response.header("etag"), response.header("x-position")), ("\"0\"", "2"));
    assert_eq!(response.body, json!({"id": id, "revision": 0, "position": "2"}));
}

// Proves: common.repeat-gets-first-result
// Proves: common.key-of-another-request
#[tokio::test]
async fn a_repeat_with_a_key_gets_the_first_response_and_another_body_is_refused() {
    let shop = Shop::open().await;
    let call = || Call::post("/api/products", &product_body("heart", 255)).key("k");
    let first = shop.admin(call()).await.done(201);
    let path = format!("/api/products/{}", first.text("id"));
    shop.admin(Call::put(&path, &product_body("star", 1))).await.done(200);
    // Another product has the SKU now. The repeat succeeds and does not claim the SKU again.
    shop.create_product("heart", 300).await;
    assert_eq!(
        shop.admin(call()).await.done(201).body,
        json!({"id": first.text("id"), "revision": 0, "position": "2"})
    );
    shop.admin(Call::post("/api/products", &product_body("heart", 256)).key("k"))
        .await
        .refused(422, "idempotency-key-reused");
    // The same key counts separately for another route.
    shop.admin(Call::delete(&path).key("k")).await.done(200);
}

// Proves: products.one-owner-per-sku
#[tokio::test]
async fn a_sku_belongs_to_one_product_until_it_is_released() {
    let shop = Shop::open().await;
    let heart = shop.create_product("heart", 255).await;
    let two = json!({"name": "Two", "variants": [
        {"sku": "star", "price": {"amount": 1, "currency": "GBP"}},
        {"sku": "heart", "price": {"amount": 1, "currency": "GBP"}},
    ]});
    let refused = shop.admin(Call::post("/api/products", &two).key("k")).await;
    refused.refused(409, "sku-taken").at("/variants/1/sku", "sku-taken");
    assert!(
        claim_events(&shop, "star").await.is_empty(),
        "no SKU is claimed if another product has one of them"
    );
    shop.admin(Call::delete(&format!("/api/products/{heart}"))).await.done(200);
    assert_eq!(claim_events(&shop, "heart").await, ["claim.claimed", "claim.released"]);
    // A refusal is not remembered: the same request with the same key succeeds now.
    shop.admin(Call::post("/api/products", &two).key("k")).await.done(201);
    assert_eq!(claim_events(&shop, "star").await.last().unwrap(), "claim.claimed");
    shop.admin(Call::post("/api/products", &product_body("star", 1))).await.refused(409, "sku-taken");
}

#[tokio::test]
async fn a_repeat_with_a_key_succeeds_after_its_sku_went_to_another_product() {
    let shop = Shop::open().await;
    let id = shop.create_product("heart", 255).await;
    let path = format!("/api/products/{id}");
    let put = || Call::put(&path, &product_body("star", 255)).key("k");
    let first = shop.admin(put()).await.done(200);
    shop.admin(Call::put(&path, &product_body("moon", 255))).await.done(200);
    shop.create_product("star", 1).await;
    let again = shop.admin(put()).await.done(200);
    assert_eq!(again.body["revision"], first.body["revision"]);
    shop.admin(Call::post("/api/products", &product_body("moon", 1))).await.refused(409, "sku-taken");
}

// Proves: products.replacing
#[tokio::test]
async fn replacing_a_product_claims_and_releases_skus_and_a_withdrawn_product_stays_withdrawn() {
    let shop = Shop::open().await;
    let id = shop.create_product("heart", 255).await;
    let path = format!("/api/products/{id}");
    let same = shop.admin(Call::put(&path, &product_body("heart", 255))).await.done(200);
    assert_eq!(same.body["revision"], 0);
    shop.admin(Call::put(&path, &product_body("star", 255))).await.done(200);
    assert_eq!(claim_events(&shop, "heart").await, ["claim.claimed", "claim.released"]);
    shop.admin(Call::delete(&path)).await.done(200);
    shop.admin(Call::delete(&path)).await.done(200);
    shop.admin(Call::put(&path, &product_body("star", 255))).await.refused(409, "product-withdrawn");
    assert_eq!(claim_events(&shop, "star").await.last().unwrap(), "claim.released");
    let absent = "/api/products/0199c2aa-bbcc-7000-8000-00000000ffff";
    shop.admin(Call::put(absent, &product_body("moon", 255))).await.refused(404, "not-found");
    shop.admin(Call::delete("/api/products/none")).await.refused(404, "not-found");
    assert!(claim_events(&shop, "moon").await.is_empty());
}

// Proves: common.expected-revision
#[tokio::test]
async fn a_first_write_with_if_match_succeeds_only_at_that_revision() {
    let shop = Shop::open().await;
    let id = shop.create_product("heart", 255).await;
    let change = |amount, revision: &str| {
        Call::put(&format!("/api/products/{id}"), &product_body("heart", amount)).header("if-match", revision)
    };
    shop.admin(change(256, "\"0\"").key("k")).await.done(200);
    shop.admin(change(257, "\"0\"")).await.refused(412, "revision-mismatch");
    // The key is looked up before the revision.
    shop.admin(change(256, "\"0\"").key("k")).await.done(200);
    shop.admin(change(257, "0")).await.refused(400, "invalid-parameter");
}

// Proves: products.product-writers
#[tokio::test]
async fn only_admins_write_products() {
    let shop = Shop::open().await;
    let call = || Call::post("/api/products", &product_body("heart", 255));
    shop.send(call()).await.refused(401, "unauthenticated");
    shop.customer("ada", call()).await.refused(403, "forbidden");
}

// Proves: common.all-errors-at-once
#[tokio::test]
async fn every_error_in_a_product_points_to_its_field() {
    let shop = Shop::open().await;
    let invalid = json!({"name": " ", "attributes": {"a": []}, "variants": [
        {"sku": "a/b", "price": {"amount": 1, "currency": "XXQ"}},
        {"sku": "c", "price": {"amount": 1, "currency": "GBP"}},
    ]});
    let response = shop.admin(Call::post("/api/products", &invalid)).await.refused(422, "validation-failed");
    let response =
        response.at("/variants/0/sku", "invalid-sku").at("/variants/0/price/currency", "unknown-currency");
    response.at("/attributes/a", "invalid-type");
    for amount in [-1_i64, 1_000_000_000_000_000_000] {
        let response = shop.admin(Call::post("/api/products", &product_body("heart", amount))).await;
        response.refused(422, "validation-failed").at("/price/amount", "out-of-range");
    }
    let without_price = json!({"name": "x", "sku": "a"});
    shop.admin(Call::post("/api/products", &without_price)).await.refused(422, "validation-failed");
    let without_variants = json!({"name": "x"});
    shop.admin(Call::post("/api/products", &without_variants))
        .await
        .refused(422, "validation-failed")
        .at("/variants", "invalid-count");
}

#[tokio::test]
async fn pointers_name_the_field_in_the_form_that_the_request_used() {
    let shop = Shop::stocked().await;
    let short = shop.admin(Call::post("/api/products", &product_body("heart", 100))).await;
    short.refused(409, "sku-taken").at("/sku", "sku-taken");
    let long =
        json!({"name": "x", "variants": [{"sku": "heart", "price": {"amount": 1, "currency": "GBP"}}]});
    let long = shop.admin(Call::post("/api/products", &long)).await;
    long.refused(409, "sku-taken").at("/variants/0/sku", "sku-taken");
}
