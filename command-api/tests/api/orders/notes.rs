//! Tests of `/api/orders/{id}/notes`.

use serde_json::{Value, json};
use souk_command_api::order_notes::routes::reseal_if_moved;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::order_notes::{OrderNotes, OrderNotesEvent};
use souk_domain::{CustomerId, NoteId, OrderId};
use souk_eventsourcing::CorrelationId;
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_http::Role;
use souk_http_shop::{Call, Response, Shop};
use uuid::Uuid;

use crate::orders::confirmed;

fn order_id(order: &str) -> OrderId {
    OrderId(order.parse().unwrap())
}

fn write_call(order: &str, text: &str) -> Call {
    Call::post(&format!("/api/orders/{order}/notes"), &json!({"text": text}))
}

async fn write(shop: &Shop, order: &str, text: &str) -> Response {
    shop.admin(write_call(order, text)).await
}

fn rewrite_call(order: &str, note: &str, text: &str) -> Call {
    Call::put(&format!("/api/orders/{order}/notes/{note}"), &json!({"text": text}))
}

fn remove_call(order: &str, note: &str) -> Call {
    Call::delete(&format!("/api/orders/{order}/notes/{note}"))
}

async fn event_types(shop: &Shop, order: &str) -> Vec<String> {
    shop.event_types(&OrderNotes::stream(order_id(order))).await
}

/// Returns the last event of an order's notes.
async fn last(shop: &Shop, order: &str) -> OrderNotesEvent {
    let events = shop.events(&OrderNotes::stream(order_id(order))).await;
    events.last().unwrap().decode().unwrap()
}

async fn erase_ada(shop: &Shop) {
    shop.admin(Call::delete("/api/users/ada")).await.done(202);
}

#[tokio::test]
async fn a_note_is_written_rewritten_and_removed() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let written = write(&shop, &order, " call Ada\nbefore noon ").await.done(201);
    let note = written.text("id");
    assert_eq!(written.header("location"), format!("/api/orders/{order}/notes/{note}"));
    assert_eq!((written.header("etag"), &written.body["revision"]), ("\"0\"", &json!(0)));
    shop.with_role(Role::Admin, "bob", rewrite_call(&order, &note, "called")).await.done(200);
    let OrderNotesEvent::Rewritten(rewritten) = last(&shop, &order).await else { panic!("not rewritten") };
    assert_eq!((rewritten.note.to_string(), rewritten.author.as_str()), (note.clone(), "bob"));
    shop.admin(remove_call(&order, &note)).await.done(200);
    assert_eq!(event_types(&shop, &order).await, ["notes.written", "notes.rewritten", "notes.removed"]);
    shop.admin(remove_call(&order, &note)).await.refused(404, "not-found");
    shop.admin(rewrite_call(&order, &note, "again")).await.refused(404, "not-found");
}

// Proves: common.unchanged-write
#[tokio::test]
async fn rewriting_with_the_same_text_changes_nothing() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let note = write(&shop, &order, "call Ada").await.done(201).text("id");
    let same = shop.admin(rewrite_call(&order, &note, " call Ada ")).await.done(200);
    assert_eq!((&same.body["revision"], event_types(&shop, &order).await.len()), (&json!(0), 1));
}

#[tokio::test]
async fn repeats_and_revisions_follow_the_rules_of_all_writes() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let first = shop.admin(write_call(&order, "call Ada").key("k")).await.done(201);
    let repeat = shop.admin(write_call(&order, "call Ada").key("k")).await.done(201);
    assert_eq!(first.body, repeat.body);
    shop.admin(write_call(&order, "call Bob").key("k")).await.refused(422, "idempotency-key-reused");
    let note = first.text("id");
    let outdated = rewrite_call(&order, &note, "called").header("if-match", "\"3\"");
    shop.admin(outdated).await.refused(412, "revision-mismatch");
    let current = rewrite_call(&order, &note, "called").header("if-match", "\"0\"");
    shop.admin(current).await.done(200);
}

