//! Tests of `GET /api/products/{id}`.

use serde_json::json;
use souk_domain::product::event::{Attribute, AttributeKind, Withdrawn};
use souk_domain::product::{Content, Product, ProductEvent};
use souk_http_shop::{Call, Shop, content, product_id};

use crate::products::{names, shop_with_products};

// Proves: products.product-availability
#[tokio::test]
async fn a_product_shows_the_available_units_of_each_variant() {
    let shop = Shop::open().await;
    let attribute =
        |name: &str, kind, value: &str| Attribute { name: name.into(), kind, value: value.into() };
    let attributes = vec![
        attribute("colour", AttributeKind::Text, "white"),
        attribute("fragile", AttributeKind::Boolean, "true"),
        attribute("weight", AttributeKind::Number, "1.5"),
    ];
    let lamp = content("Lamp", "home/lighting", &[("A1", 255), ("A2", 300)]);
    shop.append_product(1, Content { attributes, ..lamp }).await;
    shop.append_count("A1", 7).await;
    shop.append_noted(&Product::stream(product_id(1))).await;
    shop.project().await;
    let id = product_id(1).to_string();
    let response = shop.send(Call::get(&format!("/api/products/{id}"))).await;
    assert_eq!(response.headers["etag"], "\"1\"");
    let variant = |sku: &str, amount: i64, available: i64| json!({"sku": sku, "options": {}, "price": {"amount": amount, "currency": "GBP"}, "images": [], "available": available});
    let expected = json!({
        "id": id, "name": "Lamp", "description": "", "category": "home/lighting",
        "attributes": {"colour": "white", "fragile": true, "weight": 1.5}, "active": true,
        "variants": [variant("A1", 255, 7), variant("A2", 300, 0)],
        "createdAt": "2026-11-21T12:01:00Z", "updatedAt": "2026-11-21T12:01:00Z",
        "revision": 1, "position": "3",
    });
    assert_eq!(response.body, expected);
    let listed = shop.send(Call::get("/api/products")).await;
    assert_eq!(listed.body, json!({"items": [expected], "nextCursor": null, "position": "3"}));
}

// Proves: products.hidden-products
#[tokio::test]
async fn customers_do_not_find_withdrawn_unknown_or_inactive_products() {
    let shop = shop_with_products().await;
    let withdrawn = ProductEvent::from(Withdrawn { removed_skus: Vec::new() });
    shop.append(&Product::stream(product_id(1)), withdrawn).await;
    shop.project().await;
    for number in [1, 3, 99] {
        shop.send(Call::get(&format!("/api/products/{}", product_id(number))))
            .await
            .refused(404, "not-found");
    }
    shop.send(Call::get("/api/products/nonsense")).await.refused(404, "not-found");
    let hidden = shop.admin(Call::get(&format!("/api/products/{}", product_id(3)))).await;
    assert_eq!(hidden.body["active"], false);
    assert!(!names(&shop, "").await.contains(&"Zinc lamp".to_owned()));
}
