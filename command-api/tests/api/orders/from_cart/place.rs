//! Orders with the lines of the cart, and the prices of the lines.

use serde_json::{Value, json};
use souk_domain::cart::Cart;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::{CartId, CustomerId, OrderId};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::{CommandRequest, CorrelationId};
use souk_http_shop::{Call, Shop, product_body};
use uuid::Uuid;

use crate::orders::from_cart::{add, from_cart, orders};

fn adas_cart() -> CartId {
    CartId::of_customer(&CustomerId::parse("ada").unwrap())
}

// Proves: cart.cart-is-emptied
#[tokio::test]
async fn ordering_a_cart_empties_it() {
    let shop = Shop::stocked().await;
    shop.customer("ada", from_cart()).await.refused(409, "cart-empty");
    add(&shop, "heart").await;
    let order = shop.customer("ada", from_cart()).await.done(202);
    assert_eq!(order.text("status"), "PLACED");
    let cart = shop.ports.aggregates.carts.load(&Cart::stream(adas_cart())).await.unwrap().unwrap();
    assert!(cart.state.is_empty());
    assert_eq!(shop.event_types(&Cart::stream(adas_cart())).await, ["cart.item-added", "cart.checked-out"]);
}

// Proves: orders.placed-once
#[tokio::test]
async fn a_repeat_with_a_key_places_no_second_order() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let first = shop.customer("ada", from_cart().key("k")).await.done(202).text("id");
    let click = shop.customer("ada", from_cart().key("second")).await.done(202).text("id");
    assert_eq!(click, first);
    add(&shop, "star").await;
    shop.pass(3600);
    assert_eq!(shop.customer("ada", from_cart().key("k")).await.done(202).text("id"), first);
    let other = Call::post("/api/orders", &json!({"cart": true})).key("k");
    shop.customer("ada", other).await.refused(422, "idempotency-key-reused");
    let lines = Call::post("/api/orders", &json!({"lines": [{"sku": "heart", "quantity": 1}]})).key("k");
    shop.customer("ada", lines).await.refused(422, "idempotency-key-reused");
    let second = shop.customer("ada", from_cart().key("second")).await.done(202);
    assert_eq!(
        second.text("id"),
        first,
        "a repeat returns the order of the second click, even if the cart has lines again"
    );
    assert_eq!(orders(&shop).await, 1);
}

/// The checkout process sends the same command as the request. The second one has no effect.
#[tokio::test]
async fn the_checkout_and_the_request_place_one_order() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let placed = shop.customer("ada", from_cart().key("k")).await.done(202).text("id");
    let order = OrderId(placed.parse().unwrap());
    let events = shop.events(&Order::stream(order)).await;
    let draft = match events[0].decode().unwrap() {
        souk_domain::order::OrderEvent::Placed(event) => event.draft,
        other => panic!("{other:?}"),
    };
    let origin = Origin::new(
        Order::place_command_id(order).0,
        Actor::new("process", "checkout"),
        CorrelationId::from(Uuid::nil()),
    );
    let place = OrderCommand::Place(Box::new(draft));
    let request = CommandRequest::new(Order::stream(order), place, origin).repeatable();
    shop.ports.aggregates.orders.execute(request).await.unwrap();
    assert_eq!(shop.event_types(&Order::stream(order)).await, ["order.placed"]);
}

// Proves: orders.changed-prices
#[tokio::test]
async fn a_changed_price_is_refused_unless_it_is_accepted() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let product_id = shop
        .ports
        .aggregates
        .carts
        .load(&Cart::stream(adas_cart()))
        .await
        .unwrap()
        .unwrap()
        .state
        .cart_lines()[0]
        .product;
    let path = format!("/api/products/{product_id}");
    shop.admin(Call::put(&path, &product_body("heart", 300))).await.done(200);
    shop.customer("ada", from_cart()).await.refused(409, "price-changed").at("/cart", "price-changed");
    let accepted: Value = json!({"cart": true, "acceptPriceChanges": true});
    let id = shop.customer("ada", Call::post("/api/orders", &accepted)).await.done(202).text("id");
    let stream = Order::stream(OrderId(id.parse().unwrap()));
    assert_eq!(
        shop.ports.aggregates.orders.load(&stream).await.unwrap().unwrap().state.total().unwrap().amount,
        600
    );
}

// Proves: orders.changed-prices
#[tokio::test]
async fn a_lower_price_is_used_and_reported() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    let cart = shop.ports.aggregates.carts.load(&Cart::stream(adas_cart())).await.unwrap().unwrap();
    let path = format!("/api/products/{}", cart.state.cart_lines()[0].product);
    shop.admin(Call::put(&path, &product_body("heart", 200))).await.done(200);
    let pence = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    let changes = json!([{"sku": "heart", "shown": pence(255), "charged": pence(200)}]);
    let first = shop.customer("ada", from_cart().key("k")).await.done(202);
    assert_eq!(first.body["priceChanges"], changes);
    let repeat = shop.customer("ada", from_cart().key("k")).await.done(202);
    assert_eq!(repeat.body["priceChanges"], changes);
    let stream = Order::stream(OrderId(first.text("id").parse().unwrap()));
    assert_eq!(
        shop.ports.aggregates.orders.load(&stream).await.unwrap().unwrap().state.total().unwrap().amount,
        400
    );
}

#[tokio::test]
async fn unchanged_prices_are_not_reported() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    assert_eq!(shop.customer("ada", from_cart()).await.done(202).body.get("priceChanges"), None);
}

#[tokio::test]
async fn a_withdrawn_sku_in_the_cart_refuses_the_order_and_the_cart_keeps_its_lines() {
    let shop = Shop::stocked().await;
    add(&shop, "heart").await;
    add(&shop, "star").await;
    let lines = shop
        .ports
        .aggregates
        .carts
        .load(&Cart::stream(adas_cart()))
        .await
        .unwrap()
        .unwrap()
        .state
        .cart_lines();
    shop.admin(Call::delete(&format!("/api/products/{}", lines[1].product))).await.done(200);
    let refused = shop.customer("ada", from_cart()).await.refused(422, "validation-failed");
    assert_eq!(refused.text("detail"), "/cart: SKU star is no longer for sale");
    refused.at("/cart", "withdrawn");
    assert_eq!(orders(&shop).await, 0);
    let cart = shop.ports.aggregates.carts.load(&Cart::stream(adas_cart())).await.unwrap().unwrap();
    assert_eq!(cart.state.cart_lines().len(), 2);
}

#[tokio::test]
async fn a_guest_orders_the_cart_of_the_cart_token() {
    let shop = Shop::stocked().await;
    let token = shop.guest_cart("heart").await;
    let body = json!({"cart": true, "email": "ada@example.org"});
    shop.send(Call::post("/api/orders", &body).cart(&token)).await.done(202);
    shop.send(Call::post("/api/orders", &body)).await.refused(401, "unauthenticated");
    let lines = json!({"lines": [{"sku": "heart", "quantity": 1}], "email": "ada@example.org"});
    let refused = shop.send(Call::post("/api/orders", &lines)).await.refused(401, "unauthenticated");
    let detail = refused.text("detail");
    assert!(detail.contains("X-Cart-Token") && detail.contains("POST /api/cart/items"), "{detail}");
}
