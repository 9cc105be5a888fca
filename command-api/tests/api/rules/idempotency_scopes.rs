//! Scope of the idempotency key of each write. The id of a command is derived from the caller, the scope and
//! the key. If a scope changed, a write that is repeated after an update would be done twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use souk_domain::CustomerId;
use souk_eventsourcing::CommandId;
use souk_http::Role;
use souk_http::routes::Route;
use souk_http_shop::{Call, Response, Shop};

use crate::auth::{PASSWORD, signed_up, validate};
use crate::orders::confirmed;
use crate::payments::{capture, unpaid_order};
use crate::rules::examples::{self, example};
use crate::rules::text_fields::stages::refused_refund;
use crate::users::guest_erasure::guest_order;

/// A caller who sends writes with idempotency keys, and the routes of these writes.
struct Writer<'a> {
    shop: &'a Shop,
    subject: String,
    token: String,
    routes: Vec<&'static str>,
}

fn address() -> Value {
    json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"})
}

impl<'a> Writer<'a> {
    fn admin(shop: &'a Shop) -> Self {
        let token = shop.token("ops", Role::Admin);
        Self { shop, subject: "ops".to_owned(), token, routes: Vec::new() }
    }

    async fn user(shop: &'a Shop, email: &str) -> Self {
        let token = signed_up(shop, email).await.text("accessToken");
        let subject = validate(shop, &token).await.text("subject");
        Self { shop, subject, token, routes: Vec::new() }
    }

    /// Sends a write with a key. Checks that the log has an event of the command that the scope gives.
    async fn write(&mut self, route: &'static str, scope: &str, path: &str, body: &Value) -> Response {
        self.write_in_step(route, scope, None, path, body).await
    }

    /// Does the same for a write whose command is a step of the request.
    async fn write_in_step(
        &mut self,
        route: &'static str,
        scope: &str,
        step: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Response {
        let (method, _) = route.split_once(' ').unwrap();
        self.routes.push(route);
        self.send(method, scope, step, path, body).await
    }

    /// Does the same for a method and a path instead of a route.
    async fn send(
        &self,
        method: &'static str,
        scope: &str,
        step: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Response {
        let key = format!("key-{}", self.routes.len());
        let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let response = self.shop.as_user(&self.token, Call::new(method, path, sent).key(&key)).await;
        assert!((200..300).contains(&response.status), "{method} {path}: {}", response.body);
        let parts = ["subject", &self.subject, scope, &key].map(str::as_bytes);
        let command = CommandId::of(&parts);
        let command = step.map_or(command, |step| command.follow_up(step));
        let mut commands = self.shop.all_events().await.into_iter().map(|event| event.event.command_id);
        assert!(
            commands.any(|id| id == command),
            "{method} {path}: the log has no command of the scope {scope}"
        );
        response
    }
}

async fn stock() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut admin = Writer::admin(&shop);
    let path = "/api/inventory/stock";
    let count = json!({"sku": " heart", "onHand": 9});
    admin.write("POST /api/inventory/stock", "POST /api/inventory/stock heart", path, &count).await;
    // The scope of these routes once was only the SKU. Then a key of one order was found for another order,
    // and the key of a reserve for a release.
    let units = json!({"orderId": "order-7", "sku": "heart", "quantity": 1});
    let reservation = json!({"orderId": "order-7", "sku": "heart"});
    let reserve = "POST /api/inventory/reserve";
    for closing in ["POST /api/inventory/confirm", "POST /api/inventory/release"] {
        for (route, body) in [(reserve, &units), (closing, &reservation)] {
            let (_, path) = route.split_once(' ').unwrap();
            admin.write(route, &format!("{route} heart order-7"), path, body).await;
        }
    }
    admin.routes
}

async fn carts() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut admin = Writer::admin(&shop);
    let item = json!({"sku": "heart", "quantity": 1});
    let items = "/api/cart/items";
    admin.write("POST /api/cart/items", "POST /api/cart/items", items, &item).await;
    let path = format!("{items}/heart");
    let quantity = json!({"quantity": 2});
    admin.write("PUT /api/cart/items/{item}", "PUT /api/cart/items/heart", &path, &quantity).await;
    // The scope has the item as it was sent, with white space.
    let padded = format!("{items}/%20heart");
    admin
        .write("DELETE /api/cart/items/{item}", "DELETE /api/cart/items/ heart", &padded, &Value::Null)
        .await;
    admin.write("DELETE /api/cart", "DELETE /api/cart", "/api/cart", &Value::Null).await;
    let guest = shop.send(Call::post(items, &item)).await.done(200);
    let merge = json!({"cartToken": guest.header("x-cart-token")});
    admin.write("POST /api/cart/merge", "POST /api/cart/merge", "/api/cart/merge", &merge).await;
    let order = json!({"cart": true, "payment": {"token": "tok_ok"}});
    admin.write("POST /api/orders", "POST /api/orders", "/api/orders", &order).await;
    admin.routes
}