// Proves: orders.notes
#[tokio::test]
async fn only_admins_may_write_notes() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let note = write(&shop, &order, "call Ada").await.done(201).text("id");
    let calls = [write_call(&order, "mine"), rewrite_call(&order, &note, "mine"), remove_call(&order, &note)];
    for call in calls {
        shop.customer("ada", call.clone()).await.refused(403, "forbidden");
        shop.with_role(Role::Service, "erp", call.clone()).await.refused(403, "forbidden");
        shop.send(call).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn an_unknown_order_or_note_is_not_found() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let other = confirmed(&shop).await;
    let note = write(&shop, &order, "call Ada").await.done(201).text("id");
    let nowhere = Uuid::from_u128(7).to_string();
    for order in [nowhere.as_str(), "nonsense"] {
        write(&shop, order, "call Ada").await.refused(404, "not-found");
        shop.admin(rewrite_call(order, &note, "called")).await.refused(404, "not-found");
        shop.admin(remove_call(order, &note)).await.refused(404, "not-found");
    }
    for (order, note) in [(&order, nowhere.as_str()), (&order, "nonsense"), (&other, &note)] {
        shop.admin(rewrite_call(order, note, "called")).await.refused(404, "not-found");
        shop.admin(remove_call(order, note)).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn an_order_has_a_limited_number_of_notes() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let mut last = String::new();
    for _ in 0..200 {
        last = write(&shop, &order, "call Ada").await.done(201).text("id");
    }
    write(&shop, &order, "one more").await.refused(409, "too-many-notes");
    shop.admin(remove_call(&order, &last)).await.done(200);
    write(&shop, &order, "one more").await.done(201);
}

#[tokio::test]
async fn a_text_is_sealed_with_the_key_of_the_buyer_until_the_buyer_is_erased() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let ada = CustomerId::parse("ada").unwrap().person();
    write(&shop, &order, "call Ada").await.done(201);
    let events = shop.events(&OrderNotes::stream(order_id(&order))).await;
    assert!(!String::from_utf8_lossy(&events[0].event.data).contains("Ada"));
    let OrderNotesEvent::Written(written) = last(&shop, &order).await else { panic!("not written") };
    let open = async || {
        let keys = shop.ports.people.keys_for_opening(vec![ada.clone()]).await.unwrap();
        written.text.reveal(&keys)
    };
    assert_eq!((written.text.person(), open().await.as_deref()), (&ada, Some("call Ada")));
    erase_ada(&shop).await;
    assert_eq!(open().await, None);
}

#[tokio::test]
async fn a_note_on_an_erased_buyers_order_is_sealed_with_a_key_of_the_order_while_there_is_one() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    let note = write(&shop, &order, "call Ada").await.done(201).text("id");
    erase_ada(&shop).await;
    write(&shop, &order, "no address").await.done(201);
    let OrderNotesEvent::Written(written) = last(&shop, &order).await else { panic!("not written") };
    let own = order_id(&order).readdressed();
    assert_eq!((written.text.person(), written.text.is_erased()), (&own, false));
    let types = shop.event_types(&Order::stream(order_id(&order))).await;
    assert_eq!(types.last().map(String::as_str), Some("order.erased"));
    shop.ports.people.erase(&own, shop.ports.clock.now()).await.unwrap();
    write(&shop, &order, "too late").await.refused(409, "order-erased");
    shop.admin(rewrite_call(&order, &note, "too late")).await.refused(409, "order-erased");
    shop.admin(remove_call(&order, &note)).await.done(200);
    assert_eq!(shop.event_types(&Order::stream(order_id(&order))).await, types);
}

#[tokio::test]
async fn wrong_texts_and_unknown_fields_are_named() {
    let shop = Shop::stocked().await;
    let order = confirmed(&shop).await;
    for text in ["", " \n", &"x".repeat(2_001)] {
        let refused = write(&shop, &order, text).await.refused(422, "validation-failed");
        refused.at("/text", "invalid-length");
    }
    write(&shop, &order, &"x".repeat(2_000)).await.done(201);
    for (body, pointer) in [(json!({"text": "x", "author": "bob"}), "/author"), (json!({}), "/text")] {
        let response = shop.admin(Call::post(&format!("/api/orders/{order}/notes"), &body)).await;
        let response = response.refused(422, "validation-failed");
        assert_eq!(response.body["errors"][0]["pointer"], Value::from(pointer));
    }
}

#[tokio::test]
async fn a_note_on_an_order_that_moves_to_a_customer_meanwhile_is_sealed_for_the_customer() {
    let shop = Shop::stocked().await;
    let guest_order = json!({"cart": true, "email": "ada@example.org", "payment": {"token": "tok_ok"}});
    let call = Call::post("/api/orders", &guest_order).cart(&shop.guest_cart("heart").await);
    let order = shop.send(call).await.done(202).text("id");
    let id = order_id(&order);
    let before = shop.ports.aggregates.orders.load(&Order::stream(id)).await.unwrap().unwrap();
    let note = NoteId(write(&shop, &order, "call Ada").await.done(201).text("id").parse().unwrap());
    let ada = CustomerId::parse("ada").unwrap();
    let attach = OrderCommand::Attach { customer: ada.clone(), email: None, shipping_address: None };
    shop.as_checkout(&order, attach).await;
    let origin =
        Origin::new(Uuid::from_u128(7), Actor::new("admin", "ops"), CorrelationId::from(Uuid::nil()));
    for _ in 0..2 {
        let text = "call Ada".to_owned();
        reseal_if_moved(&shop.ports, id, &before.state, note, text, &origin).await.unwrap();
        let OrderNotesEvent::Resealed(resealed) = last(&shop, &order).await else { panic!("not resealed") };
        assert_eq!(resealed.text.person(), &ada.person());
    }
    assert_eq!(event_types(&shop, &order).await, ["notes.written", "notes.resealed"]);
}
