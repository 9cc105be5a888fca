//! Unfinished tasks of a run, and the senders that wait for the result of a command.

use std::rc::Rc;

use souk_domain::AggregateCommand;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::OutputId;
use souk_eventsourcing::{CommandId, Person, Position, Revision, StreamName};

use crate::effects::SimulatedEffect;

/// Task that is not finished. A kill loses it.
pub(crate) enum Task {
    /// Read of a page: process, number of the process's run, position before the page, and turns until it
    /// arrives.
    Page(usize, u64, Position, usize),
    /// Read of a stream for an executor.
    Read(StreamName, Revision),
    /// Search for the events of a command for an executor.
    Find(StreamName, CommandId),
    /// Delivery of a command to its executor.
    Send(AggregateCommand, Origin, Sender),
    /// Delivery of an effect of a process to a system outside the shop.
    Effect(usize, String, OutputId, Rc<dyn SimulatedEffect>, Origin),
}

/// Sender of a command.
#[derive(Clone)]
pub(crate) enum Sender {
    /// Output of a process instance.
    Process(usize, String, OutputId),
    /// Response of a system outside the shop to an effect of a process instance.
    Effect(usize, String, OutputId),
    /// Buyer, staff or provider, who repeat a request until it is answered.
    Outside(CommandId),
    /// Sweep that completes the erasure of a person.
    Sweep(Person),
    /// Repeated command whose outcome is ignored.
    Nobody,
}
