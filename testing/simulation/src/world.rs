//! A shop whose every step is chosen by a seed.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use souk_domain::order::Draft;
use souk_domain::stock::StockCommand;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::process::OutputId;
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{CommandId, Person, Position, Revision, StoreError, StreamName};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use souk_process_managers::{ProviderCall, ShopCommand};

use crate::buyers::origin;
use crate::chance::Chance;
use crate::desk::{self, Asked, Desk, Sent, Wanted};
use crate::disk::{Answered, Disk, Waiter};
use crate::erasures::Telling;
use crate::models::Models;
use crate::process::{Kept, Running, Wish};
use souk_shop_model::books::{Books, SKUS};
use souk_shop_model::drafts::sku;
use souk_shop_model::provider::Provider;

/// The names of the processes, in their order.
pub(crate) const PROCESSES: [&str; 3] = ["checkout", "settlement", "reversal"];

/// Units of each SKU: fewer than the orders ask for.
pub(crate) const ON_HAND: i64 = 8;

/// Something under way that a kill loses.
pub(crate) enum Task {
    /// A page on its way to a process, of the run with this number; it takes so many turns.
    Page(usize, u64, Position, usize),
    Read(usize, StreamName, Revision),
    Find(usize, StreamName, CommandId),
    /// A command on its way to its executor.
    Send(Wanted, Origin, From),
    /// A call on its way to the provider.
    Call(usize, String, OutputId, ProviderCall, Origin),
}

/// Who sent a command.
#[derive(Clone)]
pub(crate) enum From {
    Process(usize, String, OutputId),
    /// What the provider answered to a call.
    Effect(usize, String, OutputId),
    /// Somebody outside, who asks again until there is an answer.
    Outside(CommandId),
    /// The sweep that tells of an erasure.
    Sweep(Person),
    /// A repeat of somebody's whose answer nobody waits for.
    Nobody,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) now: Timestamp,
    pub(crate) disk: Disk,
    desks: Vec<Box<dyn Desk>>,
    pub(crate) processes: Vec<Box<dyn Running>>,
    /// The follower of each process.
    pub(crate) followers: Vec<Follower>,
    /// The number of each process's present run, and whether a page is on its way to it.
    pub(crate) runs: Vec<(u64, bool)>,
    pub(crate) models: Models,
    pub(crate) provider: Provider,
    /// What the provider says by itself, which outlives kills of the shop.
    pub(crate) webhooks: Vec<ShopCommand>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) waiting: HashMap<u64, (Wanted, Origin, From)>,
    /// Erasures that the sweep tells of.
    pub(crate) telling: BTreeMap<Person, Telling>,
    tickets: u64,
    /// The command ids of the outputs that were ever sent.
    sent_as: HashMap<(usize, String, OutputId), CommandId>,
    /// Requests of those outside without an answer.
    pub(crate) unanswered: BTreeMap<CommandId, Wanted>,
    /// Requests that were said to be done.
    pub(crate) acknowledged: Vec<CommandId>,
    pub(crate) orders: Vec<Draft>,
    pub(crate) unplaced: Vec<Draft>,
    pub(crate) commands: u128,
    pub(crate) with_faults: bool,
    pub(crate) told: Vec<String>,
}

impl World {
    /// A shop with stock.
    pub(crate) fn open(seed: u64) -> Self {
        let mut world = Self::empty(seed, Box::new(Kept::<Checkout>::default()));
        for n in 0..SKUS {
            world.ask(ShopCommand::Stock(sku(n), StockCommand::Count { on_hand: ON_HAND }));
        }
        world.sign_up();
        world
    }

    pub(crate) fn empty(seed: u64, checkout: Box<dyn Running>) -> Self {
        let mut world = Self {
            chance: Chance::new(seed),
            now: noon(),
            disk: Disk::default(),
            desks: desk::all(),
            processes: checkout_and_others(checkout),
            followers: Vec::new(),
            runs: vec![(0, false); PROCESSES.len()],
            models: Models::new(),
            provider: Provider::default(),
            webhooks: Vec::new(),
            tasks: Vec::new(),
            waiting: HashMap::new(),
            telling: BTreeMap::new(),
            tickets: 0,
            sent_as: HashMap::new(),
            unanswered: BTreeMap::new(),
            acknowledged: Vec::new(),
            orders: Vec::new(),
            unplaced: Vec::new(),
            commands: 0,
            with_faults: true,
            told: Vec::new(),
        };
        world.disk.open();
        for process in 0..world.processes.len() {
            world.follow_again(process);
        }
        world
    }

