//! A payment provider that only names payments and refunds.

use async_trait::async_trait;
use souk_domain::{PaymentId, RefundId};
use souk_process_managers::{FoundPayment, PaymentProvider, ProviderAnswer, ProviderCall};

/// A payment provider. Its id of a payment is `pay_` and the shop's id of the payment, followed by `#ATTEMPT`
/// from the second attempt on. Its id of a refund is `re_` and the shop's id of the refund.
pub(crate) struct TestProvider;

#[async_trait]
impl PaymentProvider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn call(&self, _: &ProviderCall, _: u32, _: &str) -> ProviderAnswer {
        panic!("the command side calls no provider")
    }

    async fn find_payment(&self, id: &str) -> Option<FoundPayment> {
        let id = id.strip_prefix("pay_")?;
        let (id, attempt) = match id.split_once('#') {
            Some((id, attempt)) => (id, attempt.parse().ok()?),
            None => (id, 1),
        };
        Some(FoundPayment { payment: PaymentId(id.parse().ok()?), attempt })
    }

    async fn find_refund(&self, id: &str) -> Option<RefundId> {
        id.strip_prefix("re_")?.parse().ok().map(RefundId)
    }
}
