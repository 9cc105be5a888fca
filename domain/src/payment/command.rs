//! Commands to a payment.

use crate::money::Money;
use crate::personal_text::PersonalText;
use crate::{DebtId, OrderId, RefundId, VoidId};

/// A command to the payment of one order. `Record…` commands record an answer of the provider, which may
/// arrive late, twice or out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentCommand {
    /// Requests a payment attempt. Another attempt is allowed after a decline.
    Request {
        /// Order to pay.
        order: OrderId,
        /// Total of the order.
        amount: Money,
        /// The provider's token for the buyer's means of payment.
        token: PersonalText,
    },
    /// The provider accepted the request and will report the result by webhook.
    RecordAccepted {
        /// Number of the payment attempt to which the result belongs.
        attempt: u32,
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The provider holds the money.
    RecordAuthorized {
        /// Number of the payment attempt to which the result belongs.
        attempt: u32,
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// Number of calls to the provider in this attempt; 1 if a webhook reported the result.
        attempts: u32,
    },
    /// The provider declined, or could not be reached for too long.
    RecordFailed {
        /// Number of the payment attempt to which the result belongs.
        attempt: u32,
        /// The provider's id of the payment, if the answer contains it.
        provider_payment_id: Option<String>,
        /// The provider's reason code.
        code: String,
        /// The provider's reason as text.
        detail: String,
        /// Number of calls to the provider in this attempt; 1 if a webhook reported the result.
        attempts: u32,
    },
    /// The provider captured the money.
    RecordCaptured {
        /// The provider's id of the payment.
        provider_payment_id: String,
    },
    /// The provider refused to capture the money that it held.
    RecordCaptureFailed {
        /// The provider's id of the payment.
        provider_payment_id: String,
        /// The provider's reason code.
        code: String,
        /// The provider's reason as text.
        detail: String,
    },
    /// Abandons the payment: held money is voided and captured money is refunded, now or when the provider's
    /// answer arrives. A payment that nobody requested yet can't be requested any more. Sent by the checkout.
    Abandon {
        /// Order that the payment belongs to.
        order: OrderId,
    },
    /// The provider released the held money.
    RecordVoided {
        /// Void that succeeded.
        void: VoidId,
    },
    /// The provider refused to release the held money. The failed void becomes a debt.
    RecordVoidFailed {
        /// Void that failed.
        void: VoidId,
        /// The provider's reason code.
        code: String,
        /// The provider's reason as text.
        detail: String,
    },
    /// Refunds money.
    Refund {
        /// Id of the refund, derived from the command or the reversal.
        refund: RefundId,
        /// Amount to refund; `None` refunds everything that is left.
        amount: Option<Money>,
        /// True if a smaller refund is made when less than the amount is left.
        capped: bool,
        /// Reason for the refund.
        reason: String,
    },
    /// The provider refunded the money.
    RecordRefunded {
        /// Refund that succeeded.
        refund: RefundId,
        /// The provider's id of the refund.
        provider_refund_id: String,
    },
    /// Requests a failed refund or void from the provider again.
    RetryDebt {
        /// Id of the failed refund or void.
        debt: DebtId,
    },
    /// Marks a failed refund or void as settled in another way, such as a bank transfer.
    SettleDebt {
        /// Id of the failed refund or void.
        debt: DebtId,
        /// Description of the other way, as staff entered it.
        reason: String,
    },
    /// Withdraws a failed refund or void that is no longer needed. The amount of a withdrawn refund can be
    /// refunded again.
    WithdrawDebt {
        /// Id of the failed refund or void.
        debt: DebtId,
        /// Reason for the withdrawal.
        reason: String,
    },
    /// The provider refused the refund. The failed refund becomes a debt, and its amount counts as not
    /// refunded.
    RecordRefundFailed {
        /// Refund that failed.
        refund: RefundId,
        /// The provider's reason code.
        code: String,
        /// The provider's reason as text.
        detail: String,
    },
}

impl PaymentCommand {
    /// Returns a name that distinguishes the provider's answers to a call.
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
