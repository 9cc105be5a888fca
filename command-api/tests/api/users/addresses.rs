//! Tests of `/api/users/me/addresses`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::signed_up;
use crate::users::{account, address};

// Proves: users.one-default-address
#[tokio::test]
async fn an_address_book_has_one_default_address() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let token = ada.text("accessToken");
    let add = |key: &str| Call::post("/api/users/me/addresses", &address(true)).key(key);
    let one = shop.as_user(&token, add("1")).await.done(201).text("id");
    assert_eq!(shop.as_user(&token, add("1")).await.done(201).text("id"), one);
    let two = shop.as_user(&token, add("2")).await.done(201);
    assert_eq!(two.header("location"), format!("/api/users/me/addresses/{}", two.text("id")));
    assert_eq!(account(&shop, &ada.text("id")).await.unwrap().addresses.len(), 2);
    let default = Call::put(&format!("/api/users/me/addresses/{one}/default"), &json!({}));
    shop.as_user(&token, default).await.done(200);
    let of_ada = account(&shop, &ada.text("id")).await.unwrap();
    assert_eq!(of_ada.default_address.unwrap().to_string(), one);
    let change = Call::put(&format!("/api/users/me/addresses/{one}"), &address(false));
    shop.as_user(&token, change).await.done(200);
    shop.as_user(&token, Call::delete(&format!("/api/users/me/addresses/{one}"))).await.done(200);
    shop.as_user(&token, Call::delete(&format!("/api/users/me/addresses/{one}")))
        .await
        .refused(404, "not-found");
    shop.as_user(&token, Call::delete("/api/users/me/addresses/x")).await.refused(404, "not-found");
}

// Proves: common.hidden-resources
// Proves: users.own-data
#[tokio::test]
async fn another_users_address_is_not_found() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let add = Call::post("/api/users/me/addresses", &address(true));
    let id = shop.as_user(&ada.text("accessToken"), add).await.done(201).text("id");
    for call in [
        Call::put(&format!("/api/users/me/addresses/{id}"), &address(true)),
        Call::put(&format!("/api/users/me/addresses/{id}/default"), &json!({})),
        Call::delete(&format!("/api/users/me/addresses/{id}")),
    ] {
        shop.as_user(&bob.text("accessToken"), call).await.refused(404, "not-found");
    }
}