async fn orders() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut admin = Writer::admin(&shop);
    let unpaid = unpaid_order(&shop).await;
    let path = format!("/api/orders/{unpaid}/confirm");
    let scope = format!("POST /api/orders/confirm {unpaid}");
    admin.write("POST /api/orders/{id}/confirm", &scope, &path, &Value::Null).await;
    let cancelled = confirmed(&shop).await;
    let path = format!("/api/orders/{cancelled}/cancel");
    let scope = format!("POST /api/orders/cancel {cancelled}");
    admin.write("POST /api/orders/{id}/cancel", &scope, &path, &json!({})).await;
    let id = confirmed(&shop).await;
    let at = |part: &str| format!("/api/orders/{id}/{part}");
    let scope = |name: &str| format!("{name} {id}");
    let address_route = "PUT /api/orders/{id}/shipping-address";
    let address_scope = "PUT /api/orders/shipping-address";
    admin.write(address_route, &scope(address_scope), &at("shipping-address"), &address()).await;
    let body = json!({"carrier": "Post"});
    admin.write("POST /api/orders/{id}/ship", &scope("POST /api/orders/ship"), &at("ship"), &body).await;
    let route = "PATCH /api/orders/{id}/shipments/{number}";
    admin
        .write(route, &scope("PATCH /api/orders/shipments"), &at("shipments/1"), &json!({"carrier": "DHL"}))
        .await;
    let route = "POST /api/orders/{id}/deliver";
    admin.write(route, &scope("POST /api/orders/deliver"), &at("deliver"), &Value::Null).await;
    let body = json!({"lines": [{"sku": "heart", "quantity": 1}]});
    admin
        .write("POST /api/orders/{id}/return", &scope("POST /api/orders/return"), &at("return"), &body)
        .await;

    let erased = confirmed(&shop).await;
    let ada = CustomerId::parse("ada").unwrap();
    shop.ports.people.erase(&ada.person(), shop.ports.clock.now()).await.unwrap();
    let path = format!("/api/orders/{erased}/shipping-address");
    let step = format!("erase {erased}");
    admin.write_in_step(address_route, address_scope, Some(&step), &path, &address()).await;
    admin.routes
}

async fn notes() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut admin = Writer::admin(&shop);
    let notes = format!("/api/orders/{}/notes", confirmed(&shop).await);
    let text = |text: &str| json!({ "text": text });
    let route = "POST /api/orders/{id}/notes";
    let note = admin.write(route, &format!("POST {notes}"), &notes, &text("first")).await.text("id");
    let path = format!("{notes}/{note}");
    let route = "PUT /api/orders/{id}/notes/{note}";
    admin.write(route, &format!("PUT {path}"), &path, &text("second")).await;
    let route = "DELETE /api/orders/{id}/notes/{note}";
    admin.write(route, &format!("DELETE {path}"), &path, &Value::Null).await;
    admin.routes
}

