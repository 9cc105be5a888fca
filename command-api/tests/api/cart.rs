use serde_json::{Value, json};
use souk_domain::cart::{Cart, CartCommand, CartState};
use souk_domain::{CartId, CustomerId, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
use uuid::Uuid;

use crate::shop::{Call, TestShop, product};

async fn state(shop: &TestShop, cart: &str) -> CartState {
    let cart = CartId(cart.parse().unwrap());
    (*shop.ports.aggregates.carts.load(&Cart::stream(cart)).await.unwrap().unwrap().state).clone()
}

fn units(state: &CartState, sku: &str) -> u32 {
    state.line(&Sku::parse(sku).unwrap()).map_or(0, |line| line.quantity)
}

fn add(sku: &str, quantity: u32) -> Call {
    Call::post("/api/cart/items", &json!({"sku": sku, "quantity": quantity}))
}

/// Creates a guest's cart with one heart. Returns its id and token.
async fn guest(shop: &TestShop) -> (String, String) {
    let response = shop.send(add("heart", 1)).await.done(200);
    (response.text("id"), response.head("x-cart-token").to_owned())
}

#[tokio::test]
async fn a_guest_gets_a_cart_token_with_the_first_write() {
    let shop = TestShop::stocked().await;
    let (cart, token) = guest(&shop).await;
    let again = shop.send(add("heart", 2).cart(&token)).await.done(200);
    assert_eq!((again.text("id"), again.head("x-cart-token")), (cart.clone(), ""));
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 3);
    let other = shop.send(add("heart", 1)).await.done(200);
    assert_ne!(other.text("id"), cart);
}

#[tokio::test]
async fn a_customer_has_one_cart_even_with_a_cart_token() {
    let shop = TestShop::stocked().await;
    let cart = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    assert_eq!(cart, CartId::of_customer(&CustomerId::parse("ada").unwrap()).to_string());
    let (_, token) = guest(&shop).await;
    let response = shop.customer("ada", add("star", 1).cart(&token)).await.done(200);
    assert_eq!((response.text("id"), response.head("x-cart-token")), (cart, ""));
}

#[tokio::test]
async fn a_repeated_add_with_a_key_adds_once_even_if_the_sku_is_no_longer_for_sale() {
    let shop = TestShop::stocked().await;
    let call = || add("heart", 2).key("k");
    let first = shop.customer("ada", call()).await.done(200);
    assert_eq!(shop.customer("ada", call()).await.done(200).body, first.body);
    let cart = first.text("id");
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 2);
    let heart = state(&shop, &cart).await.line(&Sku::parse("heart").unwrap()).unwrap().product;
    shop.admin(Call::delete(&format!("/api/products/{heart}"))).await.done(200);
    assert_eq!(shop.customer("ada", call()).await.done(200).body, first.body);
    shop.customer("ada", add("heart", 3).key("k")).await.refused(422, "idempotency-key-reused");
    shop.customer("ada", add("heart", 3)).await.refused(422, "validation-failed").at("/sku", "unknown-sku");
    // The same key counts separately for another customer.
    shop.customer("bob", add("star", 1).key("k")).await.done(200);
}

#[tokio::test]
async fn lines_are_changed_and_removed_by_sku_or_product() {
    let shop = TestShop::stocked().await;
    let cart = shop.customer("ada", add("heart", 2)).await.done(200).text("id");
    shop.customer("ada", Call::put("/api/cart/items/heart", &json!({"quantity": 5}))).await.done(200);
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 5);
    let product = state(&shop, &cart).await.line(&Sku::parse("heart").unwrap()).unwrap().product;
    shop.customer("ada", Call::put(&format!("/api/cart/items/{product}"), &json!({"quantity": 6})))
        .await
        .done(200);
    assert_eq!(units(&state(&shop, &cart).await, "heart"), 6);
    shop.customer("ada", Call::put("/api/cart/items/heart", &json!({"quantity": 1_000_001})))
        .await
        .refused(422, "validation-failed")
        .at("/quantity", "quantity-limit");
    shop.customer("ada", Call::put("/api/cart/items/star", &json!({"quantity": 1})))
        .await
        .refused(404, "not-found");
    shop.customer("ada", Call::delete(&format!("/api/cart/items/{product}"))).await.done(200);
    assert!(state(&shop, &cart).await.is_empty());
    shop.customer("ada", add("star", 1)).await.done(200);
    shop.customer("ada", Call::delete("/api/cart")).await.done(200);
    assert!(state(&shop, &cart).await.is_empty());
    shop.send(Call::delete("/api/cart")).await.refused(404, "not-found");
}

#[tokio::test]
async fn unknown_and_hidden_skus_and_invalid_quantities_are_refused() {
    let shop = TestShop::stocked().await;
    let mut hidden = product("moon", 1);
    hidden["active"] = Value::Bool(false);
    shop.admin(Call::post("/api/products", &hidden)).await.done(201);
    for sku in ["none", "moon"] {
        shop.send(add(sku, 1)).await.refused(422, "validation-failed").at("/sku", "unknown-sku");
    }
    for quantity in [0, 1_000_001] {
        shop.send(add("heart", quantity))
            .await
            .refused(422, "validation-failed")
            .at("/quantity", "quantity-limit");
    }
    let euros = json!({"name": "Foreign", "sku": "euro", "price": {"amount": 1, "currency": "EUR"}});
    shop.admin(Call::post("/api/products", &euros)).await.done(201);
    let (_, token) = guest(&shop).await;
    shop.send(add("euro", 1).cart(&token))
        .await
        .refused(422, "validation-failed")
        .at("/sku", "currency-mismatch");
}

#[tokio::test]
async fn a_merge_moves_the_guests_lines_once() {
    let shop = TestShop::stocked().await;
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

#[tokio::test]
async fn an_interrupted_merge_is_completed_once_by_the_next_one() {
    let shop = TestShop::stocked().await;
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

#[tokio::test]
async fn a_refused_merge_leaves_the_lines_in_the_guests_cart() {
    let shop = TestShop::stocked().await;
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
    let shop = TestShop::stocked().await;
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

#[tokio::test]
async fn a_merge_lists_the_lines_that_could_not_take_all_units() {
    let shop = TestShop::stocked().await;
    let put =
        |sku: &str, quantity: u32| Call::post("/api/cart/items", &json!({"sku": sku, "quantity": quantity}));
    let first = shop.send(put("heart", 10)).await.done(200);
    let token = first.head("x-cart-token").to_owned();
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
async fn create_product(shop: &TestShop, sku: &str) -> String {
    shop.admin(Call::post("/api/products", &product(sku, 100))).await.done(201).text("id")
}

#[tokio::test]
async fn the_error_for_a_line_in_another_currency_names_its_sku() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn the_error_for_a_quantity_names_the_requested_or_the_resulting_units() {
    let shop = TestShop::stocked().await;
    shop.customer("ada", add("heart", 9)).await.done(200);
    for (quantity, message) in [(0, "0 were requested"), (999_992, "would have 1000001")] {
        let refused = shop.customer("ada", add("heart", quantity)).await.refused(422, "validation-failed");
        assert!(refused.text("detail").contains(message), "{}", refused.body);
    }
}
