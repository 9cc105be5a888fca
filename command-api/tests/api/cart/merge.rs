//! Tests of `POST /api/cart/merge`.

use serde_json::{Value, json};
use souk_domain::cart::{Cart, CartCommand};
use souk_domain::{CartId, CustomerId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
use souk_http_shop::{Call, Shop};
use uuid::Uuid;

use crate::cart::{add, guest, state, units};

// Proves: cart.merge-once
#[tokio::test]
async fn a_merge_moves_the_guests_lines_once() {
    let shop = Shop::stocked().await;
    let (guest_cart, token) = guest(&shop).await;
    let own = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    let merge = || Call::post("/api/cart/merge", &json!({"cartToken": token}));
    shop.send(merge()).await.refused(401, "unauthenticated");
    let response = shop.customer("ada", merge().key("m")).await.done(200);
    assert_eq!(response.text("id"), own);
    for _ in 0..2 {
        shop.customer("ada", merge()).await.done(200);
        shop.customer("ada", merge().key("m")).await.done(200);
    }
    assert_eq!(units(&state(&shop, &own).await, "heart"), 3);
    assert!(state(&shop, &guest_cart).await.is_empty());
    let forged = json!({"cartToken": "AAAA"});
    shop.customer("ada", Call::post("/api/cart/merge", &forged))
        .await
        .refused(422, "validation-failed")
        .at("/cartToken", "unknown-token");
}

// Proves: cart.merge-once
#[tokio::test]
async fn an_interrupted_merge_is_completed_once_by_the_next_one() {
    let shop = Shop::stocked().await;
    let (guest_cart, token) = guest(&shop).await;
    let own = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    let from = CartId(guest_cart.parse().unwrap());
    let into = CartId(own.parse().unwrap());
    let id = Uuid::from_u128(77);
    let origin = Origin::new(id, Actor::new("customer", "ada"), CorrelationId::from(id));
    let command = CartCommand::GiveAway { into, at_revision: 0 };
    shop.ports
        .aggregates
        .carts
        .execute(CommandRequest::new(Cart::stream(from), command, origin))
        .await
        .unwrap();
    assert!(state(&shop, &guest_cart).await.is_empty());
    assert_eq!(
        units(&state(&shop, &own).await, "heart"),
        2,
        "the merge is interrupted between the two steps"
    );

    let merge = |by: &'static str| {
        let call = Call::post("/api/cart/merge", &json!({"cartToken": token}));
        shop.customer(by, call)
    };
    merge("bob").await.done(200);
    let bobs = CartId::of_customer(&CustomerId::parse("bob").unwrap());
    assert!(
        shop.ports.aggregates.carts.load(&Cart::stream(bobs)).await.unwrap().is_none(),
        "the lines belong to ada's cart"
    );
    for _ in 0..3 {
        merge("ada").await.done(200);
        assert_eq!(units(&state(&shop, &own).await, "heart"), 3);
    }
    // After many merges of other carts, a repeat still has no effect.
    for _ in 0..20 {
        let (_, other) = guest(&shop).await;
        let call = Call::post("/api/cart/merge", &json!({"cartToken": other}));
        shop.customer("ada", call).await.done(200);
    }
    merge("ada").await.done(200);
    assert_eq!(units(&state(&shop, &own).await, "heart"), 23);
}

// Proves: cart.merge-refused
#[tokio::test]
async fn a_refused_merge_leaves_the_lines_in_the_guests_cart() {
    let shop = Shop::stocked().await;
    let euros = json!({"name": "Foreign", "sku": "euro", "price": {"amount": 1, "currency": "EUR"}});
    shop.admin(Call::post("/api/products", &euros)).await.done(201);
    let (guest_cart, token) = guest(&shop).await;
    let own = shop.customer("ada", add("euro", 1)).await.done(200).text("id");
    let merge = || Call::post("/api/cart/merge", &json!({"cartToken": token}));
    shop.customer("ada", merge())
        .await
        .refused(422, "validation-failed")
        .at("/cartToken", "currency-mismatch");
    let at = |revision: &str| merge().header("if-match", revision);
    shop.customer("ada", Call::delete("/api/cart")).await.done(200);
    shop.customer("ada", at("\"0\"")).await.refused(412, "revision-mismatch");
    assert_eq!(units(&state(&shop, &guest_cart).await, "heart"), 1);
    shop.customer("ada", at("\"1\"").key("m")).await.done(200);
    shop.customer("ada", at("\"1\"").key("m")).await.done(200);
    assert_eq!(units(&state(&shop, &own).await, "heart"), 1);
}

