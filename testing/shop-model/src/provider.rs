//! Payment provider that keeps its own books of held, captured and refunded money. The payment token decides
//! how the provider behaves.

use std::collections::BTreeMap;

use souk_domain::payment::PaymentCommand;
use souk_domain::{Money, PaymentId, RefundId, VoidId};
use souk_eventsourcing::CommandId;
use souk_process_managers::{Authorization, ProviderCall};

/// Payment tokens. Each stands for one behaviour of the provider.
pub const TOKENS: [&str; 8] = [
    "ok",
    "decline",
    "webhook",
    "silent",
    "late-success",
    "capture-fails",
    "give-back-fails",
    // The provider refuses the first refund or void, but carries it out, and reports this later by webhook.
    // It refuses all further ones.
    "give-back-late",
];

/// Money of a buyer that the provider holds or has captured.
#[derive(Debug)]
pub struct Hold {
    /// Payment that the money belongs to.
    pub payment: PaymentId,
    /// Authorized amount.
    pub amount: Money,
    /// True until the money is captured or voided.
    pub is_held: bool,
    /// Captured amount, in minor units.
    pub captured: i64,
    /// Amount of each refund, in minor units.
    pub refunds: BTreeMap<RefundId, i64>,
    /// Payment token, which decides how the provider behaves.
    pub token: String,
}

/// Responses of the provider to a call: one at once, and more by webhook.
#[derive(Debug, Default)]
pub struct ProviderResponses {
    /// Command that records the immediate response; none if the provider does not respond.
    pub immediate: Option<PaymentCommand>,
    /// Commands that record the responses by webhook.
    pub webhooks: Vec<PaymentCommand>,
}

/// Payment provider with its books.
#[derive(Default)]
pub struct Provider {
    /// Money of each payment, by the id that the provider gave the payment.
    pub holds: BTreeMap<String, Hold>,
}

impl Provider {
    /// Carries out a call. A repeated call with the same key gets the same responses.
    pub fn call(&mut self, call: &ProviderCall, key: CommandId) -> ProviderResponses {
        match call {
            ProviderCall::Authorize(authorization) => self.authorize(authorization, key),
            ProviderCall::Capture { provider_payment_id, amount, .. } => {
                self.capture(provider_payment_id, *amount)
            }
            ProviderCall::Void { provider_payment_id, void, attempt, .. } => {
                self.void(provider_payment_id, *void, *attempt)
            }
            ProviderCall::Refund { provider_payment_id, refund, amount, attempt, .. } => {
                self.refund(provider_payment_id, *refund, *amount, *attempt)
            }
        }
    }

    fn authorize(&mut self, authorization: &Authorization, key: CommandId) -> ProviderResponses {
        let Authorization { payment, attempt, amount, token } = authorization.clone();
        let token = token.plain().expect("a call reaches the provider with an open token").to_owned();
        let provider_payment_id = key.to_string();
        // The token of an erased buyer is empty. The provider repeats its earlier response, or declines a new
        // call.
        let token = if token.is_empty() {
            self.holds
                .get(&provider_payment_id)
                .map_or_else(|| "decline".to_owned(), |hold| hold.token.clone())
        } else {
            token
        };
        let failed = |has_id: bool| PaymentCommand::RecordFailed {
            attempt,
            provider_payment_id: has_id.then(|| provider_payment_id.clone()),
            code: "no".into(),
            detail: "declined".into(),
            attempts: 1,
        };
        if token == "decline" {
            return ProviderResponses {
                immediate: Some(failed(false)),
                webhooks: vec![failed(true), failed(true)],
            };
        }
        let hold = Hold {
            payment,
            amount,
            is_held: true,
            captured: 0,
            refunds: BTreeMap::new(),
            token: token.clone(),
        };
        self.holds.entry(provider_payment_id.clone()).or_insert(hold);
        let authorized = PaymentCommand::RecordAuthorized {
            attempt,
            provider_payment_id: provider_payment_id.clone(),
            attempts: 1,
        };
        match token.as_str() {
            "webhook" => ProviderResponses {
                immediate: Some(PaymentCommand::RecordAccepted { attempt, provider_payment_id }),
                webhooks: vec![authorized.clone(), authorized],
            },
            "late-success" => {
                ProviderResponses { immediate: Some(failed(false)), webhooks: vec![authorized] }
            }
            _ => ProviderResponses { immediate: Some(authorized.clone()), webhooks: vec![authorized] },
        }
    }

