//! Limits on e-mails, which callers can cause to addresses that are not theirs.

use serde_json::json;
use souk_command_api::auth::mailed_tokens::{RESET_TIME_MIN, RESET_WAIT_MAX, RESETS_AT_ONCE_MAX};
use souk_http_shop::{Call, Shop};
use souk_sign_in::mail_limit::{MAILS_A_DAY_MAX, MAILS_A_DAY_OF_CLIENT_MAX};

use crate::auth::{PASSWORD, sign_up_call, signed_up};

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;

/// Signs up and erases the account again. Returns true if an e-mail was sent.
async fn is_mail_sent_by_cycle(shop: &Shop, client: &str) -> bool {
    let account = shop.send(sign_up_call("ada@example.org").from(client)).await.done(201);
    let is_mailed = shop.last_mail(&account.text("id")).is_some();
    let erase = Call::delete("/api/users/me").json(&json!({"password": PASSWORD}));
    shop.as_user(&account.text("accessToken"), erase).await.done(202);
    is_mailed
}

/// Repeats sign-up and erasure from a client address until two cycles cause no e-mail. Returns the number of
/// e-mails.
async fn mails_of_cycles(shop: &Shop, client: &str) -> u32 {
    let mut mails = 0;
    let mut refused = 0;
    while refused < 2 {
        assert!(mails <= MAILS_A_DAY_MAX, "no limit applies");
        if is_mail_sent_by_cycle(shop, client).await {
            mails += 1;
        } else {
            refused += 1;
        }
    }
    mails
}

#[tokio::test]
async fn cycles_of_sign_up_and_erasure_do_not_flood_a_foreign_address() {
    let shop = Shop::open().await;
    assert_eq!(mails_of_cycles(&shop, "192.0.2.1").await, MAILS_A_DAY_OF_CLIENT_MAX);
    let mut mails = MAILS_A_DAY_OF_CLIENT_MAX;
    for client in ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
        mails += mails_of_cycles(&shop, client).await;
    }
    assert_eq!(mails, MAILS_A_DAY_MAX);
    shop.pass(DAY_S);
    assert!(is_mail_sent_by_cycle(&shop, "192.0.2.1").await);
}

// Proves: sign-in.accounts-are-not-revealed
#[tokio::test]
async fn reset_requests_are_limited_for_an_address_and_get_the_same_response() {
    let shop = Shop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    let reset = Call::post("/api/auth/password/reset", &json!({"email": "ada@example.org"}));
    let before = shop.mails(&user);
    for n in 1..=MAILS_A_DAY_OF_CLIENT_MAX as usize {
        shop.send(reset.clone().from("192.0.2.1")).await.done(202);
        shop.until_mails(&user, before + n).await;
    }
    for _ in 0..3 {
        shop.send(reset.clone().from("192.0.2.1")).await.done(202);
    }
    // The e-mail for another client is sent after those three, so they were not sent.
    shop.send(reset.from("198.51.100.1")).await.done(202);
    shop.until_mails(&user, before + MAILS_A_DAY_OF_CLIENT_MAX as usize + 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(shop.mails(&user), before + MAILS_A_DAY_OF_CLIENT_MAX as usize + 1);
}

#[tokio::test]
async fn simultaneous_resets_wait_for_a_place() {
    let shop = Shop::open().await;
    let reset = Call::post("/api/auth/password/reset", &json!({"email": "bob@example.org"}));
    let requests = (0..RESETS_AT_ONCE_MAX * 2).map(|_| shop.send(reset.clone()));
    for response in futures_util::future::join_all(requests).await {
        response.done(202);
    }
}

#[tokio::test]
async fn too_many_simultaneous_resets_are_refused_alike_with_and_without_an_account() {
    let shop = Shop::open().await;
    let user = signed_up(&shop, "ada@example.org").await.text("id");
    // Three times as many as all places can take while requests wait.
    let uses_of_a_place = (RESET_WAIT_MAX.as_millis() / RESET_TIME_MIN.as_millis()) as usize + 1;
    let requests = 3 * uses_of_a_place * RESETS_AT_ONCE_MAX;
    for email in ["ada@example.org", "bob@example.org"] {
        let reset = Call::post("/api/auth/password/reset", &json!({"email": email}));
        let responses = futures_util::future::join_all((0..requests).map(|_| shop.send(reset.clone()))).await;
        let of = |status: u16| responses.iter().filter(|response| response.status == status).count();
        assert!(of(202) >= RESETS_AT_ONCE_MAX, "{email}: {} are accepted", of(202));
        assert_eq!(of(202) + of(503), requests, "{email}");
        let refused = responses.into_iter().find(|response| response.status == 503).unwrap();
        assert_eq!(refused.refused(503, "overloaded").header("retry-after"), "1");
    }
    shop.until_mails(&user, 1 + MAILS_A_DAY_OF_CLIENT_MAX as usize).await;
}

#[tokio::test]
async fn stored_mail_counts_contain_no_address_and_no_hash_of_one() {
    let shop = Shop::open().await;
    is_mail_sent_by_cycle(&shop, "192.0.2.77").await;
    let hash = souk_domain::Email::parse("ada@example.org").unwrap().hash(&shop.ports.keys.email_hash);
    for text in ["ada@example.org", hash.as_str(), "192.0.2.77"] {
        assert!(!shop.has_in_files(text.as_bytes()), "{text}");
    }
}
