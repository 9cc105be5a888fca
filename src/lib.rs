//! Souk, put together: configuration, the wiring of roles to engines, and the command line.
//!
//! Nothing is decided here. `drivers` give the kernel's step functions tasks, time and I/O; `embedded`
//! opens the engines of a data folder and starts the drivers on them; `serve` puts HTTP in front, and `gateway`
//! is the edge as a process of its own.

pub mod cli;
pub mod clock;
pub mod configuration;
pub mod data_folder;
pub mod demo;
pub mod drivers;
mod edge;
pub mod embedded;
mod gateway;
mod listen;
pub mod master_key;
pub mod missing_keys;
pub mod openapi;
mod release_gate;
pub mod serve;
#[cfg(test)]
mod testing;
