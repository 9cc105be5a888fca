//! For each route with text fields: a shop in which a request to the route succeeds, and a valid body. Only
//! routes for which the example of the API document is not enough are listed here.

use serde_json::{Value, json};
use souk_domain::RefundId;
use souk_domain::payment::PaymentCommand;
use souk_http_shop::{Call, Response, Shop};

use crate::auth::signed_up;
use crate::orders::confirmed;
use crate::payments::signed;
use crate::payments::{capture, record, unpaid_order};
use crate::rules::examples::{self, example};

/// A shop that is prepared for requests to a route.
pub(crate) struct Stage {
    pub(crate) shop: Shop,
    /// Valid bodies. Together they have every field of the route.
    pub(crate) bodies: Vec<Value>,
    method: String,
    path: String,
    sender: Sender,
}

/// The sender of the requests.
enum Sender {
    Admin,
    User(String),
    Provider,
    Importer,
}

fn address() -> Value {
    json!({"name": "Ada", "line1": "1 Test St", "line2": "Flat 2", "city": "London", "region": "Greater London",
        "postalCode": "N1 1AA", "country": "GB", "phone": "+44 20 7946 0000"})
}

fn products() -> Vec<Value> {
    let price = json!({"amount": 255, "currency": "GBP"});
    let variant = json!({"sku": "85123A", "options": {"size": "medium"}, "price": price,
        "images": ["https://example.org/lantern.png"]});
    vec![
        json!({"name": "White hanging heart", "description": "A lantern of glass.", "category": "home/lighting",
            "attributes": {"colour": "white"}, "variants": [variant]}),
        json!({"name": "White hanging heart", "sku": "85123A", "price": price}),
    ]
}

/// Creates a dead letter. Returns the id of its refund.
pub(crate) async fn refused_refund(shop: &Shop) -> String {
    let payment = paid(shop).await;
    let refund = Call::post(&format!("/api/payments/{payment}/refunds"), &json!({"reason": "broken"}));
    let refund = shop.admin(refund).await.done(201).text("id");
    let code = "refund-declined".into();
    let detail = "the account is closed".into();
    let refused =
        PaymentCommand::RecordRefundFailed { refund: RefundId(refund.parse().unwrap()), code, detail };
    record(shop, &payment, refused).await;
    refund
}

async fn paid(shop: &Shop) -> String {
    let order = unpaid_order(shop).await;
    let intent = json!({"orderId": order, "token": "tok_ok"});
    let payment =
        shop.customer("ada", Call::post("/api/payments/intents", &intent)).await.done(201).text("id");
    capture(shop, &payment).await;
    payment
}

/// Path of a route's resource, and valid bodies.
type Prepared = (String, Vec<Value>);

/// Creates the resource of a route. The body for a route that is not listed here is the example of the API
/// document. Returns `None` if such a route has parameters other than the id of its resource.
async fn prepare(shop: &Shop, route: &str) -> Option<Prepared> {
    let path = route.split_once(' ')?.1;
    if let Some(prepared) = prepare_goods(shop, route, path).await {
        return Some(prepared);
    }
    if let Some(prepared) = prepare_order(shop, route, path).await {
        return Some(prepared);
    }
    if let Some(prepared) = prepare_other(route, path) {
        return Some(prepared);
    }
    let body = example(route)?;
    Some((examples::path(shop, path).await?, vec![body]))
}

/// Prepares the routes of products and stock.
async fn prepare_goods(shop: &Shop, route: &str, path: &str) -> Option<Prepared> {
    let of = |id: &str| path.replace("{id}", id);
    Some(match route {
        "POST /api/products" => (path.to_owned(), products()),
        "PUT /api/products/{id}" => (of(&shop.create_product("85123A", 1).await), products()),
        "POST /api/inventory/stock" => {
            let counted = json!({"sku": "heart", "onHand": 100});
            (path.to_owned(), vec![json!({"sku": "heart", "change": 5, "reason": "delivery"}), counted])
        }
        "POST /api/inventory/reserve" => {
            (path.to_owned(), vec![json!({"orderId": "order-7", "sku": "heart", "quantity": 1})])
        }
        "POST /api/inventory/release" | "POST /api/inventory/confirm" => {
            let reservation = json!({"orderId": "order-7", "sku": "heart", "quantity": 1});
            shop.admin(Call::post("/api/inventory/reserve", &reservation)).await.done(200);
            (path.to_owned(), vec![json!({"orderId": "order-7", "sku": "heart"})])
        }
        _ => return None,
    })
}

