//! What is asked of payments.

use jiff::Timestamp;
use serde::Deserialize;
use souk_http::shapes::MoneyShape;
use utoipa::ToSchema;

/// An attempt to be paid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"orderId": "0199c2aa-bbcc-8000-8000-000000000001", "token": "tok_ok"}))]
pub struct IntentRequest {
    /// The order.
    #[schema(format = "uuid")]
    pub order_id: String,
    /// The provider's token.
    #[schema(min_length = 1, max_length = 200, example = "tok_ok")]
    pub token: String,
}

/// Money to give back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"amount": {"amount": 255, "currency": "GBP"}, "reason": "broken"}))]
pub struct RefundRequest {
    /// How much; left out, all that is left.
    #[serde(default)]
    pub amount: Option<MoneyShape>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// The end of a dead letter that is not tried again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"reason": "paid back by bank transfer"}))]
pub struct DeadLetterSkipRequest {
    /// The way it was settled, or the reason why it is withdrawn. No names, account numbers or other personal data.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// True if the money stays with the shop for now: nobody gave it back, and it can be refunded again.
    #[serde(default)]
    pub withdrawn: bool,
}

/// The types of events that the shop takes from the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(example = "payment.authorized")]
pub enum WebhookKind {
    /// The provider holds the money.
    #[schema(rename = "payment.authorized")]
    PaymentAuthorized,
    /// The payment came to nothing.
    #[schema(rename = "payment.failed")]
    PaymentFailed,
    /// The money went back.
    #[schema(rename = "refund.processed")]
    RefundProcessed,
}

impl WebhookKind {
    /// All types.
    pub const ALL: [Self; 3] = [Self::PaymentAuthorized, Self::PaymentFailed, Self::RefundProcessed];

    /// The type as the provider writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentFailed => "payment.failed",
            Self::RefundProcessed => "refund.processed",
        }
    }

    /// Reads a type; none for one that the shop does not take.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the provider calls about.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "evt_1", "type": "payment.authorized", "providerPaymentId": "pay_1", "createdAt": "2026-11-21T12:00:00Z"}))]
pub struct WebhookRequest {
    /// The provider's id of its event.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub id: String,
    /// As in `payment.authorized`.
    #[serde(rename = "type")]
    #[schema(value_type = WebhookKind)]
    pub kind: String,
    /// The provider's id of the payment.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub provider_payment_id: String,
    /// When the provider made it.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// The refund it is about, by the provider's id or the shop's. Left out, it is the payment's only refund that
    /// waits for an answer or for staff.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub refund_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn documented_types_of_webhooks_are_those_that_are_read() {
        let documented = to_value(WebhookKind::schema()).unwrap();
        assert_eq!(documented["enum"], json!(WebhookKind::ALL.map(WebhookKind::as_str)));
        for kind in WebhookKind::ALL {
            assert_eq!(WebhookKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(WebhookKind::parse("payment.captured"), None);
    }
}
