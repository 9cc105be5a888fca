//! Tests of `POST /api/auth/password/change`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::{PASSWORD, change_call, login_call, signed_up, validate};

// Proves: sign-in.password-change
#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    let shop = Shop::open().await;
    let first = signed_up(&shop, "ada@example.org").await;
    let second = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    let change = |current: &str, new: &str| {
        Call::post("/api/auth/password/change", &json!({"current": current, "new": new}))
    };
    let token = second.text("accessToken");
    let new = "battery horse correct";
    shop.as_user(&token, change("wrong", new))
        .await
        .refused(422, "validation-failed")
        .at("/current", "wrong-password");
    shop.as_user(&token, change(PASSWORD, "short"))
        .await
        .refused(422, "validation-failed")
        .at("/new", "weak-password");
    shop.as_user(&token, change(PASSWORD, new)).await.done(204);
    validate(&shop, &first.text("accessToken")).await.refused(401, "unauthenticated");
    validate(&shop, &token).await.done(200);
    shop.send(login_call("ada@example.org", PASSWORD)).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", new)).await.done(200);
    shop.send(change(PASSWORD, new)).await.refused(401, "unauthenticated");
    shop.customer("machine", change(PASSWORD, new)).await.refused(404, "not-found");
}

// Proves: sign-in.password-change
#[tokio::test]
async fn only_one_of_two_simultaneous_password_changes_succeeds() {
    let shop = Shop::open().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    let (one, two) = tokio::join!(
        shop.as_user(&token, change_call(PASSWORD, "battery horse correct")),
        shop.as_user(&token, change_call(PASSWORD, "staple battery horse"))
    );
    let done = [&one, &two].iter().filter(|response| response.status == 204).count();
    assert_eq!(done, 1, "{one:?} {two:?}");
}