/// Prepares the routes of orders and payments.
async fn prepare_order(shop: &Shop, route: &str, path: &str) -> Option<Prepared> {
    let of = |id: &str| path.replace("{id}", id);
    Some(match route {
        "POST /api/orders" => {
            let price = json!({"amount": 255, "currency": "GBP"});
            let order = json!({"lines": [{"sku": "heart", "quantity": 1, "unitPrice": price}],
                "payment": {"token": "tok_ok"}, "shippingAddress": address(), "customerId": "customer-7",
                "email": "ada@example.org"});
            (path.to_owned(), vec![order])
        }
        "PUT /api/orders/{id}/shipping-address" => (of(&confirmed(shop).await), vec![address()]),
        "POST /api/orders/{id}/cancel" => {
            (of(&confirmed(shop).await), vec![json!({"reason": "ordered twice"})])
        }
        "POST /api/orders/{id}/ship" => {
            (of(&confirmed(shop).await), vec![json!({"carrier": "Royal Mail", "tracking": "AB123456789GB"})])
        }
        "PATCH /api/orders/{id}/shipments/{number}" => {
            let order = confirmed(shop).await;
            let ship = Call::post_raw(&format!("/api/orders/{order}/ship"), r#"{"carrier":"Post"}"#);
            shop.admin(ship).await.done(200);
            let correction = json!({"carrier": "Royal Mail", "trackingNumber": "AB123456789GB"});
            (of(&order).replace("{number}", "1"), vec![correction])
        }
        "POST /api/orders/{id}/notes" => {
            (of(&confirmed(shop).await), vec![json!({"text": "call the buyer"})])
        }
        "PUT /api/orders/{id}/notes/{note}" => {
            let order = confirmed(shop).await;
            let note = Call::post(&format!("/api/orders/{order}/notes"), &json!({"text": "first"}));
            let note = shop.admin(note).await.done(201).text("id");
            (of(&order).replace("{note}", &note), vec![json!({"text": "call the buyer"})])
        }
        "POST /api/orders/{id}/return" => {
            let order = confirmed(shop).await;
            for (step, body) in [("ship", r#"{"carrier":"Royal Mail"}"#), ("deliver", "")] {
                let call = Call::post_raw(&format!("/api/orders/{order}/{step}"), body);
                shop.admin(call).await.done(200);
            }
            (of(&order), vec![json!({"lines": [{"sku": "heart", "quantity": 1}]})])
        }
        "POST /api/payments/intents" => {
            (path.to_owned(), vec![json!({"orderId": unpaid_order(shop).await, "token": "tok_ok"})])
        }
        "POST /api/payments/{id}/refunds" => {
            let refund = json!({"amount": {"amount": 1, "currency": "GBP"}, "reason": "broken"});
            (of(&paid(shop).await), vec![refund])
        }
        "POST /api/payments/provider/dead-letters/{id}/skip" => {
            (of(&refused_refund(shop).await), vec![json!({"reason": "paid back by bank transfer"})])
        }
        "POST /api/payments/webhook" => {
            let event = json!({"id": "evt_7", "type": "refund.processed", "providerPaymentId": "elsewhere",
                "createdAt": "2026-11-21T12:00:00Z", "refundId": "refund-7"});
            (path.to_owned(), vec![event])
        }
        _ => return None,
    })
}

/// Prepares the routes of users, carts and parked entities.
fn prepare_other(route: &str, path: &str) -> Option<Prepared> {
    Some(match route {
        "POST /api/users/me/addresses" | "PUT /api/users/me/addresses/{id}" => {
            let mut entry = address();
            entry["label"] = json!("my home");
            (path.to_owned(), vec![entry])
        }
        "PUT /api/users/me/preferences" => {
            let preferences =
                json!({"language": "pt-BR", "marketing": false, "notifications": {"email": true}});
            (path.to_owned(), vec![preferences])
        }
        "POST /api/cart/items" => (path.to_owned(), vec![json!({"sku": "heart", "quantity": 1})]),
        "POST /api/admin/parked/skip" => {
            (path.to_owned(), vec![json!({"owner": "orders", "entity": "a", "reason": "no such carrier"})])
        }
        _ => return None,
    })
}

/// Prepares a shop for requests to a route; `None` if the route must be listed in this file.
pub(crate) async fn stage(route: &str, by_import: bool) -> Option<Stage> {
    let shop = Shop::stocked().await;
    shop.set_stock("heart", 1_000).await;
    let (mut path, bodies) = prepare(&shop, route).await?;
    let mut sender = Sender::Admin;
    if path.starts_with("/api/users/me") {
        let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
        if path.ends_with("/{id}") {
            let call = Call::post("/api/users/me/addresses", &address());
            path = path.replace("{id}", &shop.as_user(&token, call).await.done(201).text("id"));
        }
        sender = Sender::User(token);
    } else if path == "/api/payments/webhook" {
        sender = Sender::Provider;
    } else if route == "POST /api/products" && by_import {
        sender = Sender::Importer;
    }
    let method = route.split_once(' ')?.0.to_owned();
    Some(Stage { shop, bodies, method, path, sender })
}

impl Stage {
    /// Sends a body to the route. Returns true if it was accepted.
    pub(crate) async fn accepts(&self, body: &Value) -> bool {
        let method = match self.method.as_str() {
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            _ => "POST",
        };
        let text = body.to_string();
        let Response { status, body, .. } = match &self.sender {
            Sender::Admin => self.shop.admin(Call::new(method, &self.path, text.into_bytes())).await,
            Sender::User(token) => {
                self.shop.as_user(token, Call::new(method, &self.path, text.into_bytes())).await
            }
            Sender::Provider => self.shop.send(signed(&text)).await,
            Sender::Importer => self.shop.admin(Call::post_raw("/api/admin/import/products", text)).await,
        };
        let is_refused = body["lines"][0]["outcome"] == "refused";
        assert!(status < 500, "{status} {body}");
        status < 300 && !is_refused
    }
}
