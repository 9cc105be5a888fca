//! Request bodies of payments.

use jiff::Timestamp;
use serde::Deserialize;
use souk_http::shapes::MoneyShape;
use utoipa::ToSchema;

/// An attempt to pay an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "0199c2aa-bbcc-8000-8000-000000000001", "token": "tok_ok"}))]
pub struct IntentRequest {
    /// Id of the order to pay.
    #[schema(format = "uuid")]
    pub order_id: String,
    /// Token that the payment provider issued for the means of payment.
    #[schema(min_length = 1, max_length = 200, example = "tok_ok")]
    pub token: String,
}

/// A refund.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"amount": {"amount": 255, "currency": "GBP"}, "reason": "broken"}))]
pub struct RefundRequest {
    /// Amount to refund; if absent, everything that was paid and not refunded yet.
    #[serde(default)]
    pub amount: Option<MoneyShape>,
    /// Reason for the refund: at most 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// The closing of a dead letter without another attempt.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"reason": "paid back by bank transfer"}))]
pub struct DeadLetterSkipRequest {
    /// Way in which the dead letter was settled, or reason why it is withdrawn: 1 to 500 characters. Do not
    /// send names, account numbers or other personal data.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// True if the shop keeps the money for now: it was not paid back in another way, and it can be refunded
    /// again.
    #[serde(default)]
    pub withdrawn: bool,
}

/// A type of webhook event that the shop accepts from the payment provider.
#[derive(ToSchema)]
#[schema(example = "payment.authorized")]
pub enum WebhookKind {
    /// The provider has authorized the payment: it holds the money.
    #[schema(rename = "payment.authorized")]
    PaymentAuthorized,
    /// The payment failed.
    #[schema(rename = "payment.failed")]
    PaymentFailed,
    /// A refund was paid to the buyer.
    #[schema(rename = "refund.processed")]
    RefundProcessed,
}

/// A webhook event of the payment provider.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "evt_1", "type": "payment.authorized", "providerPaymentId": "pay_1", "createdAt": "2026-11-21T12:00:00Z"}))]
pub struct WebhookRequest {
    /// Id that the provider gave to the event.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub id: String,
    /// Type of the event, such as `payment.authorized`.
    #[serde(rename = "type")]
    #[schema(value_type = WebhookKind)]
    pub kind: String,
    /// Id that the provider gave to the payment.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub provider_payment_id: String,
    /// Time at which the provider created the event.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// Refund that the event is about: the provider's id or the shop's id. If absent, the event is about the
    /// payment's only refund that waits for the provider or for staff.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub refund_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};
    use souk_process_managers::provider_event::ProviderEventKind;
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn documented_webhook_types_are_the_accepted_types() {
        let documented = to_value(WebhookKind::schema()).unwrap();
        assert_eq!(documented["enum"], json!(ProviderEventKind::ALL.map(ProviderEventKind::as_str)));
        for kind in ProviderEventKind::ALL {
            assert_eq!(ProviderEventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ProviderEventKind::parse("payment.captured"), None);
    }
}
