//! Tests of `GET /api/orders/{id}/notes`.

use serde_json::json;
use souk_domain::order::event::Erased;
use souk_domain::order::{Order, OrderEvent};
use souk_domain::order_notes::event::{Removed, Rewritten, Written};
use souk_domain::order_notes::{OrderNotes, OrderNotesEvent};
use souk_domain::{CustomerId, NoteId};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Personal, StreamName};
use souk_http::Role;
use souk_http_shop::{Call, Shop, customer_id, draft, fields, later, order_id};
use uuid::Uuid;

fn notes() -> StreamName {
    OrderNotes::stream(order_id(5))
}

fn note(number: u128) -> NoteId {
    NoteId(Uuid::from_u128(number))
}

fn text(words: &str) -> Personal<String> {
    Personal::new(customer_id("ada").person(), "text", words.to_owned())
}

fn author(name: &str) -> CustomerId {
    customer_id(name)
}

async fn write(shop: &Shop, number: u128, words: &str) {
    let written = Written { note: note(number), author: author("ops"), text: text(words) };
    shop.append(&notes(), OrderNotesEvent::from(written)).await;
}

fn path() -> String {
    format!("/api/orders/{}/notes", order_id(5))
}

/// A shop in which Ada's order 5 has no notes, and so has Bob's order 6.
async fn shop_with_orders() -> Shop {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1"])).await;
    shop.append_order(draft(6, Some("bob"), &["A1"])).await;
    shop
}

#[tokio::test]
async fn notes_are_shown_oldest_first_with_their_authors() {
    let shop = shop_with_orders().await;
    write(&shop, 9, "call Ada").await;
    write(&shop, 8, "gift").await;
    let rewritten = Rewritten { note: note(9), author: author("bob"), text: text("called Ada") };
    shop.append_at(&notes(), OrderNotesEvent::from(rewritten), later(1)).await;
    shop.project().await;
    let response = shop.admin(Call::get(&path()).header("x-min-position", "5")).await;
    let at = "2026-11-21T12:00:00Z";
    let expected = json!({"items": [
        {"id": note(9).to_string(), "author": "ops", "text": "called Ada", "writtenAt": at,
            "rewrittenBy": "bob", "rewrittenAt": "2026-11-21T12:01:00Z"},
        {"id": note(8).to_string(), "author": "ops", "text": "gift", "writtenAt": at,
            "rewrittenBy": null, "rewrittenAt": null},
    ], "nextCursor": null, "position": "5"});
    assert_eq!(response.body, expected);
}

#[tokio::test]
async fn a_removed_note_is_not_shown() {
    let shop = shop_with_orders().await;
    write(&shop, 9, "call Ada").await;
    write(&shop, 8, "gift").await;
    shop.append(&notes(), OrderNotesEvent::from(Removed { note: note(9) })).await;
    shop.project().await;
    let shown = shop.admin(Call::get(&path())).await;
    assert_eq!(shown.items("text"), ["gift"]);
}

#[tokio::test]
async fn admins_page_through_the_notes_of_one_order() {
    let shop = shop_with_orders().await;
    let texts: Vec<String> = (0..7).map(|number| format!("note {number}")).collect();
    for (number, words) in (0..).zip(&texts) {
        write(&shop, 20 - number, words).await;
    }
    shop.project().await;
    assert_eq!(fields(&shop.pages(&path(), Role::Admin).await, "text"), texts);
    let first = shop.admin(Call::get(&format!("{}?limit=3", path()))).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    // A note that is removed or written during paging neither shifts nor repeats other notes.
    shop.append(&notes(), OrderNotesEvent::from(Removed { note: note(20) })).await;
    write(&shop, 30, "a new note").await;
    shop.project().await;
    let second = shop.admin(Call::get(&format!("{}?limit=3&cursor={cursor}", path()))).await;
    assert_eq!(second.items("text"), texts[3..6]);
    let others = format!("/api/orders/{}/notes", order_id(6));
    let none = shop.admin(Call::get(&others)).await;
    assert_eq!((none.status, &none.body["items"], &none.body["nextCursor"]), (200, &json!([]), &json!(null)));
    shop.admin(Call::get(&format!("{others}?cursor={cursor}"))).await.refused(400, "invalid-parameter");
}

// Proves: orders.notes
#[tokio::test]
async fn only_admins_see_notes_and_an_unknown_order_is_not_found() {
    let shop = shop_with_orders().await;
    write(&shop, 9, "call Ada").await;
    shop.project().await;
    for role in [Role::Customer, Role::Service] {
        shop.with_role(role, "ada", Call::get(&path())).await.refused(403, "forbidden");
    }
    shop.send(Call::get(&path())).await.refused(401, "unauthenticated");
    for order in [order_id(7).to_string(), "nonsense".to_owned()] {
        let response = shop.admin(Call::get(&format!("/api/orders/{order}/notes"))).await;
        response.refused(404, "not-found");
    }
    for query in ["limit=0", "cursor=x", "colour=red"] {
        let response = shop.admin(Call::get(&format!("{}?{query}", path()))).await;
        response.refused(400, "invalid-parameter");
    }
    let order_shown = shop.customer("ada", Call::get(&format!("/api/orders/{}", order_id(5)))).await;
    assert!(!order_shown.body.to_string().contains("call"), "{}", order_shown.body);
}

#[tokio::test]
async fn the_erasure_of_the_buyer_hides_the_texts() {
    let shop = shop_with_orders().await;
    write(&shop, 9, "call Ada").await;
    shop.project().await;
    let shown = async |shop: &Shop| {
        let list = shop.admin(Call::get(&path())).await.body;
        (list["items"][0]["author"].clone(), list["items"][0]["text"].clone())
    };
    assert_eq!(shown(&shop).await, (json!("ops"), json!("call Ada")));
    let ada = customer_id("ada").person();
    shop.ports.people.erase(&ada, noon()).await.unwrap();
    assert_eq!(shown(&shop).await, (json!("ops"), json!(null)));
}

#[tokio::test]
async fn texts_stay_hidden_even_if_the_key_of_the_erased_buyer_is_restored() {
    let shop = shop_with_orders().await;
    write(&shop, 9, "call Ada").await;
    let erased = Erased { person: customer_id("ada").person() };
    shop.append(&Order::stream(order_id(5)), OrderEvent::from(erased)).await;
    let own = Personal::new(order_id(5).readdressed(), "text", "no address".to_owned());
    let written = Written { note: note(10), author: author("ops"), text: own };
    shop.append(&notes(), OrderNotesEvent::from(written)).await;
    shop.project().await;
    let list = shop.admin(Call::get(&path())).await.body;
    assert_eq!((&list["items"][0]["text"], &list["items"][1]["text"]), (&json!(null), &json!("no address")));
}
