//! A whole shop in memory: one log, every aggregate as a fold of it, the three processes, a provider.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use souk_domain::cart::Cart;
use souk_domain::order::Order;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::Stock;
use souk_domain::{OrderId, PaymentId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::testkit::{key_of, sealed};
use souk_eventsourcing::{
    Actor, CommandId, Context, CorrelationId, Decider, Position, RecordedEvent, Rejection, Revision,
    StreamName,
};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use souk_process_managers::{ProviderCall, ShopCommand};
use uuid::Uuid;

use crate::process::{Answer, Running, Runtime};
use souk_shop_model::books::Books;
use souk_shop_model::provider::Provider;

pub(crate) struct World {
    pub(crate) log: Vec<RecordedEvent>,
    pub(crate) now: Timestamp,
    pub(crate) processes: Vec<Box<dyn Running>>,
    pub(crate) provider: Provider,
    pub(crate) webhooks: Vec<(PaymentId, PaymentCommand)>,
    done: HashSet<(StreamName, CommandId)>,
    commands: u128,
}

/// Something that can happen next without anybody asking for it.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Read(usize),
    Decide(usize, String),
    Deliver(usize, String, CommandId, ShopCommand),
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

    /// A command id that nobody had.
    pub(crate) fn new_command_id(&mut self) -> CommandId {
        self.commands += 1;
        CommandId(Uuid::from_u128(self.commands))
    }

    /// What must hold.
    pub(crate) fn books(&self) -> Books<'_> {
        Books { log: &self.log, provider: &self.provider }
    }

    fn execute<D: Decider>(&mut self, stream: &StreamName, command: &D::Command, id: CommandId) -> Answer {
        if self.done.contains(&(stream.clone(), id)) {
            return Answer::Done;
        }
        let context = Context { now: self.now, command_id: id };
        let events = match D::decide(&self.books().state::<D>(stream), command, &context) {
            Ok(events) => events,
            Err(refused) => {
                return Answer::Refused { code: refused.code().to_owned(), detail: refused.to_string() };
            }
        };
        if events.is_empty() {
            return Answer::Unchanged;
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
        Answer::Done
    }

    /// Carries a command out; whether it left an event now.
    pub(crate) fn send(&mut self, command: &ShopCommand, id: CommandId) -> (Answer, bool) {
        let (stream, before) = (command.stream(), self.log.len());
        let answer = match command {
            ShopCommand::Cart(_, command) => self.execute::<Cart>(&stream, command, id),
            ShopCommand::Order(_, command) => self.execute::<Order>(&stream, command, id),
            ShopCommand::Payment(_, command) => self.execute::<Payment>(&stream, command, id),
            ShopCommand::Stock(_, command) => self.execute::<Stock>(&stream, command, id),
        };
        (answer, self.log.len() > before)
    }

    /// A command of somebody outside.
    pub(crate) fn ask(&mut self, command: &ShopCommand) -> Answer {
        let id = command.id();
        let id = id.unwrap_or_else(|| self.new_command_id());
        self.send(command, id).0
    }

    pub(crate) fn actions(&self, with_silent: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for (place, process) in self.processes.iter().enumerate() {
            if process.is_behind(&self.log) {
                actions.push(Action::Read(place));
            }
            actions.extend(process.ready().into_iter().map(|instance| Action::Decide(place, instance)));
            let commands = process.commands().into_iter();
            actions.extend(
                commands.map(|(instance, id, command)| Action::Deliver(place, instance, id, command)),
            );
            let is_silent = |call: &ProviderCall| matches!(call, ProviderCall::Authorize(call) if call.token.plain() == Some("silent"));
            let opened =
                process.effects().into_iter().map(|(instance, id, call)| (instance, id, opened(&call)));
            let calls = opened.filter(|(_, _, call)| with_silent || !is_silent(call));
            actions.extend(calls.map(|(instance, id, call)| Action::Call(place, instance, id, call)));
        }
        actions.extend((0..self.webhooks.len()).map(Action::Webhook));
        actions
    }

    /// Makes something happen, twice when `doubled`; whether anything came of it.
    pub(crate) fn act(&mut self, action: &Action, doubled: bool) -> bool {
        match action {
            Action::Read(process) => {
                if self.processes[*process].is_behind(&self.log) {
                    self.processes[*process].read_next(&self.log);
                }
            }
            Action::Decide(process, instance) => return self.processes[*process].decide(instance, self.now),
            Action::Deliver(process, instance, id, command) => {
                let (answer, is_in_log) = self.send(command, *id);
                if doubled {
                    self.send(command, *id);
                }
                // What is in the log is seen there, whenever the process reads that far.
                if !is_in_log && !self.is_unread(*process, command, *id) {
                    self.processes[*process].answer(instance, *id, answer);
                }
            }
            Action::Call(process, instance, id, call) => {
                let answers = self.provider.call(call, *id);
                self.webhooks.extend(answers.webhooks.into_iter().map(|webhook| (call.payment(), webhook)));
                if let Some(record) = answers.now {
                    self.send(&ShopCommand::Payment(call.payment(), record), *id);
                }
                if !doubled {
                    self.processes[*process].close_effect(instance, *id);
                }
            }
            Action::Webhook(place) => {
                let (payment, record) = self.webhooks.swap_remove(*place);
                self.ask(&ShopCommand::Payment(payment, record));
            }
        }
        true
    }

    /// Whether a command's events stand in the log where the process has not read.
    fn is_unread(&self, process: usize, command: &ShopCommand, id: CommandId) -> bool {
        let is_done = self.done.contains(&(command.stream(), id));
        is_done && self.processes[process].is_behind(&self.log)
    }

    /// Lets everything run until nothing is left to happen, timers included.
    pub(crate) fn drain(&mut self, with_silent: bool) {
        for _ in 0..100_000 {
            let actions = self.actions(with_silent);
            if actions.iter().any(|action| self.act(action, false)) {
                continue;
            }
            if !self.fire(0) {
                return;
            }
        }
        panic!("the shop never comes to rest");
    }

    /// A timer goes off, and it is at least that late; false when there is none.
    pub(crate) fn fire(&mut self, pick: usize) -> bool {
        let mut timers = Vec::new();
        for (place, process) in self.processes.iter().enumerate() {
            timers.extend(process.timers().into_iter().map(|timer| (place, timer)));
        }
        if timers.is_empty() {
            return false;
        }
        let (place, (instance, timer, at)) = timers[pick % timers.len()].clone();
        self.now = self.now.max(at);
        self.processes[place].fire(&instance, timer);
        true
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn order(&self, order: OrderId) -> souk_domain::order::OrderState {
        self.books().state::<Order>(&Order::stream(order))
    }
}

/// The call as the provider gets it.
fn opened(call: &ProviderCall) -> ProviderCall {
    let keys = call.person().map(|person| (person.clone(), key_of(person))).into_iter().collect();
    call.opened(&keys)
}
