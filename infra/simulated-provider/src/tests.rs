use souk_domain::{Currency, Money, PaymentId, RefundId, VoidId};
use uuid::Uuid;

use super::*;

const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(7));

fn amount() -> Money {
    Money::new(100, Currency::GBP)
}

async fn authorize_as(attempt: u32, token: &str, call: u32) -> ProviderAnswer {
    let authorization = Authorization { payment: PAYMENT, attempt, amount: amount(), token: token.into() };
    SimulatedProvider.call(&ProviderCall::Authorize(authorization), call, "key").await
}

async fn authorize(token: &str, call: u32) -> ProviderAnswer {
    authorize_as(1, token, call).await
}

async fn id_of(token: &str) -> String {
    match authorize(token, 1).await {
        ProviderAnswer::Done { provider_id } => provider_id,
        other => panic!("{token}: {other:?}"),
    }
}

async fn refund(token: &str, attempt: u32) -> ProviderAnswer {
    let call = ProviderCall::Refund {
        payment: PAYMENT,
        provider_payment_id: id_of(token).await,
        refund: RefundId(Uuid::nil()),
        amount: amount(),
        attempt,
    };
    SimulatedProvider.call(&call, 1, "key").await
}

async fn void(token: &str, attempt: u32) -> ProviderAnswer {
    let call = ProviderCall::Void {
        payment: PAYMENT,
        provider_payment_id: id_of(token).await,
        void: VoidId(Uuid::nil()),
        attempt,
    };
    SimulatedProvider.call(&call, 1, "key").await
}

async fn capture(token: &str) -> ProviderAnswer {
    let provider_payment_id = id_of(token).await;
    let call = ProviderCall::Capture { payment: PAYMENT, provider_payment_id, amount: amount() };
    SimulatedProvider.call(&call, 1, "key").await
}

fn is_done(answer: &ProviderAnswer) -> bool {
    matches!(answer, ProviderAnswer::Done { .. })
}

fn is_declined(answer: &ProviderAnswer) -> bool {
    matches!(answer, ProviderAnswer::Declined { .. })
}

// Proves: payments.simulated-tokens
#[tokio::test]
async fn the_token_decides_the_authorization() {
    for token in ["tok_ok", "tok_slow_1", "tok_refund_declined", "tok_capture_declined", "tok_void_declined"]
    {
        assert!(is_done(&authorize(token, 1).await), "{token}");
    }
    assert!(matches!(authorize("tok_webhook", 1).await, ProviderAnswer::Accepted { .. }));
    for token in ["tok_decline", "tok_4242", "tok_refund_declined_x", "tok_refund"] {
        assert!(is_declined(&authorize(token, 1).await), "{token}");
    }
}

// Proves: payments.simulated-tokens
#[tokio::test]
async fn the_token_decides_captures_voids_and_refunds() {
    assert!(is_done(&capture("tok_ok").await) && is_declined(&capture("tok_capture_declined").await));
    assert!(is_done(&void("tok_ok", 1).await) && is_declined(&void("tok_void_declined", 9).await));
    assert!(is_done(&refund("tok_ok", 1).await) && is_declined(&refund("tok_refund_declined", 9).await));
    assert!(is_done(&refund("tok_refund_slow_1", 1).await));
    assert!(is_declined(&refund("tok_refund_declined_2", 2).await));
    assert!(is_done(&refund("tok_refund_declined_2", 3).await));
    assert!(is_declined(&void("tok_void_declined_1", 1).await));
    assert!(is_done(&void("tok_void_declined_1", 2).await));
}

// Proves: payments.simulated-tokens
#[tokio::test]
async fn a_flaky_token_fails_the_given_number_of_times() {
    assert!(matches!(authorize("tok_flaky_2", 2).await, ProviderAnswer::Retry { .. }));
    assert!(is_done(&authorize("tok_flaky_2", 3).await));
}

// Proves: payments.simulated-tokens
#[tokio::test]
async fn a_silent_token_never_answers() {
    let answer = tokio::time::timeout(Duration::from_millis(20), authorize("tok_silent", 1)).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn a_payment_and_its_attempt_are_found_by_the_providers_id() {
    for token in ["tok_ok", "tok_refund_declined_2"] {
        for attempt in [1, 2, 11] {
            let ProviderAnswer::Done { provider_id } = authorize_as(attempt, token, 1).await else {
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
