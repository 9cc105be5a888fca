//! Linked identities of an account: they are added by a sign-in, and removed by `DELETE /api/auth/oidc/{provider}`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::auth::oidc::{back, query, sign_in_through, start};
use crate::auth::{PASSWORD, login_call, mailed, signed_up};

#[tokio::test]
async fn a_user_without_a_password_confirms_an_erasure_by_a_recent_sign_in() {
    let shop = Shop::open().await;
    let first = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    let erase = || Call::delete("/api/users/me").json(&json!({}));
    let wrong = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&first.text("accessToken"), wrong)
        .await
        .refused(422, "validation-failed")
        .at("/password", "wrong-password");
    let refresh = json!({"refreshToken": first.text("refreshToken")});
    shop.pass(121);
    shop.as_user(&first.text("accessToken"), erase()).await.refused(403, "sign-in-needed");
    let later = shop.send(Call::post("/api/auth/refresh", &refresh)).await.done(200);
    shop.as_user(&later.text("accessToken"), erase()).await.refused(403, "sign-in-needed");
    let again = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    shop.as_user(&again.text("accessToken"), erase()).await.done(202);
    let bob = signed_up(&shop, "bob@example.org").await;
    let refused = shop.as_user(&bob.text("accessToken"), erase()).await;
    refused.refused(422, "validation-failed").at("/password", "missing-field");
}

// Proves: sign-in.provider-linking
#[tokio::test]
async fn an_existing_account_is_linked_by_its_owner_only() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let ada_token = ada.text("accessToken");
    let bob_token = bob.text("accessToken");
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
    sign_in_through(&shop, "work", "7|ada@example.org", Some(&bob_token))
        .await
        .refused(409, "account-not-linked");
    sign_in_through(&shop, "work", "7|", Some(&ada_token)).await.refused(403, "email-not-verified");
    let linked = sign_in_through(&shop, "work", "7|ada@example.org", Some(&ada_token)).await.done(200);
    assert_eq!(linked.text("id"), ada.text("id"));
    let signed_in = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    assert_eq!(signed_in.text("id"), ada.text("id"));
    sign_in_through(&shop, "work", "7|bob@example.org", Some(&bob_token))
        .await
        .refused(409, "account-not-linked");
}

#[tokio::test]
async fn a_flow_that_a_session_started_ends_with_the_session() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let flow = start(&shop, "work", "", Some(&ada.text("accessToken"))).await;
    let logout = json!({"refreshToken": ada.text("refreshToken")});
    shop.send(Call::post("/api/auth/logout", &logout)).await.done(204);
    back(&shop, "work", &query(&flow, "7|ada@example.org"), &flow.cookie)
        .await
        .refused(400, "sign-in-not-begun");
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}

// Proves: sign-in.last-way-in
#[tokio::test]
async fn an_identity_is_unlinked_unless_it_is_the_only_way_to_sign_in() {
    let shop = Shop::open().await;
    let unlink = |provider: &str| Call::delete(&format!("/api/auth/oidc/{provider}"));
    shop.send(unlink("work")).await.refused(401, "unauthenticated");
    let ada = sign_in_through(&shop, "work", "7|ada@example.org", None).await.done(200);
    let token = ada.text("accessToken");
    shop.as_user(&token, unlink("home")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("elsewhere")).await.refused(404, "not-found");
    shop.as_user(&token, unlink("work")).await.refused(409, "last-way-to-sign-in");
    sign_in_through(&shop, "home", "8|ada@example.org", Some(&token)).await.done(200);
    shop.as_user(&token, unlink("work")).await.done(204);
    shop.as_user(&token, unlink("home")).await.refused(409, "last-way-to-sign-in");
    let trail = shop.as_user(&token, Call::get("/api/auth/audit")).await.done(200);
    assert_eq!(trail.body["items"][0]["kind"], "provider-unlinked");
    // After setting a password, as the problem advises, the last identity can be unlinked.
    let reset = json!({"email": "ada@example.org"});
    shop.send(Call::post("/api/auth/password/reset", &reset)).await.done(202);
    shop.until_mails(&ada.text("id"), 1).await;
    let confirm = json!({"token": mailed(&shop, &ada.text("id")), "password": PASSWORD});
    shop.send(Call::post("/api/auth/password/reset/confirm", &confirm)).await.done(204);
    let signed_in = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.as_user(&signed_in.text("accessToken"), unlink("home")).await.done(204);
    // The identity is not linked any more, and its e-mail address gives no access to the account.
    sign_in_through(&shop, "work", "7|ada@example.org", None).await.refused(409, "account-not-linked");
}
