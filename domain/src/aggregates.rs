//! The list of all aggregates, and the ports that their commands are sent to.
//!
//! Code that must exist once for each aggregate is generated from
//! [`for_each_aggregate!`](crate::for_each_aggregate): the ports in this module, the fold that shows the
//! state of a stream, and the fuzz target of event payloads.

use std::sync::Arc;

use souk_eventsourcing::{CommandPort, Decider};

/// Calls a macro with `field: Aggregate` for every aggregate of the shop.
///
/// The stored corpus of the fuzz target refers to aggregates by their index in this list, so new aggregates
/// must be added at its end.
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
            order_notes: $crate::order_notes::OrderNotes,
        }
    };
}

/// Opens the ports of aggregates.
pub trait OpenPort {
    /// Returns the port that commands to an aggregate are sent to.
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>>;
}

macro_rules! define_ports {
    ($($field:ident: $aggregate:ty,)*) => {
        /// The ports of all aggregates.
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
