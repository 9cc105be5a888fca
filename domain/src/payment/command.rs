//! What can be asked of a payment.

use crate::money::Money;
use crate::names::{DebtId, OrderId, RefundId, VoidId};
use crate::personal_text::PersonalText;

/// A command to the payment of one order. `Record…` commands carry what the provider answered, however
/// late, doubled or out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentCommand {
    /// An attempt to be paid; another one is allowed after a decline.
    Request {
        /// The order.
        order: OrderId,
        /// Its total.
        amount: Money,
        /// The provider's token for the buyer's means of payment.
        token: PersonalText,
    },
    /// The provider took the request and will answer later, by webhook.
    RecordAccepted {
        /// The attempt it answers.
        attempt: u32,
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The provider holds the money for us.
    RecordAuthorized {
        /// The attempt it answers.
        attempt: u32,
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// Calls it took.
        attempts: u32,
    },
    /// The provider declined, or could not be reached for too long.
    RecordFailed {
        /// The attempt it answers.
        attempt: u32,
        /// The provider's id of the payment, when the provider said it.
        provider_payment_id: Option<String>,
        /// The provider's code.
        code: String,
        /// In words.
        detail: String,
        /// Calls it took.
        attempts: u32,
    },
    /// The money is ours.
    RecordCaptured {
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The provider would not give what it held.
    RecordCaptureFailed {
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// The provider's code.
        code: String,
        /// In words.
        detail: String,
    },
    /// Nobody wants this payment any more: what is held is voided, what is taken is refunded, what is
    /// still to be answered is so when the answer comes; one that nobody asked for can't be asked for any
    /// more. Sent by the checkout.
    Abandon {
        /// The order.
        order: OrderId,
    },
    /// The provider let the held money go.
    RecordVoided {
        /// Which request it answers.
        void: VoidId,
    },
    /// The provider would not let the held money go: a debt.
    RecordVoidFailed {
        /// The request that it answers.
        void: VoidId,
        /// The provider's code.
        code: String,
        /// In words.
        detail: String,
    },
    /// Gives money back.
    Refund {
        /// Its id, derived from the command or the reversal.
        refund: RefundId,
        /// How much; none gives back all that is left.
        amount: Option<Money>,
        /// Whether less will do, when less is left.
        capped: bool,
        /// Why.
        reason: String,
    },
    /// The provider gave the money back.
    RecordRefunded {
        /// Which refund.
        refund: RefundId,
        /// The provider's id of it.
        provider_refund_id: String,
    },
    /// Asks the provider again for a refund or void that failed.
    RetryDebt {
        /// The failed refund or void.
        debt: DebtId,
    },
    /// A refund or void that failed was settled in another way, such as a bank transfer.
    SettleDebt {
        /// The failed refund or void.
        debt: DebtId,
        /// The way it was settled.
        reason: String,
    },
    /// A refund that failed is not wanted any more: its amount can be refunded again.
    WithdrawDebt {
        /// The failed refund or void.
        debt: DebtId,
        /// The reason.
        reason: String,
    },
    /// The provider would not give the money back; it counts as not refunded and is a debt.
    RecordRefundFailed {
        /// Which refund.
        refund: RefundId,
        /// The provider's code.
        code: String,
        /// In words.
        detail: String,
    },
}

impl PaymentCommand {
    /// A name that tells one answer of the provider to a call from another.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request { .. } => "request",
            Self::RecordAccepted { .. } => "accepted",
            Self::RecordAuthorized { .. } => "authorized",
            Self::RecordFailed { .. } => "failed",
            Self::RecordCaptured { .. } => "captured",
            Self::RecordCaptureFailed { .. } => "capture-failed",
            Self::Abandon { .. } => "abandon",
            Self::RecordVoided { .. } => "voided",
            Self::RecordVoidFailed { .. } => "void-failed",
            Self::RetryDebt { .. } => "retry-debt",
            Self::SettleDebt { .. } => "settle-debt",
            Self::WithdrawDebt { .. } => "withdraw-debt",
            Self::Refund { .. } => "refund",
            Self::RecordRefunded { .. } => "refunded",
            Self::RecordRefundFailed { .. } => "refund-failed",
        }
    }
}
