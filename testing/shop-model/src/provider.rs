//! A payment provider that keeps its own books: what it holds, took and gave back. The token says how it
//! behaves.

use std::collections::BTreeMap;

use souk_domain::payment::PaymentCommand;
use souk_domain::{Money, PaymentId, RefundId, VoidId};
use souk_eventsourcing::CommandId;
use souk_process_managers::{Authorization, ProviderCall};

/// How it can behave.
pub const TOKENS: [&str; 8] = [
    "ok",
    "decline",
    "webhook",
    "silent",
    "late-success",
    "capture-fails",
    "give-back-fails",
    // The first try is refused and done all the same, which is told later; other tries are refused.
    "give-back-late",
];

/// Money of a buyer that it holds or held.
#[derive(Debug)]
pub struct Hold {
    /// The payment.
    pub payment: PaymentId,
    /// The amount that was authorized.
    pub amount: Money,
    /// True until the money is captured or voided.
    pub is_held: bool,
    /// The captured amount, in minor units.
    pub taken: i64,
    /// The amount of each refund, in minor units.
    pub refunds: BTreeMap<RefundId, i64>,
    /// The token, which says what it refuses.
    pub refuses: String,
}

/// What it answers a call: to be recorded now, and to be told again or later by webhook.
#[derive(Debug, Default)]
pub struct Answers {
    /// The record of an immediate answer.
    pub now: Option<PaymentCommand>,
    /// The records of answers that come by webhook.
    pub webhooks: Vec<PaymentCommand>,
}

/// The provider.
#[derive(Default)]
pub struct Provider {
    /// The money of each payment, by the provider's id of it.
    pub holds: BTreeMap<String, Hold>,
}

impl Provider {
    /// Carries a call out; a repeat under the same key is answered the same.
    pub fn call(&mut self, call: &ProviderCall, key: CommandId) -> Answers {
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

    fn authorize(&mut self, authorization: &Authorization, key: CommandId) -> Answers {
        let Authorization { payment, attempt, amount, token } = authorization.clone();
        let token = token.plain().expect("the provider is told an open token").to_owned();
        let provider_payment_id = key.to_string();
        // The token of an erased buyer is empty: what was answered before is repeated, anything else is declined.
        let token = if token.is_empty() {
            self.holds
                .get(&provider_payment_id)
                .map_or_else(|| "decline".to_owned(), |hold| hold.refuses.clone())
        } else {
            token
        };
        let failed = |named: bool| PaymentCommand::RecordFailed {
            attempt,
            provider_payment_id: named.then(|| provider_payment_id.clone()),
            code: "no".into(),
            detail: "declined".into(),
            attempts: 1,
        };
        if token == "decline" {
            return Answers { now: Some(failed(false)), webhooks: vec![failed(true), failed(true)] };
        }
        let (taken, refunds, refuses) = (0, BTreeMap::new(), token.clone());
        let hold = Hold { payment, amount, is_held: true, taken, refunds, refuses };
        self.holds.entry(provider_payment_id.clone()).or_insert(hold);
        let authorized = PaymentCommand::RecordAuthorized {
            attempt,
            provider_payment_id: provider_payment_id.clone(),
            attempts: 1,
        };
        match token.as_str() {
            "webhook" => Answers {
                now: Some(PaymentCommand::RecordAccepted { attempt, provider_payment_id }),
                webhooks: vec![authorized.clone(), authorized],
            },
            "late-success" => Answers { now: Some(failed(false)), webhooks: vec![authorized] },
            _ => Answers { now: Some(authorized.clone()), webhooks: vec![authorized] },
        }
    }

    fn capture(&mut self, provider_payment_id: &str, amount: Money) -> Answers {
        let hold = self.holds.get_mut(provider_payment_id).expect("only what is held is captured");
        assert_eq!(hold.amount, amount);
        let provider_payment_id = provider_payment_id.to_owned();
        if hold.refuses == "capture-fails" {
            let (code, detail) = ("no".into(), "blocked".into());
            let refused = PaymentCommand::RecordCaptureFailed { provider_payment_id, code, detail };
            return Answers { now: Some(refused), ..Answers::default() };
        }
        assert!(hold.is_held || hold.taken > 0, "what was let go can't be captured");
        (hold.is_held, hold.taken) = (false, amount.amount);
        let captured = PaymentCommand::RecordCaptured { provider_payment_id };
        Answers { now: Some(captured.clone()), webhooks: vec![captured] }
    }

    fn void(&mut self, provider_payment_id: &str, void: VoidId, attempt: u32) -> Answers {
        let hold = self.holds.get_mut(provider_payment_id).expect("only what is held is voided");
        assert_eq!(hold.taken, 0, "what was taken can't be voided");
        if hold.refuses == "give-back-fails" && attempt == 1 {
            let refused = void_refused(void);
            return Answers { now: Some(refused.clone()), webhooks: vec![refused] };
        }
        let is_late = hold.refuses == "give-back-late";
        if is_late && !hold.is_held {
            return Answers { now: Some(void_refused(void)), ..Answers::default() };
        }
        hold.is_held = false;
        let voided = PaymentCommand::RecordVoided { void };
        if is_late {
            return Answers { now: Some(void_refused(void)), webhooks: vec![voided] };
        }
        Answers { now: Some(voided), ..Answers::default() }
    }

    fn refund(
        &mut self,
        provider_payment_id: &str,
        refund: RefundId,
        amount: Money,
        attempt: u32,
    ) -> Answers {
        let hold = self.holds.get_mut(provider_payment_id).expect("only what was taken is refunded");
        if hold.refuses == "give-back-fails" && attempt == 1 {
            let refused = refund_refused(refund);
            return Answers { now: Some(refused.clone()), webhooks: vec![refused] };
        }
        let is_late = hold.refuses == "give-back-late";
        if is_late && attempt > 1 {
            return Answers { now: Some(refund_refused(refund)), ..Answers::default() };
        }
        hold.refunds.insert(refund, amount.amount);
        assert!(hold.refunds.values().sum::<i64>() <= hold.taken, "more is given back than was taken");
        let done = PaymentCommand::RecordRefunded { refund, provider_refund_id: refund.to_string() };
        if is_late {
            return Answers { now: Some(refund_refused(refund)), webhooks: vec![done] };
        }
        Answers { now: Some(done.clone()), webhooks: vec![done] }
    }

    /// What it took for a payment and didn't give back.
    pub fn kept(&self, payment: PaymentId) -> i64 {
        let of_payment = self.holds.values().filter(|hold| hold.payment == payment);
        of_payment.map(|hold| hold.taken - hold.refunds.values().sum::<i64>()).sum()
    }
}

fn void_refused(void: VoidId) -> PaymentCommand {
    PaymentCommand::RecordVoidFailed { void, code: "no".into(), detail: "blocked".into() }
}

fn refund_refused(refund: RefundId) -> PaymentCommand {
    PaymentCommand::RecordRefundFailed { refund, code: "no".into(), detail: "account closed".into() }
}
