//! Tests of `/api/auth/password/…`: changes, resets by e-mail, and the delays after wrong passwords.

use serde_json::json;
use souk_domain::{CustomerId, Email};
use souk_sign_in::{OneTimeToken, Purpose};

use crate::auth::{PASSWORD, login_call, mailed, signed_up, validate};
use crate::shop::{Call, TestShop};

fn confirm_call(token: &str, password: &str) -> Call {
    Call::post("/api/auth/password/reset/confirm", &json!({"token": token, "password": password}))
}

/// Requests a reset, and waits for the mailed token.
async fn reset_token(shop: &TestShop, email: &str, user: &str) -> String {
    let before = mailed(shop, user);
    shop.send(Call::post("/api/auth/password/reset", &json!({"email": email}))).await.done(202);
    mailed_after(shop, user, &before).await
}

/// Waits for the token in the next e-mail.
async fn mailed_after(shop: &TestShop, user: &str, before: &str) -> String {
    for _ in 0..1_000 {
        let token = mailed(shop, user);
        if token != before {
            return token;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no e-mail was sent");
}

fn change_call(current: &str, new: &str) -> Call {
    Call::post("/api/auth/password/change", &json!({"current": current, "new": new}))
}

fn erase_call(password: &str) -> Call {
    Call::delete("/api/users/me").json(&json!({"password": password}))
}

/// Sends wrong passwords until the sign-in to an account is delayed.
async fn guess_until_delayed(shop: &TestShop, email: &str) {
    for _ in 0..5 {
        shop.send(login_call(email, "wrong horse battery")).await.refused(401, "unauthenticated");
    }
    shop.send(login_call(email, PASSWORD)).await.refused(429, "rate-limited");
}

#[tokio::test]
async fn failed_sign_ins_of_others_do_not_delay_a_signed_in_owner() {
    let shop = TestShop::open().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    guess_until_delayed(&shop, "ada@example.org").await;
    shop.as_user(&token, change_call(PASSWORD, "battery horse correct")).await.done(204);
    guess_until_delayed(&shop, "ada@example.org").await;
    shop.as_user(&token, erase_call("battery horse correct")).await.done(202);
}

#[tokio::test]
async fn wrong_passwords_within_a_session_delay_only_this_session() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    guess_until_delayed(&shop, "ada@example.org").await;
    let token = reset_token(&shop, "ada@example.org", &user).await;
    shop.send(confirm_call(&token, "battery horse correct")).await.done(204);
    shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail_once() {
    let shop = TestShop::open().await;
    let ada = signed_up(&shop, "ada@example.org").await;
    let user = ada.text("id");
    let first = mailed(&shop, &user);
    let reset = |email: &str| Call::post("/api/auth/password/reset", &json!({"email": email}));
    let unknown = shop.send(reset("bob@example.org")).await.done(202);
    let known = shop.send(reset("ada@example.org")).await.done(202);
    assert_eq!(unknown.body, known.body);
    let token = mailed_after(&shop, &user, &first).await;
    shop.send(confirm_call(&token, "short"))
        .await
        .refused(422, "validation-failed")
        .at("/password", "weak-password");
    refused_token(&shop, confirm_call(&first, "battery horse correct")).await;
    shop.send(confirm_call(&token, "battery horse correct")).await.done(204);
    refused_token(&shop, confirm_call(&token, "battery horse correcd")).await;
    validate(&shop, &ada.text("accessToken")).await.refused(401, "unauthenticated");
    shop.send(login_call("ada@example.org", "battery horse correct")).await.done(200);
}

async fn refused_token(shop: &TestShop, call: Call) {
    shop.send(call).await.refused(422, "validation-failed").at("/token", "unknown-token");
}

#[tokio::test]
async fn a_mailed_reset_token_stops_working_when_the_password_is_changed() {
    let shop = TestShop::open().await;
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
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn a_mailed_reset_token_stops_working_when_another_is_mailed_or_used() {
    let shop = TestShop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    let first = reset_token(&shop, "ada@example.org", &user).await;
    let second = reset_token(&shop, "ada@example.org", &user).await;
    refused_token(&shop, confirm_call(&first, "battery horse correct")).await;
    let (one, two) = tokio::join!(
        shop.send(confirm_call(&second, "battery horse correct")),
        shop.send(confirm_call(&second, "staple battery horse"))
    );
    let statuses = [one.status.as_u16(), two.status.as_u16()];
    assert!(statuses == [204, 422] || statuses == [422, 204], "{statuses:?}");
    let password = if statuses[0] == 204 { "battery horse correct" } else { "staple battery horse" };
    shop.send(login_call("ada@example.org", password)).await.done(200);
}

#[tokio::test]
async fn mailed_tokens_stop_working_when_the_account_is_erased() {
    let shop = TestShop::open().await;
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
async fn stored_token(shop: &TestShop, user: &CustomerId, email: &str, purpose: Purpose) -> String {
    let email = Email::parse(email).unwrap();
    let hash = souk_command_api::auth::addresses::alias_of(&shop.ports, &email).await.unwrap();
    let (token, text) = OneTimeToken::make(user.clone(), hash, purpose, shop.ports.clock.now()).unwrap();
    shop.ports.accounts.credentials.keep_one_time(&token).await.unwrap();
    text
}

#[tokio::test]
async fn tokens_that_were_mailed_to_an_earlier_address_are_refused() {
    let shop = TestShop::open().await;
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

#[tokio::test]
async fn only_one_of_two_simultaneous_password_changes_succeeds() {
    let shop = TestShop::open().await;
    let token = signed_up(&shop, "ada@example.org").await.text("accessToken");
    let (one, two) = tokio::join!(
        shop.as_user(&token, change_call(PASSWORD, "battery horse correct")),
        shop.as_user(&token, change_call(PASSWORD, "staple battery horse"))
    );
    let done = [&one, &two].iter().filter(|response| response.status.as_u16() == 204).count();
    assert_eq!(done, 1, "{one:?} {two:?}");
}
