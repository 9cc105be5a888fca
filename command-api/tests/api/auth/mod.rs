//! Tests of `/api/auth/…`. The files follow the paths below it, or are named after a rule of several paths.

mod audit;
mod email_verify;
mod erased_meanwhile;
mod key_set;
mod login;
mod logout;
mod mail_limits;
mod mailed_tokens;
mod oidc;
mod password_change;
mod password_delays;
mod password_reset;
mod refresh;
mod session_end;
mod signup;

use serde_json::{Value, json};
use souk_domain::UserId;
use souk_domain::user::User;
use souk_http_shop::{Call, Response, Shop};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn sign_up_call(email: &str) -> Call {
    Call::post("/api/auth/signup", &json!({"email": email, "password": PASSWORD, "name": "Ada"}))
}

pub(crate) async fn signed_up(shop: &Shop, email: &str) -> Response {
    shop.send(sign_up_call(email)).await.done(201)
}

pub(crate) fn login_call(email: &str, password: &str) -> Call {
    Call::post("/api/auth/login", &json!({"email": email, "password": password}))
}

pub(crate) async fn refresh(shop: &Shop, token: &str) -> Response {
    shop.send(Call::post("/api/auth/refresh", &json!({"refreshToken": token}))).await
}

pub(crate) async fn validate(shop: &Shop, token: &str) -> Response {
    shop.as_user(token, Call::get("/api/auth/validate")).await
}

pub(crate) async fn audit(shop: &Shop, token: &str) -> Vec<String> {
    let response = shop.as_user(token, Call::get("/api/auth/audit")).await.done(200);
    let items = response.body["items"].as_array().unwrap();
    items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

/// Returns the token in the latest e-mail to a user.
pub(crate) fn mailed(shop: &Shop, user: &str) -> String {
    let mail = shop.last_mail(user).unwrap();
    mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
}

pub(crate) fn confirm_call(token: &str, password: &str) -> Call {
    Call::post("/api/auth/password/reset/confirm", &json!({"token": token, "password": password}))
}

/// Requests a reset, and waits for the mailed token.
pub(crate) async fn reset_token(shop: &Shop, email: &str, user: &str) -> String {
    let before = mailed(shop, user);
    shop.send(Call::post("/api/auth/password/reset", &json!({"email": email}))).await.done(202);
    mailed_after(shop, user, &before).await
}

/// Waits for the token in the next e-mail.
pub(crate) async fn mailed_after(shop: &Shop, user: &str, before: &str) -> String {
    for _ in 0..1_000 {
        let token = mailed(shop, user);
        if token != before {
            return token;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no e-mail was sent");
}

pub(crate) fn change_call(current: &str, new: &str) -> Call {
    Call::post("/api/auth/password/change", &json!({"current": current, "new": new}))
}

pub(crate) fn erase_call(password: &str) -> Call {
    Call::delete("/api/users/me").json(&json!({"password": password}))
}

pub(crate) async fn refused_token(shop: &Shop, call: Call) {
    shop.send(call).await.refused(422, "validation-failed").at("/token", "unknown-token");
}

pub(crate) fn verify(body: &Value) -> Call {
    Call::post("/api/auth/email/verify", body)
}

/// Returns true if the owner of the account's address is proven. Asserts that the address is verified.
pub(crate) async fn is_proven(shop: &Shop, user: &str) -> bool {
    let loaded =
        shop.ports.aggregates.users.load(&User::stream(UserId(user.parse().unwrap()))).await.unwrap();
    let state = loaded.unwrap().state;
    let account = state.account().unwrap();
    assert!(account.is_verified);
    account.is_proven
}
