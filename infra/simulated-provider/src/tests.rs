use souk_domain::{Currency, Money, PaymentId, RefundId, VoidId};
use uuid::Uuid;

use super::*;

const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(7));

fn amount() -> Money {
    Money::new(100, Currency::GBP)
}

async fn authorize_as(attempt: u32, token: &str, call: u32) -> Answer {
    let authorization = Authorization { payment: PAYMENT, attempt, amount: amount(), token: token.into() };
    SimulatedProvider.call(&ProviderCall::Authorize(authorization), call, "key").await
}

async fn authorize(token: &str, call: u32) -> Answer {
    authorize_as(1, token, call).await
}

async fn id_of(token: &str) -> String {
    match authorize(token, 1).await {
        Answer::Done { provider_id } => provider_id,
        other => panic!("{token}: {other:?}"),
    }
}

async fn refund(token: &str, attempt: u32) -> Answer {
    let (payment, provider_payment_id, refund) = (PAYMENT, id_of(token).await, RefundId(Uuid::nil()));
    let call = ProviderCall::Refund { payment, provider_payment_id, refund, amount: amount(), attempt };
    SimulatedProvider.call(&call, 1, "key").await
}

async fn void(token: &str, attempt: u32) -> Answer {
    let (payment, provider_payment_id, void) = (PAYMENT, id_of(token).await, VoidId(Uuid::nil()));
    SimulatedProvider
        .call(&ProviderCall::Void { payment, provider_payment_id, void, attempt }, 1, "key")
        .await
}

async fn capture(token: &str) -> Answer {
    let (payment, provider_payment_id) = (PAYMENT, id_of(token).await);
    let call = ProviderCall::Capture { payment, provider_payment_id, amount: amount() };
    SimulatedProvider.call(&call, 1, "key").await
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done { .. })
}

fn is_declined(answer: &Answer) -> bool {
    matches!(answer, Answer::Declined { .. })
}

#[tokio::test]
async fn the_token_decides_whether_money_is_held() {
    for token in ["tok_ok", "tok_slow_1", "tok_refund_declined", "tok_capture_declined", "tok_void_declined"]
    {
        assert!(is_done(&authorize(token, 1).await), "{token}");
    }
    assert!(matches!(authorize("tok_webhook", 1).await, Answer::Accepted { .. }));
    for token in ["tok_decline", "tok_4242", "tok_refund_declined_x", "tok_refund"] {
        assert!(is_declined(&authorize(token, 1).await), "{token}");
    }
}

#[tokio::test]
async fn the_token_decides_what_becomes_of_captures_voids_and_refunds() {
    assert!(is_done(&capture("tok_ok").await) && is_declined(&capture("tok_capture_declined").await));
    assert!(is_done(&void("tok_ok", 1).await) && is_declined(&void("tok_void_declined", 9).await));
    assert!(is_done(&refund("tok_ok", 1).await) && is_declined(&refund("tok_refund_declined", 9).await));
    assert!(is_done(&refund("tok_refund_slow_1", 1).await));
    assert!(is_declined(&refund("tok_refund_declined_2", 2).await));
    assert!(is_done(&refund("tok_refund_declined_2", 3).await));
    assert!(is_declined(&void("tok_void_declined_1", 1).await));
    assert!(is_done(&void("tok_void_declined_1", 2).await));
}

#[tokio::test]
async fn a_flaky_token_fails_as_often_as_it_says() {
    assert!(matches!(authorize("tok_flaky_2", 2).await, Answer::Retry { .. }));
    assert!(is_done(&authorize("tok_flaky_2", 3).await));
}

#[tokio::test]
async fn a_silent_token_never_answers() {
    let answer = tokio::time::timeout(Duration::from_millis(20), authorize("tok_silent", 1)).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn a_payment_and_its_attempt_are_found_by_the_providers_id() {
    for token in ["tok_ok", "tok_refund_declined_2"] {
        for attempt in [1, 2, 11] {
            let Answer::Done { provider_id } = authorize_as(attempt, token, 1).await else {
                panic!("it authorizes")
            };
            let found = SimulatedProvider.find_payment(&provider_id).await;
            assert_eq!(found, Some(FoundPayment { payment: PAYMENT, attempt }), "{provider_id}");
        }
    }
    for unknown in ["pay_other", "sim_x", &format!("sim_{PAYMENT}x"), &format!("sim_{PAYMENT}-x"), "sim_ä"] {
        assert_eq!(SimulatedProvider.find_payment(unknown).await, None, "{unknown}");
    }
}
