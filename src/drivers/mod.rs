//! Drivers: what gives the kernel's step functions tasks, time and I/O. Nothing is decided here.
//!
//! A step is made under a lock that is never held across I/O; its actions are carried out by tasks that
//! come back with the next step. A caller that goes away stops nothing.

pub mod dispatch;
pub mod executor;
pub mod finder;
pub mod follow;
pub mod maintenance;
pub mod parked;
pub mod parts;
pub mod passwords;
pub mod processes;
pub mod projections;
pub mod sealing;
pub mod settled;
pub mod sweeps;
