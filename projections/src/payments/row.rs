//! The document of a payment.

use serde::{Deserialize, Serialize};
use souk_domain::payment::PaymentStatus;
use souk_domain::{DebtId, Money, OrderId, RefundId};
use souk_eventsourcing::Timestamp;
use uuid::Uuid;

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRow {
    /// What is paid.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The provider's id of it, once there is one.
    pub provider_payment_id: Option<String>,
    /// Calls to the provider, over all attempts to be paid.
    pub attempts: u32,
    /// Calls that attempts before the present one took.
    pub attempts_before: u32,
    /// Whether nobody wants it any more.
    pub abandoned: bool,
    /// Minor units that were taken.
    pub captured: i64,
    /// What is given back, or was to be.
    pub refunds: Vec<Refund>,
    /// Holds that are to be let go.
    pub voids: Vec<Debt>,
    /// Refunds and voids that failed and that nobody has seen to.
    pub debts: Vec<Debt>,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// True when its order was cancelled or timed out.
    pub is_order_ended_early: bool,
    /// Of its stream.
    pub revision: u64,
}

/// Money that is to go back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Debt {
    /// The id of the refund or void.
    pub id: DebtId,
    /// The amount.
    pub amount: Money,
}

impl PaymentRow {
    /// Minor units of refunds that failed and that nobody has seen to. A void that failed took nothing from the
    /// buyer.
    pub fn owed(&self) -> i64 {
        let is_void = |debt: &&Debt| self.voids.iter().any(|void| void.id == debt.id);
        self.debts.iter().filter(|debt| !is_void(debt)).map(|debt| debt.amount.amount).sum()
    }

    /// A debt is no more: it was given after all, is tried again, was settled in another way or withdrawn.
    pub(super) fn close(&mut self, debt: Option<Uuid>) {
        self.debts.retain(|known| Some(known.id.0) != debt);
    }

    /// Returns what was taken less what was given back or is being given back, in minor units.
    pub(super) fn not_given(&self) -> i64 {
        let is_given = |first| {
            self.refunds.iter().any(|refund| refund.first == first && refund.status == RefundStatus::Refunded)
        };
        let asked = self
            .refunds
            .iter()
            .filter(|refund| refund.status == RefundStatus::Pending && !is_given(refund.first));
        let asked: i64 = asked.map(|refund| refund.amount.amount).sum();
        self.captured - asked - self.given_back()
    }

    /// Notes the moment at which a refund gave something back.
    pub(super) fn note_when_given_back(&mut self, at: Timestamp) {
        for refund in &mut self.refunds {
            if refund.given_back_at.is_none() && refund.given_back() > 0 {
                refund.given_back_at = Some(at);
            }
        }
    }

    /// Returns what was given back, by the provider or in another way, in minor units.
    pub(super) fn given_back(&self) -> i64 {
        self.refunds.iter().map(Refund::given_back).sum()
    }
}

/// Money that goes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub status: RefundStatus,
    /// Minor units that were given back in another way, after the provider had refused.
    pub settled: i64,
    /// When it was given back, by the provider or in another way.
    pub given_back_at: Option<Timestamp>,
    /// The refund that was tried first; the refund itself unless it is another try.
    pub first: RefundId,
}

impl Refund {
    /// Minor units that the buyer has again.
    pub(super) fn given_back(&self) -> i64 {
        if self.status == RefundStatus::Refunded { self.amount.amount } else { self.settled }
    }
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The provider has not answered.
    Pending,
    /// The money went back.
    Refunded,
    /// It did not.
    Failed,
    /// The provider gave it back although the buyer had the money already, by another try or in another way.
    Doubled,
}
