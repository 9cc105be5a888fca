//! Delays after wrong passwords: guesses of other people do not delay the owner of an account.

use souk_http_shop::Shop;

use crate::auth::{PASSWORD, change_call, confirm_call, erase_call, login_call, reset_token, signed_up};

/// Sends wrong passwords until the sign-in to an account is delayed.
async fn guess_until_delayed(shop: &Shop, email: &str) {
    for _ in 0..5 {
        shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
    }
    shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
}

// Proves: sign-in.strangers-delay-nobody
#[tokio::test]
async fn failed_sign_ins_of_others_do_not_delay_a_signed_in_owner() {
    let shop = Shop::open().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    guess_until_delayed(&shop, "ada@example.org").await;
    shop.as_user(&token, change_call(PASSWORD, "battery horse correct")).await.done(204);
    guess_until_delayed(&shop, "ada@example.org").await;
    shop.as_user(&token, erase_call("battery horse correct")).await.done(202);
}

#[tokio::test]
async fn wrong_passwords_within_a_session_delay_only_this_session() {
    let shop = Shop::open().await;
    let stolen = signed_up(&shop, "ada@example.org").await.text("accessToken");
    let own = shop.send(login_call("ada@example.org", PASSWORD)).await.done(200).text("accessToken");
    let wrong = "wrong horse battery";
    for call in [
        erase_call(wrong),
        change_call(wrong, "battery horse correct"),
        erase_call(wrong),
        change_call(wrong, "battery horse correct"),
        erase_call(wrong),
    ] {
        shop.as_user(&stolen, call).await.refused(422, "validation-failed");
    }
    shop.as_user(&stolen, change_call(PASSWORD, "battery horse correct")).await.refused(429, "rate-limited");
    shop.as_user(&stolen, erase_call(PASSWORD)).await.refused(429, "rate-limited");
    shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    shop.as_user(&own, erase_call(PASSWORD)).await.done(202);
}

#[tokio::test]
async fn a_password_reset_removes_the_delay_of_the_sign_in() {
    let shop = Shop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    guess_until_delayed(&shop, "ada@example.org").await;
    let token = reset_token(&shop, "ada@example.org", &user).await;
    shop.send(confirm_call(&token, "battery horse correct")).await.done(204);
    shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
}
