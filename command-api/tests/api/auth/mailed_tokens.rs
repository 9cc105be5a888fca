//! Events that end the validity of mailed tokens.

use serde_json::json;
use souk_domain::{CustomerId, Email};
use souk_http_shop::{Call, Shop};
use souk_sign_in::{OneTimeToken, Purpose};

use crate::auth::{
    PASSWORD, change_call, confirm_call, erase_call, login_call, mailed, refused_token, reset_token,
    signed_up, validate,
};

#[tokio::test]
async fn a_mailed_reset_token_stops_working_when_the_password_is_changed() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let verify = Call::post("/api/auth/email/verify", &json!({"token": mailed(&shop, &ada.text("id"))}));
    shop.as_user(&ada.text("accessToken"), verify).await.done(204);
    let token = reset_token(&shop, "ada@example.org", &ada.text("id")).await;
    shop.as_user(&ada.text("accessToken"), change_call(PASSWORD, "battery horse correct")).await.done(204);
    refused_token(&shop, confirm_call(&token, "staple battery horse")).await;
    shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
}

#[tokio::test]
async fn a_stranger_who_signed_up_with_an_address_cannot_revoke_the_reset_token_of_its_owner() {
    let shop = Shop::open().await;
    let stranger = signed_up(&shop, "ada@example.org").await;
    let token = reset_token(&shop, "ada@example.org", &stranger.text("id")).await;
    let change = change_call(PASSWORD, "battery horse correct");
    shop.as_user(&stranger.text("accessToken"), change).await.done(204);
    shop.send(confirm_call(&token, "staple battery horse")).await.done(204);
    validate(&shop, &stranger.text("accessToken")).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", "battery horse correct")).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", "staple battery horse")).await.done(200);
    // Now the owner of the address is proven, so a password change revokes the tokens.
    let owner = shop.send(login_call("ada@example.org", "staple battery horse")).await.done(200);
    let token = reset_token(&shop, "ada@example.org", &stranger.text("id")).await;
    let change = change_call("staple battery horse", "correct staple battery");
    shop.as_user(&owner.text("accessToken"), change).await.done(204);
    refused_token(&shop, confirm_call(&token, "horse staple battery")).await;
}

// Proves: sign-in.password-reset
#[tokio::test]
async fn a_mailed_reset_token_stops_working_when_another_is_mailed_or_used() {
    let shop = Shop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    let first = reset_token(&shop, "ada@example.org", &user).await;
    let second = reset_token(&shop, "ada@example.org", &user).await;
    refused_token(&shop, confirm_call(&first, "battery horse correct")).await;
    let (one, two) = tokio::join!(
        shop.send(confirm_call(&second, "battery horse correct")),
        shop.send(confirm_call(&second, "staple battery horse"))
    );
    let statuses = [one.status, two.status];
    assert!(statuses == [204, 422] || statuses == [422, 204], "{statuses:?}");
    let password = if statuses[0] == 204 { "battery horse correct" } else { "staple battery horse" };
    shop.send(login_call("ada@example.org", password)).await.done(200);
}

#[tokio::test]
async fn mailed_tokens_stop_working_when_the_account_is_erased() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let customer = CustomerId::parse(&ada.text("id")).unwrap();
    let verify = |token: &str| Call::post("/api/auth/email/verify", &json!({"token": token}));
    let to_verify = mailed(&shop, &ada.text("id"));
    let to_reset = reset_token(&shop, "ada@example.org", &ada.text("id")).await;
    // The key is destroyed, but the other steps of the erasure are not done yet.
    shop.ports.people.erase(&customer.person(), shop.ports.clock.now()).await.unwrap();
    refused_token(&shop, confirm_call(&to_reset, "battery horse correct")).await;
    refused_token(&shop, verify(&to_verify)).await;
    shop.as_user(&ada.text("accessToken"), erase_call(PASSWORD)).await.done(202);
    refused_token(&shop, confirm_call(&to_reset, "battery horse correct")).await;
    refused_token(&shop, verify(&to_verify)).await;
    // A token that was stored after the erasure does not work either.
    for purpose in [Purpose::ResetPassword, Purpose::VerifyEmail] {
        let late = stored_token(&shop, &customer, "ada@example.org", purpose).await;
        let call =
            if purpose == Purpose::VerifyEmail { verify(&late) } else { confirm_call(&late, PASSWORD) };
        refused_token(&shop, call).await;
    }
    assert_eq!(shop.ports.accounts.credentials.password(&customer).await.unwrap(), None);
}

/// Stores a token as if it had been mailed to an address.
async fn stored_token(shop: &Shop, user: &CustomerId, email: &str, purpose: Purpose) -> String {
    let email = Email::parse(email).unwrap();
    let hash = souk_command_api::auth::addresses::alias_of(&shop.ports, &email).await.unwrap();
    let (token, text) = OneTimeToken::make(user.clone(), hash, purpose, shop.ports.clock.now()).unwrap();
    shop.ports.accounts.credentials.keep_one_time(&token).await.unwrap();
    text
}

#[tokio::test]
async fn tokens_that_were_mailed_to_an_earlier_address_are_refused() {
    let shop = Shop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let customer = CustomerId::parse(&ada.text("id")).unwrap();
    let verify = |token: &str| Call::post("/api/auth/email/verify", &json!({"token": token}));
    for purpose in [Purpose::VerifyEmail, Purpose::ResetPassword] {
        let call = |token: &str| match purpose {
            Purpose::VerifyEmail => verify(token),
            Purpose::ResetPassword => confirm_call(token, "battery horse correct"),
        };
        let elsewhere = stored_token(&shop, &customer, "ada@before.example", purpose).await;
        refused_token(&shop, call(&elsewhere)).await;
        let here = stored_token(&shop, &customer, "ada@example.org", purpose).await;
        shop.as_user(&ada.text("accessToken"), call(&here)).await.done(204);
    }
}
