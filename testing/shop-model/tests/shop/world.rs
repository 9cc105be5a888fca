//! Complete shop in memory: a log, aggregates that are computed from it, the three processes, and a payment
//! provider.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use souk_domain::order::Order;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::{AggregateCommand, OrderId, PaymentId, for_each_aggregate};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::testkit::{key_of, sealed};
use souk_eventsourcing::{
    Actor, CommandId, Context, CorrelationId, Decider, Position, RecordedEvent, Rejection, Revision,
    StreamName,
};
use souk_process_managers::ProviderCall;
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use uuid::Uuid;

use crate::process::{CommandAnswer, RunningProcess, Runtime};
use souk_shop_model::books::Books;
use souk_shop_model::provider::Provider;

pub(crate) struct World {
    pub(crate) log: Vec<RecordedEvent>,
    pub(crate) now: Timestamp,
    pub(crate) processes: Vec<Box<dyn RunningProcess>>,
    pub(crate) provider: Provider,
    pub(crate) webhooks: Vec<(PaymentId, PaymentCommand)>,
    done: HashSet<(StreamName, CommandId)>,
    commands: u128,
}

/// Step that the shop or the provider can make next, without a request from outside.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Read(usize),
    Decide(usize, String),
    Deliver(usize, String, CommandId, AggregateCommand),
    Call(usize, String, CommandId, ProviderCall),
    Webhook(usize),
}

