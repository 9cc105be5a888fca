//! The program `souk`: it connects the ports to engines, and has the command line.
//!
//! This crate contains no business rules. `drivers` runs the step functions of the kernel with tasks, time
//! and I/O. `embedded` opens the engines of a data folder and starts the drivers on them. `serve` adds the
//! HTTP server, and `gateway` runs the edge as a separate process.

pub mod cli;
pub mod clock;
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
pub mod routes;
pub mod serve;
#[cfg(test)]
mod testing;