    /// From now on nothing fails by itself.
    pub(crate) fn without_faults(&mut self) {
        self.with_faults = false;
    }

    /// What processes want must not depend on how they read the log.
    pub(crate) fn check_inputs(&mut self) -> usize {
        crate::inputs::check(&self.disk.synced, self.now, &mut self.chance)
    }

    /// What a run does, step by step.
    pub(crate) fn told(seed: u64, steps: u32) -> Vec<String> {
        let mut world = Self::open(seed);
        for _ in 0..steps {
            world.step();
        }
        let log = world.disk.synced.iter().map(|event| format!("{} {}", event.stream, event.event.id));
        world.told.extend(log);
        world.told
    }

    pub(crate) fn events(&self) -> usize {
        self.disk.synced.len()
    }

    pub(crate) fn event_types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for event in &self.disk.synced {
            *types.entry(event.event_type().to_owned()).or_insert(0) += 1;
        }
        types
    }

    pub(crate) fn books(&self) -> Books<'_> {
        Books { log: &self.disk.synced, provider: &self.provider }
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        let head = self.disk.head();
        match self.chance.below(100) {
            0 if self.chance.once_in(2) => self.kill(),
            1 if self.chance.once_in(3) => self.disk.is_full = true,
            2 if self.chance.once_in(2) => self.pass_time(),
            4..=9 => self.outside(),
            10 if self.chance.once_in(8) => self.restart_one(),
            10..=11 => self.save_rows(),
            12..=20 => self.fold_models(),
            21..=23 => drop(self.tell_of_erasures()),
            _ => drop(self.work()),
        }
        if !self.disk.is_open() && self.chance.once_in(20) {
            self.kill();
        }
        if self.disk.head() > head {
            self.books().check_at_any_moment();
        }
    }

    /// One of the things that wait to be done; false when nothing does.
    pub(crate) fn work(&mut self) -> bool {
        let mut kinds = Vec::new();
        if self.disk.has_written() {
            kinds.push(0);
        }
        if self.disk.has_queued() {
            kinds.push(1);
        }
        if !self.tasks.is_empty() {
            kinds.extend([2, 2, 2]);
        }
        for (place, follower) in self.followers.iter().enumerate() {
            if follower.position() < self.disk.head() {
                kinds.push(3 + place);
            }
        }
        kinds.extend([6, 7, 8]);
        if !self.webhooks.is_empty() {
            kinds.push(9);
        }
        match kinds[self.chance.below(kinds.len())] {
            0 => {
                let fails = self.with_faults && self.chance.once_in(60);
                self.told.push(format!("sync {fails}"));
                let answered = if fails { self.disk.fail_sync(&mut self.chance) } else { self.disk.sync() };
                self.answered(answered);
            }
            1 => {
                let most = 1 + self.chance.below(8);
                let answered = self.disk.write(most);
                self.answered(answered);
            }
            2 => self.run_task(),
            kind @ 3..=5 => self.begin_read(kind - 3),
            kind @ 6..=8 => return self.decide(kind - 6),
            _ => {
                let webhook = self.webhooks.swap_remove(self.chance.below(self.webhooks.len()));
                self.ask(webhook);
            }
        }
        true
    }

    fn run_task(&mut self) {
        let place = self.chance.below(self.tasks.len());
        match self.tasks.swap_remove(place) {
            Task::Page(process, run, after, turns) if turns > 0 => {
                self.tasks.push(Task::Page(process, run, after, turns - 1));
            }
            Task::Page(process, run, after, _) => self.on_page(process, run, after),
            Task::Read(desk, stream, from) => {
                let page =
                    self.disk.read_stream(&stream, from, souk_eventsourcing::executor::LOAD_EVENTS_MAX);
                let fails = self.with_faults && self.chance.once_in(80);
                let result = if fails { Err(away()) } else { Ok(page) };
                let asked = self.desks[desk].on_read(&stream, result, self.now);
                self.asked(desk, asked);
            }
            Task::Find(desk, stream, command) => {
                let found = self.disk.find(&stream, command);
                let asked = self.desks[desk].on_found(&stream, command, Ok(found), self.now);
                self.asked(desk, asked);
            }
            Task::Send(command, origin, from) => {
                if self.with_faults && self.chance.once_in(12) {
                    // It arrives twice. A copy of a process's command is older than the one it waits for: a
                    // run that ended sends nothing any more. Others may ask again at any time.
                    let copy = (command.clone(), origin.clone());
                    match from {
                        From::Process(..) | From::Effect(..) => self.hand_over(copy.0, copy.1, From::Nobody),
                        _ => self.tasks.push(Task::Send(copy.0, copy.1, From::Nobody)),
                    }
                }
                self.hand_over(command, origin, from);
            }
            Task::Call(process, instance, output, call, origin) => {
                self.call(process, &instance, output, &call, &origin);
            }
        }
    }

    /// A command reaches its executor.
    fn hand_over(&mut self, command: Wanted, origin: Origin, from: From) {
        self.tickets += 1;
        self.waiting.insert(self.tickets, (command.clone(), origin.clone(), from));
        let desk = desk::place_of(&command);
        let asked = self.desks[desk].command(self.tickets, command, origin, self.now);
        self.asked(desk, asked);
    }

    /// A call reaches the provider, which answers now, later by itself, twice, or never.
    fn call(
        &mut self,
        process: usize,
        instance: &str,
        output: OutputId,
        call: &ProviderCall,
        asked: &Origin,
    ) {
        let keys = call.person().map(|person| self.disk.keys.ring_of(person)).unwrap_or_default();
        let opened = call.opened(&keys);
        let is_silent =
            matches!(&opened, ProviderCall::Authorize(call) if call.token.plain() == Some("silent"));
        if is_silent && self.with_faults {
            self.tasks.push(Task::Call(process, instance.to_owned(), output, call.clone(), asked.clone()));
            return;
        }
        let answers = self.provider.call(&opened, asked.command_id);
        let payment = call.payment();
        self.webhooks
            .extend(answers.webhooks.into_iter().map(|record| ShopCommand::Payment(payment, record)));
        if self.with_faults && self.chance.once_in(10) {
            // The answer is lost on its way: it is asked again.
            self.tasks.push(Task::Call(process, instance.to_owned(), output, call.clone(), asked.clone()));
            return;
        }
        let Some(record) = answers.now else {
            self.processes[process].on_effect_answered(instance, output);
            return;
        };
        let from = From::Effect(process, instance.to_owned(), output);
        self.tasks.push(Task::Send(ShopCommand::Payment(payment, record).into(), asked.clone(), from));
    }

    fn asked(&mut self, desk: usize, asked: Vec<Asked>) {
        for asked in asked {
            match asked {
                Asked::Read(stream, from) => self.tasks.push(Task::Read(desk, stream, from)),
                Asked::Find(stream, command) => self.tasks.push(Task::Find(desk, stream, command)),
                Asked::Append(append) => {
                    let waiter = Waiter::Desk(desk, append.stream.clone());
                    let answered = self.disk.append(waiter, append);
                    self.answered(answered.into_iter().collect());
                }
                Asked::Answer(ticket, sent) => self.sent(ticket, sent),
            }
        }
    }

    fn answered(&mut self, answered: Vec<Answered>) {
        for (waiter, result) in answered {
            match waiter {
                Waiter::Desk(desk, stream) => {
                    let asked = self.desks[desk].on_appended(&stream, result, self.now);
                    self.asked(desk, asked);
                }
                Waiter::Process(process, instance) => {
                    if let Err(error) = result {
                        self.processes[process].on_append_failed(&instance, &error, self.now);
                    }
                }
            }
        }
    }

    /// A command was answered.
    fn sent(&mut self, ticket: u64, sent: Sent) {
        let Some((command, origin, from)) = self.waiting.remove(&ticket) else { return };
        if let Sent::Unknown = sent {
            if !matches!(from, From::Nobody) {
                self.tasks.push(Task::Send(command, origin, from));
            }
            return;
        }
        match from {
            From::Nobody => {}
            From::Sweep(person) => self.on_told(&person),
            From::Outside(id) => {
                self.unanswered.remove(&id);
                if let Sent::InLog = sent {
                    self.acknowledged.push(id);
                }
            }
            From::Process(process, instance, output) => {
                if let Sent::Answered(answer) = sent {
                    self.processes[process].on_result(&instance, output, answer);
                }
            }
            From::Effect(process, instance, output) => {
                if let Sent::Answered(_) = sent {
                    self.processes[process].on_effect_answered(&instance, output);
                }
            }
        }
    }

    /// A process makes its steps; whether it asked for anything.
    pub(crate) fn decide(&mut self, process: usize) -> bool {
        let wishes = self.processes[process].step(self.now);
        let any = !wishes.is_empty();
        for wish in wishes {
            match wish {
                Wish::Append(instance, append) => {
                    let answered = self.disk.append(Waiter::Process(process, instance), append);
                    self.answered(answered.into_iter().collect());
                }
                Wish::Command(instance, output, command, origin) => {
                    self.check_id(process, &instance, output, origin.command_id);
                    let from = From::Process(process, instance, output);
                    self.tasks.push(Task::Send(command.into(), origin, from));
                }
                Wish::Effect(instance, output, call, origin) => {
                    self.check_id(process, &instance, output, origin.command_id);
                    self.tasks.push(Task::Call(process, instance, output, call, origin));
                }
            }
        }
        any
    }

    /// An output that is sent again, after whatever kill, goes under the id it had before.
    fn check_id(&mut self, process: usize, instance: &str, output: OutputId, id: CommandId) {
        let known = self.sent_as.entry((process, instance.to_owned(), output)).or_insert(id);
        assert_eq!(*known, id, "output {output:?} of {} {instance}", PROCESSES[process]);
    }

    fn save_rows(&mut self) {
        let process = self.chance.below(self.processes.len());
        self.processes[process].save();
    }

    pub(crate) fn fold_models(&mut self) {
        let limit = 1 + self.chance.below(40);
        let page = self.disk.read_all(self.models.position(), limit).to_vec();
        let is_lost = self.with_faults && self.chance.once_in(10);
        self.models.fold(&page, is_lost);
    }

    /// The clock moves: mostly a little on, sometimes far, sometimes back.
    fn pass_time(&mut self) {
        let seconds = match self.chance.below(20) {
            0 => 1_200,
            1 => -90,
            _ => i64::try_from(self.chance.below(40)).unwrap(),
        };
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Everything in memory goes, at this very moment, and is opened again.
    pub(crate) fn kill(&mut self) {
        self.told.push("killed".to_owned());
        self.disk.crash(&mut self.chance);
        self.disk.open();
        self.desks = desk::all();
        self.tasks.clear();
        self.waiting.clear();
        self.telling.clear();
        for process in 0..self.processes.len() {
            self.processes[process].restart();
            self.follow_again(process);
        }
        self.models.restart();
        assert!(self.models.position() <= self.disk.head(), "a read model has seen what the log lost");
        self.check_acknowledged();
        // Those outside ask again.
        for (id, command) in &self.unanswered {
            self.tasks.push(Task::Send(command.clone(), origin(*id), From::Outside(*id)));
        }
    }
}

/// The processes of the shop, of which the checkout may be another than today's.
fn checkout_and_others(checkout: Box<dyn Running>) -> Vec<Box<dyn Running>> {
    vec![checkout, Box::new(Kept::<Settlement>::default()), Box::new(Kept::<ReversalProcess>::default())]
}

pub(crate) fn away() -> StoreError {
    StoreError::Unavailable("the disk does not answer".to_owned())
}
