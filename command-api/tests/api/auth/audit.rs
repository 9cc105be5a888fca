//! Tests of `GET /api/auth/audit`.

use serde_json::{Value, json};
use souk_http_shop::{Call, Shop};

use crate::auth::signed_up;

// Proves: sign-in.audit-trail
#[tokio::test]
async fn sign_in_events_are_listed_for_their_user_and_for_admins() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let bob = signed_up(&shop, "bob@example.org").await;
    let of_ada = Call::get(&format!("/api/auth/audit?userId={}", ada.text("id")));
    shop.as_user(&bob.text("accessToken"), of_ada).await.refused(403, "forbidden");
    shop.send(Call::get("/api/auth/audit")).await.refused(401, "unauthenticated");
    let wrong = json!({"email": "ada@example.org", "password": "battery horse correct"});
    shop.send(Call::post("/api/auth/login", &wrong)).await.refused(401, "unauthenticated");
    let own = shop.as_user(&ada.text("accessToken"), Call::get("/api/auth/audit")).await.done(200);
    let kinds: Vec<_> = own.body["items"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["failed", "signed-up"], "the user sees that somebody guesses the password");
    let page = shop.admin(Call::get("/api/auth/audit?limit=2")).await.done(200);
    assert_eq!(page.body["items"].as_array().unwrap().len(), 2);
    let cursor = page.text("nextCursor");
    let rest = shop.admin(Call::get(&format!("/api/auth/audit?cursor={cursor}"))).await.done(200);
    assert_eq!((rest.body["items"].as_array().unwrap().len(), &rest.body["nextCursor"]), (1, &Value::Null));
}