impl World {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            log: Vec::new(),
            now,
            processes: vec![
                Box::new(Runtime::<Checkout>::default()),
                Box::new(Runtime::<Settlement>::default()),
                Box::new(Runtime::<ReversalProcess>::default()),
            ],
            provider: Provider::default(),
            webhooks: Vec::new(),
            done: HashSet::new(),
            commands: 0,
        }
    }

    /// Returns a new command id.
    pub(crate) fn new_command_id(&mut self) -> CommandId {
        self.commands += 1;
        CommandId(Uuid::from_u128(self.commands))
    }

    /// Returns the books, which check the rules of the shop.
    pub(crate) fn books(&self) -> Books<'_> {
        Books { log: &self.log, provider: &self.provider }
    }

    fn execute<D: Decider>(
        &mut self,
        stream: &StreamName,
        command: &D::Command,
        id: CommandId,
    ) -> CommandAnswer {
        if self.done.contains(&(stream.clone(), id)) {
            return CommandAnswer::Done;
        }
        let context = Context { now: self.now, command_id: id };
        let events = match D::decide(&self.books().state::<D>(stream), command, &context) {
            Ok(events) => events,
            Err(rejection) => {
                return CommandAnswer::Refused {
                    code: rejection.code().to_owned(),
                    detail: rejection.to_string(),
                };
            }
        };
        if events.is_empty() {
            return CommandAnswer::Unchanged;
        }
        let origin = Origin::new(id.0, Actor::new("test", "shop"), CorrelationId::from(id.0));
        let first = self.log.iter().filter(|recorded| recorded.stream == *stream).count();
        for (ordinal, event) in (0_u32..).zip(&events) {
            let revision = Revision(first as u64 + u64::from(ordinal));
            let event = origin.envelope(stream, ordinal, event, self.now);
            let event = sealed(vec![event]).remove(0);
            let position = Position(self.log.len() as u64 + 1);
            self.log.push(RecordedEvent { position, stream: stream.clone(), revision, event });
        }
        self.done.insert((stream.clone(), id));
        CommandAnswer::Done
    }

    /// Carries out a command. Also returns true if the command appended an event now.
    pub(crate) fn send(&mut self, command: &AggregateCommand, id: CommandId) -> (CommandAnswer, bool) {
        let stream = command.stream();
        let length_before = self.log.len();
        macro_rules! execute {
            ($($port:ident: $name:ident = $aggregate:ty,)*) => {
                match command {
                    $(AggregateCommand::$name(_, command) => {
                        self.execute::<$aggregate>(&stream, command, id)
                    })*
                }
            };
        }
        let answer = for_each_aggregate!(execute);
        (answer, self.log.len() > length_before)
    }

    /// Carries out a command of a buyer, of staff or of the provider.
    pub(crate) fn request(&mut self, command: &AggregateCommand) -> CommandAnswer {
        let id = command.id();
        let id = id.unwrap_or_else(|| self.new_command_id());
        self.send(command, id).0
    }

    pub(crate) fn actions(&self, with_silent: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            if process.is_behind(&self.log) {
                actions.push(Action::Read(index));
            }
            actions.extend(process.ready().into_iter().map(|instance| Action::Decide(index, instance)));
            let commands = process.commands().into_iter();
            actions.extend(
                commands.map(|(instance, id, command)| Action::Deliver(index, instance, id, command)),
            );
            let is_silent = |call: &ProviderCall| matches!(call, ProviderCall::Authorize(call) if call.token.plain() == Some("silent"));
            let opened =
                process.effects().into_iter().map(|(instance, id, call)| (instance, id, opened(&call)));
            let calls = opened.filter(|(_, _, call)| with_silent || !is_silent(call));
            actions.extend(calls.map(|(instance, id, call)| Action::Call(index, instance, id, call)));
        }
        actions.extend((0..self.webhooks.len()).map(Action::Webhook));
        actions
    }

    /// Performs an action; if `is_doubled`, its command or call is sent twice. Returns false if the action
    /// had no effect.
    pub(crate) fn perform(&mut self, action: &Action, is_doubled: bool) -> bool {
        match action {
            Action::Read(process) => {
                if self.processes[*process].is_behind(&self.log) {
                    self.processes[*process].read_next(&self.log);
                }
            }
            Action::Decide(process, instance) => return self.processes[*process].decide(instance, self.now),
            Action::Deliver(process, instance, id, command) => {
                let (answer, is_in_log) = self.send(command, *id);
                if is_doubled {
                    self.send(command, *id);
                }
                // If the command left an event, the process learns the result when it reads that event.
                if !is_in_log && !self.is_unread(*process, command, *id) {
                    self.processes[*process].on_answer(instance, *id, answer);
                }
            }
            Action::Call(process, instance, id, call) => {
                let responses = self.provider.call(call, *id);
                self.webhooks.extend(responses.webhooks.into_iter().map(|webhook| (call.payment(), webhook)));
                if let Some(record) = responses.immediate {
                    self.send(&AggregateCommand::Payment(Payment::stream(call.payment()), record), *id);
                }
                if !is_doubled {
                    self.processes[*process].close_effect(instance, *id);
                }
            }
            Action::Webhook(index) => {
                let (payment, record) = self.webhooks.swap_remove(*index);
                self.request(&AggregateCommand::Payment(Payment::stream(payment), record));
            }
        }
        true
    }

    /// Returns true if the command left events and the process has not read the whole log, so that it may
    /// still read them.
    fn is_unread(&self, process: usize, command: &AggregateCommand, id: CommandId) -> bool {
        let is_done = self.done.contains(&(command.stream(), id));
        is_done && self.processes[process].is_behind(&self.log)
    }

    /// Performs all actions and fires all timers until nothing is left to do.
    pub(crate) fn run_to_rest(&mut self, with_silent: bool) {
        for _ in 0..100_000 {
            let actions = self.actions(with_silent);
            if actions.iter().any(|action| self.perform(action, false)) {
                continue;
            }
            if !self.fire(0) {
                return;
            }
        }
        panic!("the shop does not come to rest");
    }

    /// Fires a timer, and moves the clock to the timer's time if that is later. Returns false if no timer is
    /// set.
    pub(crate) fn fire(&mut self, pick: usize) -> bool {
        let mut timers = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            timers.extend(process.timers().into_iter().map(|timer| (index, timer)));
        }
        if timers.is_empty() {
            return false;
        }
        let (index, (instance, timer, at)) = timers[pick % timers.len()].clone();
        self.now = self.now.max(at);
        self.processes[index].fire(&instance, timer);
        true
    }

    pub(crate) fn advance_clock(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn order(&self, order: OrderId) -> souk_domain::order::OrderState {
        self.books().state::<Order>(&Order::stream(order))
    }
}

/// Returns the call with its personal data opened, as the provider gets it.
fn opened(call: &ProviderCall) -> ProviderCall {
    let keys = call.person().map(|person| (person.clone(), key_of(person))).into_iter().collect();
    call.opened(&keys)
}
