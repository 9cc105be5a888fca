//! The list of all aggregates, the ports that their commands are sent to, and the command to any of them.
//!
//! Code that must exist once for each aggregate is generated from
//! [`for_each_aggregate!`](crate::for_each_aggregate): the ports and the command in this module, the delivery
//! of the commands of processes, the fold that shows the state of a stream, the executors of the simulation,
//! and the fuzz target of event payloads.

use std::sync::Arc;

use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::{CommandId, CommandPort, Decider, StreamName};

/// Calls a macro with `port: Name = Aggregate` for every aggregate of the shop. `port` is the field of
/// [`AggregatePorts`], and `Name` is the variant of [`AggregateCommand`].
///
/// The stored corpus of the fuzz target refers to aggregates by their index in this list, so new aggregates
/// must be added at its end.
#[macro_export]
macro_rules! for_each_aggregate {
    ($call:ident) => {
        $call! {
            carts: Cart = $crate::cart::Cart,
            claims: Claim = $crate::claim::Claim,
            orders: Order = $crate::order::Order,
            payments: Payment = $crate::payment::Payment,
            products: Product = $crate::product::Product,
            skips: Skips = $crate::skips::Skips,
            stock: Stock = $crate::stock::Stock,
            webhooks: Webhook = $crate::webhook::Webhook,
            users: User = $crate::user::User,
            order_notes: OrderNotes = $crate::order_notes::OrderNotes,
        }
    };
}

/// Opens the ports of aggregates.
pub trait OpenPort {
    /// Returns the port that commands to an aggregate are sent to.
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>>;
}

macro_rules! define_ports {
    ($($port:ident: $name:ident = $aggregate:ty,)*) => {
        /// The ports of all aggregates.
        #[derive(Clone)]
        pub struct AggregatePorts {
            $(
                #[doc = concat!("Port of [`", stringify!($aggregate), "`].")]
                pub $port: Arc<dyn CommandPort<$aggregate>>,
            )*
        }

        impl AggregatePorts {
            /// Opens the port of each aggregate.
            pub fn open(opener: &impl OpenPort) -> Self {
                Self { $($port: opener.open::<$aggregate>(),)* }
            }
        }
    };
}
for_each_aggregate!(define_ports);

macro_rules! define_command {
    ($($port:ident: $name:ident = $aggregate:ty,)*) => {
        /// A command to any aggregate, with the stream that receives it.
        #[derive(Clone, Debug)]
        pub enum AggregateCommand {
            $(
                #[doc = concat!("A command to [`", stringify!($aggregate), "`].")]
                $name(StreamName, <$aggregate as Decider>::Command),
            )*
        }

        impl ProcessCommand for AggregateCommand {
            fn stream(&self) -> StreamName {
                match self {
                    $(Self::$name(stream, _) => stream.clone(),)*
                }
            }

            fn id(&self) -> Option<CommandId> {
                match self {
                    $(Self::$name(stream, command) => <$aggregate>::command_id(stream, command),)*
                }
            }
        }
    };
}
for_each_aggregate!(define_command);