    fn capture(&mut self, provider_payment_id: &str, amount: Money) -> ProviderResponses {
        let hold = self.holds.get_mut(provider_payment_id).expect("only an authorized payment is captured");
        assert_eq!(hold.amount, amount);
        let provider_payment_id = provider_payment_id.to_owned();
        if hold.token == "capture-fails" {
            let refused = PaymentCommand::RecordCaptureFailed {
                provider_payment_id,
                code: "no".into(),
                detail: "blocked".into(),
            };
            return ProviderResponses { immediate: Some(refused), ..ProviderResponses::default() };
        }
        assert!(hold.is_held || hold.captured > 0, "a voided hold can't be captured");
        hold.is_held = false;
        hold.captured = amount.amount;
        let captured = PaymentCommand::RecordCaptured { provider_payment_id };
        ProviderResponses { immediate: Some(captured.clone()), webhooks: vec![captured] }
    }

    fn void(&mut self, provider_payment_id: &str, void: VoidId, attempt: u32) -> ProviderResponses {
        let hold = self.holds.get_mut(provider_payment_id).expect("only an authorized payment is voided");
        assert_eq!(hold.captured, 0, "a captured payment can't be voided");
        if hold.token == "give-back-fails" && attempt == 1 {
            let refused = void_refused(void);
            return ProviderResponses { immediate: Some(refused.clone()), webhooks: vec![refused] };
        }
        let is_late = hold.token == "give-back-late";
        if is_late && !hold.is_held {
            return ProviderResponses { immediate: Some(void_refused(void)), ..ProviderResponses::default() };
        }
        hold.is_held = false;
        let voided = PaymentCommand::RecordVoided { void };
        if is_late {
            return ProviderResponses { immediate: Some(void_refused(void)), webhooks: vec![voided] };
        }
        ProviderResponses { immediate: Some(voided), ..ProviderResponses::default() }
    }

    fn refund(
        &mut self,
        provider_payment_id: &str,
        refund: RefundId,
        amount: Money,
        attempt: u32,
    ) -> ProviderResponses {
        let hold = self.holds.get_mut(provider_payment_id).expect("only an authorized payment is refunded");
        if hold.token == "give-back-fails" && attempt == 1 {
            let refused = refund_refused(refund);
            return ProviderResponses { immediate: Some(refused.clone()), webhooks: vec![refused] };
        }
        let is_late = hold.token == "give-back-late";
        if is_late && attempt > 1 {
            return ProviderResponses {
                immediate: Some(refund_refused(refund)),
                ..ProviderResponses::default()
            };
        }
        hold.refunds.insert(refund, amount.amount);
        assert!(
            hold.refunds.values().sum::<i64>() <= hold.captured,
            "the refunds exceed the captured amount"
        );
        let done = PaymentCommand::RecordRefunded { refund, provider_refund_id: refund.to_string() };
        if is_late {
            return ProviderResponses { immediate: Some(refund_refused(refund)), webhooks: vec![done] };
        }
        ProviderResponses { immediate: Some(done.clone()), webhooks: vec![done] }
    }

    /// Returns the captured amount of a payment minus its refunds, in minor units.
    pub fn net_amount(&self, payment: PaymentId) -> i64 {
        let of_payment = self.holds.values().filter(|hold| hold.payment == payment);
        of_payment.map(|hold| hold.captured - hold.refunds.values().sum::<i64>()).sum()
    }
}

fn void_refused(void: VoidId) -> PaymentCommand {
    PaymentCommand::RecordVoidFailed { void, code: "no".into(), detail: "blocked".into() }
}

fn refund_refused(refund: RefundId) -> PaymentCommand {
    PaymentCommand::RecordRefundFailed { refund, code: "no".into(), detail: "account closed".into() }
}
