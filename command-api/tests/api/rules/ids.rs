//! Ids in paths: a write accepts only the spelling that the shop prints.

use serde_json::{Value, json};
use souk_http::Role;
use souk_http_shop::{Call, Shop, product_body};

use crate::auth::signed_up;
use crate::orders::confirmed;
use crate::payments::{capture, unpaid_order};
use crate::rules::text_fields::stages::refused_refund;

/// Returns other spellings of a UUID.
fn other_spellings(id: &str) -> [String; 4] {
    [id.to_uppercase(), id.replace('-', ""), format!("%7B{id}%7D"), format!("urn:uuid:{id}")]
}

/// Sends a write with other spellings of the id, which stands in the path as `ID`.
async fn refuses_other_spellings(
    shop: &Shop,
    token: &str,
    method: &'static str,
    path: &str,
    id: &str,
    body: &Value,
) {
    for spelling in other_spellings(id) {
        let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let call = Call::new(method, &path.replace("ID", &spelling), sent);
        shop.as_user(token, call).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn a_write_accepts_only_the_spelling_of_an_id_that_the_shop_prints() {
    let shop = Shop::stocked().await;
    let admin = shop.token("ops", Role::Admin);
    let refuses = async |method: &'static str, path: &str, id: &str, body: Value| {
        refuses_other_spellings(&shop, &admin, method, path, id, &body).await;
    };
    let product = shop.admin(Call::post("/api/products", &product_body("lamp", 1))).await.text("id");
    refuses("PUT", "/api/products/ID", &product, product_body("lamp", 2)).await;
    refuses("DELETE", "/api/products/ID", &product, Value::Null).await;
    let order = confirmed(&shop).await;
    let to = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    refuses("POST", "/api/orders/ID/cancel", &order, json!({})).await;
    refuses("PUT", "/api/orders/ID/shipping-address", &order, to).await;
    refuses("POST", "/api/orders/ID/ship", &order, json!({"carrier": "Post"})).await;
    refuses("POST", "/api/orders/ID/notes", &order, json!({"text": "fragile"})).await;
    let notes = format!("/api/orders/{order}/notes");
    let note = shop.admin(Call::post(&notes, &json!({"text": "fragile"}))).await.done(201).text("id");
    refuses("PUT", &format!("{notes}/ID"), &note, json!({"text": "heavy"})).await;
    refuses("DELETE", &format!("{notes}/ID"), &note, Value::Null).await;
    let unpaid = unpaid_order(&shop).await;
    refuses("POST", "/api/orders/ID/confirm", &unpaid, Value::Null).await;
    let intent = json!({"orderId": unpaid, "token": "tok_ok"});
    let payment = shop.admin(Call::post("/api/payments/intents", &intent)).await.done(201).text("id");
    capture(&shop, &payment).await;
    refuses("POST", "/api/payments/ID/refunds", &payment, json!({})).await;
    let debt = refused_refund(&shop).await;
    refuses("POST", "/api/payments/provider/dead-letters/ID/requeue", &debt, Value::Null).await;
}

#[tokio::test]
async fn a_change_of_an_address_accepts_only_the_spelling_of_its_id_that_the_shop_prints() {
    let shop = Shop::stocked().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    let entry =
        json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    let added = shop.as_user(&token, Call::post("/api/users/me/addresses", &entry)).await;
    let id = added.done(201).text("id");
    let path = "/api/users/me/addresses/ID";
    refuses_other_spellings(&shop, &token, "PUT", path, &id, &entry).await;
    refuses_other_spellings(&shop, &token, "PUT", &format!("{path}/default"), &id, &Value::Null).await;
    refuses_other_spellings(&shop, &token, "DELETE", path, &id, &Value::Null).await;
}
