//! The one list of aggregates, and the ports to which their commands go.
//!
//! Everything that exists once for each aggregate is generated from [`for_each_aggregate!`](crate::for_each_aggregate):
//! the ports here, the fold for readers of a stream, and the fuzz target of event payloads.

use std::sync::Arc;

use souk_eventsourcing::{CommandPort, Decider};

/// Calls a macro with `field: Aggregate` for every aggregate of the shop.
///
/// The kept corpus of the fuzz target names aggregates by their place in the list: append new ones.
#[macro_export]
macro_rules! for_each_aggregate {
    ($call:ident) => {
        $call! {
            carts: $crate::cart::Cart,
            claims: $crate::claim::Claim,
            orders: $crate::order::Order,
            payments: $crate::payment::Payment,
            products: $crate::product::Product,
            skips: $crate::skips::Skips,
            stock: $crate::stock::Stock,
            webhooks: $crate::webhook::Webhook,
            users: $crate::user::User,
        }
    };
}

/// Opens the port of an aggregate.
pub trait OpenPort {
    /// Returns a port to which the commands of the aggregate go.
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>>;
}

macro_rules! define_ports {
    ($($field:ident: $aggregate:ty,)*) => {
        /// The port of each aggregate.
        #[derive(Clone)]
        pub struct AggregatePorts {
            $(
                #[doc = concat!("Port of [`", stringify!($aggregate), "`].")]
                pub $field: Arc<dyn CommandPort<$aggregate>>,
            )*
        }

        impl AggregatePorts {
            /// Opens the port of each aggregate.
            pub fn open(opener: &impl OpenPort) -> Self {
                Self { $($field: opener.open::<$aggregate>(),)* }
            }
        }
    };
}
for_each_aggregate!(define_ports);
