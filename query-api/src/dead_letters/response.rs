//! Response body of a dead letter.

use serde::Serialize;
use souk_http::shapes::MoneyShape;
use souk_projections::payment_debts::{DebtKind, Failure, PaymentDebtRow};
use utoipa::ToSchema;

/// A refund or a void that the payment provider refused. A void releases money that is held for a payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "DeadLetter")]
#[schema(example = json!({"id": "01a1fd90-c14b-8c05-98a0-cc6f0b1eb611", "kind": "refund", "paymentId": "01a1fd90-c14b-8205-a8a0-cc6f0b1eb611", "orderId": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "amount": {"amount": 510, "currency": "GBP"}, "attempts": 1, "code": "refund-declined", "detail": "the account is closed", "failedAt": "2026-11-21T10:04:44.747991Z"}))]
pub(crate) struct DeadLetterResponse {
    id: String,
    kind: DeadLetterKind,
    payment_id: String,
    order_id: String,
    amount: MoneyShape,
    /// Number of times that the provider refused it.
    attempts: u32,
    /// Error code of the provider.
    code: String,
    /// Error message of the provider.
    detail: String,
    #[schema(format = DateTime)]
    failed_at: String,
}

/// Kind of a dead letter: a refund, or a void (the release of held money).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "refund")]
enum DeadLetterKind {
    Refund,
    Void,
}

impl DeadLetterResponse {
    /// Returns none if the provider did not refuse the refund or void.
    pub(crate) fn new(id: String, row: PaymentDebtRow) -> Option<Self> {
        let Failure { code, detail, at } = row.failure?;
        let kind = match row.kind {
            DebtKind::Refund => DeadLetterKind::Refund,
            DebtKind::Void => DeadLetterKind::Void,
        };
        Some(Self {
            id,
            kind,
            payment_id: row.payment.to_string(),
            order_id: row.order.to_string(),
            amount: row.amount.into(),
            attempts: row.attempt,
            code,
            detail,
            failed_at: at.to_string(),
        })
    }
}