#[tokio::test]
async fn a_repeated_merge_with_a_key_gets_the_same_response() {
    let shop = Shop::stocked().await;
    let (guest_cart, token) = guest(&shop).await;
    let (_, other) = guest(&shop).await;
    let merge = |token: &str| Call::post("/api/cart/merge", &json!({"cartToken": token})).key("m");
    let first = shop.customer("ada", merge(&token)).await.done(200);
    shop.customer("ada", merge(&other)).await.refused(422, "idempotency-key-reused");
    shop.send(add("star", 1).cart(&token)).await.done(200);
    shop.customer("ada", add("star", 1)).await.done(200);
    assert_eq!(shop.customer("ada", merge(&token)).await.done(200).body, first.body);
    assert_eq!(units(&state(&shop, &guest_cart).await, "star"), 1, "the star was added after the merge");
}

// Proves: cart.merge-refused
#[tokio::test]
async fn a_merge_lists_the_lines_that_could_not_take_all_units() {
    let shop = Shop::stocked().await;
    let put =
        |sku: &str, quantity: u32| Call::post("/api/cart/items", &json!({"sku": sku, "quantity": quantity}));
    let first = shop.send(put("heart", 10)).await.done(200);
    let token = first.header("x-cart-token").to_owned();
    shop.send(put("star", 3).cart(&token)).await.done(200);
    shop.customer("ada", put("heart", 999_993)).await.done(200);
    let merge = || Call::post("/api/cart/merge", &json!({"cartToken": token})).key("m");
    let capped = json!([{"sku": "heart", "leftOut": 3}]);
    assert_eq!(shop.customer("ada", merge()).await.done(200).body["capped"], capped);
    assert_eq!(
        shop.customer("ada", merge()).await.done(200).body["capped"],
        capped,
        "a repeat has the same response"
    );
    let unkeyed = Call::post("/api/cart/merge", &json!({"cartToken": token}));
    assert_eq!(
        shop.customer("ada", unkeyed).await.done(200).body.get("capped"),
        None,
        "nothing is left to merge"
    );
}

/// Creates a product that costs 1.00 GBP. Returns its id.
async fn create_product(shop: &Shop, sku: &str) -> String {
    shop.create_product(sku, 100).await
}

#[tokio::test]
async fn the_error_for_a_line_in_another_currency_names_its_sku() {
    let shop = Shop::open().await;
    create_product(&shop, "kettle").await;
    let wok = create_product(&shop, "wok").await;
    for sku in ["kettle", "wok"] {
        shop.customer("ada", add(sku, 2)).await.done(200);
    }
    let yen = json!({"name": "Wok", "sku": "wok", "price": {"amount": 900, "currency": "JPY"}});
    shop.admin(Call::put(&format!("/api/products/{wok}"), &yen)).await.done(200);
    let change = || Call::put("/api/cart/items/wok", &json!({"quantity": 1}));
    let order = |body: Value| shop.customer("ada", Call::post("/api/orders", &body));
    let message = "SKU wok is priced in JPY";
    let message_of_order = "SKU wok is now priced in JPY";
    let refused = shop.customer("ada", change()).await.refused(422, "validation-failed");
    assert!(refused.text("detail").contains(message), "{}", refused.body);
    refused.at("/quantity", "currency-mismatch");
    for accepts in [false, true] {
        let body = json!({"cart": true, "acceptPriceChanges": accepts});
        let refused = order(body).await.refused(422, "validation-failed");
        assert!(refused.text("detail").contains(message_of_order), "{}", refused.body);
        assert!(refused.text("detail").contains("remove its line"), "{}", refused.body);
        refused.at("/cart", "currency-mismatch");
    }
    let lines = json!({"lines": [{"sku": "kettle", "quantity": 1}, {"sku": "wok", "quantity": 1}]});
    let refused = order(lines).await.refused(422, "validation-failed");
    assert!(refused.text("detail").contains(message), "{}", refused.body);
    refused.at("/lines/1/sku", "currency-mismatch");
    // Following the message, the order succeeds.
    shop.customer("ada", Call::delete("/api/cart/items/wok")).await.done(200);
    order(json!({"cart": true})).await.done(202);
}
