//! Tests of `GET /api/users/me`, the paths below it, and the order lookup of guests.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::json;
use souk_domain::user::event::{AddressAdded, Entry, Erased, Registered, UserRole};
use souk_domain::user::{User, UserEvent};
use souk_domain::{Address, AddressId, EmailHash, UserId};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{PersonKeys as _, Personal};
use souk_http::Role;
use uuid::Uuid;

use crate::shop::{EMAIL_KEY, Shop, draft};

pub(crate) const ADA: UserId = UserId(Uuid::from_u128(7));

fn hash() -> EmailHash {
    EmailHash::of(&EMAIL_KEY, "ada@example.org")
}

fn address() -> Address {
    let text = str::to_owned;
    Address {
        name: text("Ada"),
        line1: text("1 Test St"),
        city: text("London"),
        country: text("GB"),
        ..Address::default()
    }
}

pub(crate) async fn shop_with_ada() -> Shop {
    let mut shop = Shop::open().await;
    let registered = Registered {
        email: Personal::new(ADA.person(), "email", "ada@example.org".to_owned()),
        email_hash: hash(),
        name: Personal::new(ADA.person(), "name", "Ada".to_owned()),
        is_verified: false,
        role: UserRole::Customer,
    };
    shop.append_event(&User::stream(ADA), UserEvent::from(registered)).await;
    let entry = Entry { label: "home".into(), address: address() };
    let id = AddressId(Uuid::from_u128(9));
    let added = AddressAdded { id, entry: Personal::new(ADA.person(), "address", entry), is_default: true };
    shop.append_event(&User::stream(ADA), UserEvent::from(added)).await;
    let mut order = draft(5, Some(&ADA.to_string()), &["A1"]);
    order.shipping_address = Some(Personal::new(ADA.person(), "shippingAddress", address()));
    shop.place_order(order).await;
    shop.project().await;
    shop
}

#[tokio::test]
async fn users_see_their_own_data() {
    let shop = shop_with_ada().await;
    let ada = ADA.to_string();
    let get = async |path: &str| shop.get(path).token(Role::Customer, &ada).send().await.json;
    let me = get("/api/users/me").await;
    assert_eq!(
        (&me["email"], &me["name"], &me["phone"]),
        (&json!("ada@example.org"), &json!("Ada"), &json!(null))
    );
    assert_eq!((&me["emailVerified"], &me["revision"]), (&json!(false), &json!(1)));
    let book = get("/api/users/me/addresses").await;
    assert_eq!(
        (&book["items"][0]["line1"], &book["items"][0]["default"]),
        (&json!("1 Test St"), &json!(true))
    );
    let preferences = get("/api/users/me/preferences").await;
    assert_eq!(preferences, json!({"language": "en", "marketing": false, "notifications": {"email": true}}));
    let export = get("/api/users/me/export").await;
    assert_eq!(export["user"], me);
    assert_eq!(export["orders"][0]["shippingAddress"]["line1"], "1 Test St");
    assert_eq!(export["addresses"], book["items"]);
}

#[tokio::test]
async fn callers_without_an_account_see_no_user_data() {
    let shop = shop_with_ada().await;
    for path in
        ["/api/users/me", "/api/users/me/addresses", "/api/users/me/preferences", "/api/users/me/export"]
    {
        assert_eq!(shop.get(path).send().await.status, 401, "{path}");
        assert_eq!(shop.get(path).token(Role::Customer, "machine").send().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_user_whose_key_was_destroyed_is_shown_as_erased() {
    let mut shop = shop_with_ada().await;
    let ada = ADA.to_string();
    shop.people.erase(&ADA.person(), noon()).await.unwrap();
    let me = shop.get("/api/users/me").token(Role::Customer, &ada).send().await;
    assert_eq!((me.status, &me.json["email"], &me.json["name"]), (200, &json!(null), &json!(null)));
    let order = shop.get("/api/orders").token(Role::Admin, "ops").send().await.json["items"][0].clone();
    assert_eq!((&order["shippingAddress"], &order["addressErased"]), (&json!(null), &json!(true)));
    shop.append_event(&User::stream(ADA), UserEvent::from(Erased { email_hash: hash() })).await;
    shop.project().await;
    assert_eq!(shop.get("/api/users/me").token(Role::Customer, &ada).send().await.status, 404);
}

async fn lookup(shop: &Shop, code: &str, email: &str) -> (u16, serde_json::Value) {
    lookup_from(shop, code, email, [192, 0, 2, 1]).await
}

async fn lookup_from(shop: &Shop, code: &str, email: &str, client: [u8; 4]) -> (u16, serde_json::Value) {
    let body = json!({"code": code, "email": email}).to_string();
    let request = Request::post("/api/orders/lookup").header("x-api-version", "v1");
    let request = request.extension(ConnectInfo(SocketAddr::from((client, 40_000))));
    let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
    let response = shop.send(request).await;
    (response.status, response.json)
}

#[tokio::test]
async fn a_guest_finds_an_order_by_its_code_and_email_address() {
    let mut shop = Shop::open().await;
    let mut order = draft(5, None, &["A1", "B2"]);
    let person = order.order.guest();
    order.email = Some(Personal::new(person.clone(), "email", "ada@example.org".to_owned()));
    order.shipping_address = Some(Personal::new(person.clone(), "shippingAddress", address()));
    shop.place_order(order).await;
    shop.place_order(draft(6, Some("ada"), &["A1"])).await;
    shop.project().await;
    let (status, order) = lookup(&shop, " sk-0005", "Ada@Example.org").await;
    assert_eq!((status, order["lines"].as_array().unwrap().len()), (200, 2));
    assert_eq!(order["shippingAddress"]["city"], "London");
    let wrong = lookup(&shop, "SK-0005", "bob@example.org").await;
    let absent = lookup(&shop, "SK-0009", "ada@example.org").await;
    let customers = lookup(&shop, "SK-0006", "ada@example.org").await;
    for (status, problem) in [&wrong, &absent, &customers] {
        assert_eq!((*status, &problem["detail"]), (404, &json!("there is no such order")));
    }
    for _ in 0..4 {
        lookup(&shop, "SK-0009", "ada@example.org").await;
    }
    assert_eq!(lookup(&shop, "SK-0009", "ada@example.org").await.0, 429);
    assert_eq!(lookup(&shop, "SK-0005", "ada@example.org").await.0, 200);
}

#[tokio::test]
async fn wrong_guesses_of_one_client_do_not_block_the_guest_of_the_order() {
    let mut shop = Shop::open().await;
    let mut order = draft(5, None, &["A1"]);
    order.email = Some(Personal::new(order.order.guest(), "email", "ada@example.org".to_owned()));
    order.email_hash = Some(hash());
    shop.place_order(order).await;
    shop.project().await;
    for n in 0..5 {
        let guess = format!("guess{n}@example.org");
        assert_eq!(lookup_from(&shop, "SK-0005", &guess, [192, 0, 2, 1]).await.0, 404);
    }
    assert_eq!(lookup_from(&shop, "SK-0005", "ada@example.org", [192, 0, 2, 1]).await.0, 429);
    assert_eq!(lookup_from(&shop, "SK-0005", "ada@example.org", [198, 51, 100, 1]).await.0, 200);
}
