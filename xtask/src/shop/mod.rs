//! Access to a shop from outside: its process and its HTTP API.

mod client;
mod cpu;
mod metrics;
mod server;

pub(crate) use client::{Call, Response, ShopClient};
pub(crate) use cpu::{Memory, own_cpu_seconds, process_cpu_seconds, process_memory, process_memory_mib};
pub(crate) use server::{Server, admin_token, token, token_for_url};
