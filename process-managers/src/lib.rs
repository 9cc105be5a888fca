//! What the shop does by itself: carries out what its processes ask of the payment provider.

pub mod provider;
