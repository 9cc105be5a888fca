//! The ports of the shop that erasures and sweeps use.

use souk_domain::AggregatePorts;
use souk_eventsourcing::{Clock, PersonKeys};
use souk_sign_in::{AccessDenials, Credentials, Outbox};

use crate::provider::PaymentProvider;

/// The ports of the shop. Erasures, sweeps and webhooks reach everything outside their rules through them.
#[derive(Clone, Copy)]
pub struct ShopPorts<'a> {
    /// Command port of each aggregate.
    pub aggregates: &'a AggregatePorts,
    /// Keys of people, and the index of their e-mail addresses.
    pub people: &'a dyn PersonKeys,
    /// Store of passwords, sessions and one-time tokens.
    pub credentials: &'a dyn Credentials,
    /// Port that refuses the access tokens of ended sessions.
    pub denials: &'a dyn AccessDenials,
    /// Store of sent mail.
    pub outbox: &'a dyn Outbox,
    /// The payment provider.
    pub provider: &'a dyn PaymentProvider,
    /// Source of the time and of new ids.
    pub clock: &'a dyn Clock,
}
