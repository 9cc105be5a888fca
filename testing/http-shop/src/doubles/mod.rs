//! Test doubles of the ports that reach other systems or wait for other processes.

mod identity_providers;
mod maintenance;
mod order_finder;
mod passwords;
mod payment_provider;

pub(crate) use identity_providers::ScriptedProviders;
pub(crate) use maintenance::OneParked;
pub(crate) use order_finder::LogOrderFinder;
pub(crate) use passwords::CountedHashing;
pub(crate) use payment_provider::TestProvider;
