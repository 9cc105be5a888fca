//! The ports of the shop that erasures, sweeps and webhooks use.

use std::sync::Arc;

use souk_domain::AggregatePorts;
use souk_eventsourcing::{Clock, PersonKeys};
use souk_sign_in::{AccessDenials, Credentials, Outbox};

use crate::provider::PaymentProvider;

/// The ports of the shop. Erasures, sweeps and webhooks reach everything outside their rules through them.
#[derive(Clone)]
pub struct ShopPorts {
    /// Command port of each aggregate.
    pub aggregates: AggregatePorts,
    /// Keys of people, and the index of their e-mail addresses.
    pub people: Arc<dyn PersonKeys>,
    /// Store of passwords, sessions and one-time tokens.
    pub credentials: Arc<dyn Credentials>,
    /// Port that refuses the access tokens of ended sessions.
    pub denials: Arc<dyn AccessDenials>,
    /// Store of sent mail.
    pub outbox: Arc<dyn Outbox>,
    /// The payment provider.
    pub provider: Arc<dyn PaymentProvider>,
    /// Source of the time and of new ids.
    pub clock: Arc<dyn Clock>,
}