async fn payments() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut admin = Writer::admin(&shop);
    let order = unpaid_order(&shop).await;
    let scope = format!("POST /api/payments/intents {order}");
    let intent = json!({"orderId": order, "token": "tok_ok"});
    let route = "POST /api/payments/intents";
    let payment = admin.write(route, &scope, "/api/payments/intents", &intent).await.text("id");
    capture(&shop, &payment).await;
    let scope = format!("POST /api/payments/refunds {payment}");
    let path = format!("/api/payments/{payment}/refunds");
    admin.write("POST /api/payments/{id}/refunds", &scope, &path, &json!({"reason": "broken"})).await;
    let dead_letters = "/api/payments/provider/dead-letters";
    let debt = refused_refund(&shop).await;
    let scope = format!("POST {dead_letters}/requeue {debt}");
    let route = "POST /api/payments/provider/dead-letters/{id}/requeue";
    admin.write(route, &scope, &format!("{dead_letters}/{debt}/requeue"), &Value::Null).await;
    let debt = refused_refund(&shop).await;
    let scope = format!("POST {dead_letters}/skip {debt}");
    let route = "POST /api/payments/provider/dead-letters/{id}/skip";
    let reason = json!({"reason": "paid back by bank transfer"});
    admin.write(route, &scope, &format!("{dead_letters}/{debt}/skip"), &reason).await;
    let skip = json!({"owner": "orders", "entity": "a", "reason": "no such carrier"});
    let path = "/api/admin/parked/skip";
    admin.write("POST /api/admin/parked/skip", "POST /api/admin/parked/skip orders a", path, &skip).await;
    admin.routes
}

async fn users() -> Vec<&'static str> {
    let shop = Shop::stocked().await;
    let mut user = Writer::user(&shop, "ada@example.org").await;
    let me = "/api/users/me";
    user.write("PUT /api/users/me", "PUT /api/users/me", me, &json!({"name": "Ada L"})).await;
    let preferences = json!({"language": "pt-BR", "marketing": true, "notifications": {"email": false}});
    let path = "/api/users/me/preferences";
    user.write("PUT /api/users/me/preferences", "PUT /api/users/me/preferences", path, &preferences).await;
    let addresses = "/api/users/me/addresses";
    let mut entry = address();
    entry["label"] = json!("home");
    let route = "POST /api/users/me/addresses";
    let id = user.write(route, route, addresses, &entry).await.text("id");
    let path = format!("{addresses}/{id}");
    entry["label"] = json!("work");
    user.write("PUT /api/users/me/addresses/{id}", &format!("PUT {path}"), &path, &entry).await;
    let default = format!("{path}/default");
    let route = "PUT /api/users/me/addresses/{id}/default";
    user.write(route, &format!("PUT {default}"), &default, &Value::Null).await;
    let route = "DELETE /api/users/me/addresses/{id}";
    user.write(route, &format!("DELETE {path}"), &path, &Value::Null).await;
    let route = "DELETE /api/users/me";
    user.write_in_step(route, route, Some("erase user"), me, &json!({"password": PASSWORD})).await;
    let mut routes = user.routes;

    let mut admin = Writer::admin(&shop);
    let path = format!("/api/users/{}", Writer::user(&shop, "bob@example.org").await.subject);
    let scope = format!("DELETE {path}");
    let route = "DELETE /api/users/{id}";
    admin.write_in_step(route, &scope, Some("erase user"), &path, &Value::Null).await;
    let (order, code) = guest_order(&shop).await;
    let guest = json!({"code": code, "email": "ada@example.org"});
    let route = "POST /api/orders/lookup/erase";
    let step = format!("erase {order}");
    admin.write_in_step(route, route, Some(&step), "/api/orders/lookup/erase", &guest).await;
    routes.extend(admin.routes);
    routes
}

/// Sends the example of the API document to a route. Checks that the scope is the method and the path.
async fn write_example(method: &'static str, template: &str) {
    let shop = Shop::stocked().await;
    let path = examples::path(&shop, template).await;
    let path = path.unwrap_or_else(|| panic!("{method} {template} has parameters: add a write to it here"));
    let body = example(&format!("{method} {template}")).unwrap_or_default();
    Writer::admin(&shop).send(method, &format!("{method} {path}"), None, &path, &body).await;
}

#[tokio::test]
async fn the_scope_of_every_route_that_takes_a_key_is_unchanged() {
    let mut written = BTreeSet::new();
    written.extend(stock().await);
    written.extend(carts().await);
    written.extend(orders().await);
    written.extend(notes().await);
    written.extend(payments().await);
    written.extend(users().await);
    for Route { method, path, .. } in souk_command_api::routes().iter().filter(|route| route.takes_key) {
        if !written.contains(format!("{method} {path}").as_str()) {
            write_example(method, path).await;
        }
    }
}
