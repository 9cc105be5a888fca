//! Response body of a payment.

use serde::Serialize;
use souk_domain::Money;
use souk_eventsourcing::Position;
use souk_http::closed_texts::PaymentStatusShape;
use souk_http::shapes::MoneyShape;
use souk_projections::payments::{PaymentRow, Refund, RefundStatus};
use utoipa::ToSchema;

/// Payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Payment")]
#[schema(example = json!({"id": "01a1fd90-c14b-8205-a8a0-cc6f0b1eb611", "orderId": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "amount": {"amount": 510, "currency": "GBP"}, "status": "CAPTURED", "providerPaymentId": "sim_01a1fd90-c14b-8205-a8a0-cc6f0b1eb611", "attempts": 1, "refunds": [], "owed": null, "revision": 2, "position": "42"}))]
pub(crate) struct PaymentResponse {
    id: String,
    order_id: String,
    amount: MoneyShape,
    status: PaymentStatusShape,
    /// Id of the payment at the provider; null until the provider has responded.
    provider_payment_id: Option<String>,
    /// Number of calls to the provider, over all attempts to authorize the payment.
    attempts: u32,
    refunds: Vec<RefundResponse>,
    /// Sum of the refunds that the provider declined and that staff have not retried, settled or withdrawn;
    /// null if there are none.
    owed: Option<MoneyShape>,
    /// Revision of the payment, for `If-Match`.
    pub(crate) revision: u64,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    position: String,
}

/// Refund of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Refund")]
struct RefundResponse {
    id: String,
    amount: MoneyShape,
    reason: String,
    status: RefundStatusResponse,
}

/// Status of a refund.
///
/// `SETTLED`: the refund failed, and the shop gave the money back in another way. `DOUBLED`: the provider
/// refunded money that the buyer had already received in another way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(title = "RefundStatus", example = "REFUNDED")]
enum RefundStatusResponse {
    Pending,
    Refunded,
    Failed,
    Settled,
    Doubled,
}

impl PaymentResponse {
    pub(crate) fn new(id: String, row: PaymentRow, position: Position) -> Self {
        Self {
            id,
            order_id: row.order.to_string(),
            owed: (row.owed() > 0).then(|| Money { amount: row.owed(), ..row.amount }.into()),
            amount: row.amount.into(),
            status: row.status.into(),
            provider_payment_id: row.provider_payment_id,
            attempts: row.attempts,
            refunds: row.refunds.into_iter().map(RefundResponse::from).collect(),
            revision: row.revision,
            position: position.to_string(),
        }
    }
}

impl From<Refund> for RefundResponse {
    fn from(refund: Refund) -> Self {
        let status = match refund.status {
            RefundStatus::Pending => RefundStatusResponse::Pending,
            RefundStatus::Refunded => RefundStatusResponse::Refunded,
            RefundStatus::Failed if refund.settled > 0 => RefundStatusResponse::Settled,
            RefundStatus::Failed => RefundStatusResponse::Failed,
            RefundStatus::Doubled => RefundStatusResponse::Doubled,
        };
        Self { id: refund.id.to_string(), amount: refund.amount.into(), reason: refund.reason, status }
    }
}
