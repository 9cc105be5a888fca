//! Tests of `GET /api/users/me` and the paths below it.

use serde_json::json;
use souk_domain::user::event::Erased;
use souk_domain::user::{User, UserEvent};
use souk_eventsourcing::testkit::noon;
use souk_http_shop::Call;

use crate::users::{ADA, hash, shop_with_ada};

// Proves: users.own-data
#[tokio::test]
async fn users_see_their_own_data() {
    let shop = shop_with_ada().await;
    let ada = ADA.to_string();
    let get = async |path: &str| shop.customer(&ada, Call::get(path)).await.body;
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

// Proves: users.own-data
#[tokio::test]
async fn callers_without_an_account_see_no_user_data() {
    let shop = shop_with_ada().await;
    for path in
        ["/api/users/me", "/api/users/me/addresses", "/api/users/me/preferences", "/api/users/me/export"]
    {
        assert_eq!(shop.send(Call::get(path)).await.status, 401, "{path}");
        assert_eq!(shop.customer("machine", Call::get(path)).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_user_whose_key_was_destroyed_is_shown_as_erased() {
    let shop = shop_with_ada().await;
    let ada = ADA.to_string();
    shop.ports.people.erase(&ADA.person(), noon()).await.unwrap();
    let me = shop.customer(&ada, Call::get("/api/users/me")).await;
    assert_eq!((me.status, &me.body["email"], &me.body["name"]), (200, &json!(null), &json!(null)));
    let order = shop.admin(Call::get("/api/orders")).await.body["items"][0].clone();
    assert_eq!((&order["shippingAddress"], &order["addressErased"]), (&json!(null), &json!(true)));
    shop.append(&User::stream(ADA), UserEvent::from(Erased { email_hash: hash() })).await;
    shop.project().await;
    assert_eq!(shop.customer(&ada, Call::get("/api/users/me")).await.status, 404);
}
