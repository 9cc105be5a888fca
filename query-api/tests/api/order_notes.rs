//! Tests of `GET /api/orders/{id}/notes`.

use serde_json::json;
use souk_domain::order::event::Erased;
use souk_domain::order::{Order, OrderEvent};
use souk_domain::order_notes::event::{Removed, Rewritten, Written};
use souk_domain::order_notes::{OrderNotes, OrderNotesEvent};
use souk_domain::{CustomerId, NoteId};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{PersonKeys as _, Personal, StreamName};
use souk_http::Role;
use uuid::Uuid;

use crate::shop::{Shop, customer, draft, fields, later, order};

fn notes() -> StreamName {
    OrderNotes::stream(order(5))
}

fn note(number: u128) -> NoteId {
    NoteId(Uuid::from_u128(number))
}

fn text(words: &str) -> Personal<String> {
    Personal::new(customer("ada").person(), "text", words.to_owned())
}

fn author(name: &str) -> CustomerId {
    customer(name)
}

async fn write(shop: &mut Shop, number: u128, words: &str) {
    let written = Written { note: note(number), author: author("ops"), text: text(words) };
    shop.append_event(&notes(), OrderNotesEvent::from(written)).await;
}

fn path() -> String {
    format!("/api/orders/{}/notes", order(5))
}

/// A shop in which Ada's order 5 has no notes, and so has Bob's order 6.
async fn shop_with_orders() -> Shop {
    let mut shop = Shop::open().await;
    shop.place_order(draft(5, Some("ada"), &["A1"])).await;
    shop.place_order(draft(6, Some("bob"), &["A1"])).await;
    shop
}

#[tokio::test]
async fn notes_are_shown_oldest_first_with_their_authors() {
    let mut shop = shop_with_orders().await;
    write(&mut shop, 9, "call Ada").await;
    write(&mut shop, 8, "gift").await;
    let rewritten = Rewritten { note: note(9), author: author("bob"), text: text("called Ada") };
    shop.append_event_at(&notes(), OrderNotesEvent::from(rewritten), later(1)).await;
    shop.project().await;
    let response = shop.get(&path()).token(Role::Admin, "ops").header("x-min-position", "5").send().await;
    let at = "2026-11-21T12:00:00Z";
    let expected = json!({"items": [
        {"id": note(9).to_string(), "author": "ops", "text": "called Ada", "writtenAt": at,
            "rewrittenBy": "bob", "rewrittenAt": "2026-11-21T12:01:00Z"},
        {"id": note(8).to_string(), "author": "ops", "text": "gift", "writtenAt": at,
            "rewrittenBy": null, "rewrittenAt": null},
    ], "nextCursor": null, "position": "5"});
    assert_eq!(response.json, expected);
}

#[tokio::test]
async fn a_removed_note_is_not_shown() {
    let mut shop = shop_with_orders().await;
    write(&mut shop, 9, "call Ada").await;
    write(&mut shop, 8, "gift").await;
    shop.append_event(&notes(), OrderNotesEvent::from(Removed { note: note(9) })).await;
    shop.project().await;
    let shown = shop.get(&path()).token(Role::Admin, "ops").send().await;
    assert_eq!(shown.items("text"), ["gift"]);
}

#[tokio::test]
async fn admins_page_through_the_notes_of_one_order() {
    let mut shop = shop_with_orders().await;
    let texts: Vec<String> = (0..7).map(|number| format!("note {number}")).collect();
    for (number, words) in (0..).zip(&texts) {
        write(&mut shop, 20 - number, words).await;
    }
    shop.project().await;
    assert_eq!(fields(&shop.pages(&path(), Role::Admin).await, "text"), texts);
    let first = shop.get(&format!("{}?limit=3", path())).token(Role::Admin, "ops").send().await;
    let cursor = first.json["nextCursor"].as_str().unwrap();
    // A note that is removed or written during paging neither shifts nor repeats other notes.
    shop.append_event(&notes(), OrderNotesEvent::from(Removed { note: note(20) })).await;
    write(&mut shop, 30, "a new note").await;
    shop.project().await;
    let second = shop.get(&format!("{}?limit=3&cursor={cursor}", path()));
    assert_eq!(second.token(Role::Admin, "ops").send().await.items("text"), texts[3..6]);
    let others = format!("/api/orders/{}/notes", order(6));
    let none = shop.get(&others).token(Role::Admin, "ops").send().await;
    assert_eq!((none.status, &none.json["items"], &none.json["nextCursor"]), (200, &json!([]), &json!(null)));
}

#[tokio::test]
async fn only_admins_see_notes_and_an_unknown_order_is_not_found() {
    let mut shop = shop_with_orders().await;
    write(&mut shop, 9, "call Ada").await;
    shop.project().await;
    for role in [Role::Customer, Role::Service] {
        shop.get(&path()).token(role, "ada").send().await.assert_problem(403, "forbidden");
    }
    shop.get(&path()).send().await.assert_problem(401, "unauthenticated");
    for order in [order(7).to_string(), "nonsense".to_owned()] {
        let response = shop.get(&format!("/api/orders/{order}/notes")).token(Role::Admin, "ops").send().await;
        response.assert_problem(404, "not-found");
    }
    for query in ["limit=0", "cursor=x", "colour=red"] {
        let response = shop.get(&format!("{}?{query}", path())).token(Role::Admin, "ops").send().await;
        response.assert_problem(400, "invalid-parameter");
    }
    let order_shown =
        shop.get(&format!("/api/orders/{}", order(5))).token(Role::Customer, "ada").send().await;
    assert!(!order_shown.json.to_string().contains("call"), "{}", order_shown.json);
}

#[tokio::test]
async fn the_erasure_of_the_buyer_hides_the_texts() {
    let mut shop = shop_with_orders().await;
    write(&mut shop, 9, "call Ada").await;
    shop.project().await;
    let shown = async |shop: &Shop| {
        let list = shop.get(&path()).token(Role::Admin, "ops").send().await.json;
        (list["items"][0]["author"].clone(), list["items"][0]["text"].clone())
    };
    assert_eq!(shown(&shop).await, (json!("ops"), json!("call Ada")));
    let ada = customer("ada").person();
    shop.people.erase(&ada, noon()).await.unwrap();
    assert_eq!(shown(&shop).await, (json!("ops"), json!(null)));
}

#[tokio::test]
async fn texts_stay_hidden_even_if_the_key_of_the_erased_buyer_is_restored() {
    let mut shop = shop_with_orders().await;
    write(&mut shop, 9, "call Ada").await;
    let erased = Erased { person: customer("ada").person() };
    shop.append_event(&Order::stream(order(5)), OrderEvent::from(erased)).await;
    let own = Personal::new(order(5).readdressed(), "text", "no address".to_owned());
    let written = Written { note: note(10), author: author("ops"), text: own };
    shop.append_event(&notes(), OrderNotesEvent::from(written)).await;
    shop.project().await;
    let list = shop.get(&path()).token(Role::Admin, "ops").send().await.json;
    assert_eq!((&list["items"][0]["text"], &list["items"][1]["text"]), (&json!(null), &json!("no address")));
}
