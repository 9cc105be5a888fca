//! World of a run: a shop, its provider and its buyers. The seed selects each step.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use souk_domain::AggregateCommand;
use souk_domain::order::Draft;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::process::{OutputId, ProcessCommand as _};
use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{CommandId, Person, StoreError, StreamName};

use crate::buyers::origin;
use crate::chance::Chance;
use crate::disk::{AppendResult, Disk, Waiter};
use crate::erasures::ErasureProgress;
use crate::executors::{self, AnyExecutor, CommandOutcome, ExecutorAction, Executors};
use crate::golden::Program;
use crate::models::Models;
use crate::process::{AnyProcess, ProcessAction};
use crate::task::{Sender, Task};
use souk_shop_model::books::{Books, SKUS};
use souk_shop_model::drafts::sku;
use souk_shop_model::provider::Provider;

/// Units of each SKU: fewer than the orders need.
pub(crate) const ON_HAND: i64 = 8;

/// Piece of work that the shop or the provider can do next. Processes are named by their index.
#[derive(Clone, Copy)]
enum Work {
    Sync,
    Write,
    Task,
    Read(usize),
    Decide(usize),
    Webhook,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) now: Timestamp,
    pub(crate) disk: Disk,
    executors: Executors,
    pub(crate) processes: Vec<Box<dyn AnyProcess>>,
    /// Followers of the processes.
    pub(crate) followers: Vec<Follower>,
    /// Number of the current run of each process, and true if a read of a page is running.
    pub(crate) runs: Vec<(u64, bool)>,
    pub(crate) models: Models,
    pub(crate) provider: Provider,
    /// Webhooks of the provider that have not arrived yet. They survive kills of the shop.
    pub(crate) webhooks: Vec<AggregateCommand>,
    pub(crate) tasks: Vec<Task>,
    /// Commands that executors work on, by ticket.
    pub(crate) waiting: HashMap<u64, (AggregateCommand, Origin, Sender)>,
    /// Progress of the erasures that the sweep works on.
    pub(crate) erasures: BTreeMap<Person, ErasureProgress>,
    /// Number of tickets used so far.
    tickets: u64,
    /// Command ids of all outputs sent so far.
    sent_as: HashMap<(usize, String, OutputId), CommandId>,
    /// Requests without an answer.
    pub(crate) unanswered: BTreeMap<CommandId, AggregateCommand>,
    /// Requests that were acknowledged.
    pub(crate) acknowledged: Vec<CommandId>,
    pub(crate) orders: Vec<Draft>,
    /// Orders whose cart is checked out, but that are not placed yet.
    pub(crate) unplaced: Vec<Draft>,
    /// Number of command ids used so far.
    pub(crate) commands: u128,
    pub(crate) with_faults: bool,
    /// Descriptions of some steps, to compare runs of the same seed.
    pub(crate) trace: Vec<String>,
}

impl World {
    /// Opens a shop with stock and registered customers.
    pub(crate) fn open(seed: u64) -> Self {
        let mut world = Self::empty(seed, Program::Current.processes());
        for n in 0..SKUS {
            world.request(AggregateCommand::Stock(
                Stock::stream(&sku(n)),
                StockCommand::Count { on_hand: ON_HAND },
            ));
        }
        world.sign_up();
        world
    }

    /// Opens a shop with an empty log.
    pub(crate) fn empty(seed: u64, processes: Vec<Box<dyn AnyProcess>>) -> Self {
        let mut world = Self {
            chance: Chance::new(seed),
            now: noon(),
            disk: Disk::default(),
            executors: executors::all(),
            followers: Vec::new(),
            runs: vec![(0, false); processes.len()],
            processes,
            models: Models::new(),
            provider: Provider::default(),
            webhooks: Vec::new(),
            tasks: Vec::new(),
            waiting: HashMap::new(),
            erasures: BTreeMap::new(),
            tickets: 0,
            sent_as: HashMap::new(),
            unanswered: BTreeMap::new(),
            acknowledged: Vec::new(),
            orders: Vec::new(),
            unplaced: Vec::new(),
            commands: 0,
            with_faults: true,
            trace: Vec::new(),
        };
        world.disk.open();
        for process in 0..world.processes.len() {
            world.restart_follower(process);
        }
        world
    }

    /// Disables random faults from now on.
    pub(crate) fn disable_faults(&mut self) {
        self.with_faults = false;
    }

    /// Checks that the actions of processes do not depend on how they read the log. Returns the number of
    /// actions.
    pub(crate) fn check_ways_of_reading(&mut self) -> usize {
        crate::inputs::check(&self.disk.synced, self.now, &mut self.chance)
    }

    /// Executes the steps of a run. Returns its trace.
    pub(crate) fn trace(seed: u64, steps: u32) -> Vec<String> {
        let mut world = Self::open(seed);
        for _ in 0..steps {
            world.step();
        }
        let log = world.disk.synced.iter().map(|event| format!("{} {}", event.stream, event.event.id));
        world.trace.extend(log);
        world.trace
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

    /// Makes one random step of the run, and checks the rules that hold after each step.
    pub(crate) fn step(&mut self) {
        let head = self.disk.head();
        match self.chance.below(100) {
            0 if self.chance.once_in(2) => self.kill(),
            1 if self.chance.once_in(3) => self.disk.is_full = true,
            2 if self.chance.once_in(2) => self.pass_time(),
            4..=9 => self.random_request(),
            10 if self.chance.once_in(8) => self.restart_one(),
            10..=11 => self.save_rows(),
            12..=20 => self.fold_models(),
            21..=23 => drop(self.continue_erasure()),
            _ => drop(self.work()),
        }
        if !self.disk.is_open() && self.chance.once_in(20) {
            self.kill();
        }
        if self.disk.head() > head {
            self.books().check_after_step();
        }
    }

    /// Does one random piece of work. Returns false if it was a process that had nothing to do.
    pub(crate) fn work(&mut self) -> bool {
        let mut kinds = Vec::new();
        if self.disk.has_written() {
            kinds.push(Work::Sync);
        }
        if self.disk.has_queued() {
            kinds.push(Work::Write);
        }
        if !self.tasks.is_empty() {
            kinds.extend([Work::Task; 3]);
        }
        for (process, follower) in self.followers.iter().enumerate() {
            if follower.position() < self.disk.head() {
                kinds.push(Work::Read(process));
            }
        }
        kinds.extend((0..self.processes.len()).map(Work::Decide));
        if !self.webhooks.is_empty() {
            kinds.push(Work::Webhook);
        }
        match kinds[self.chance.below(kinds.len())] {
            Work::Sync => {
                let fails = self.with_faults && self.chance.once_in(60);
                self.trace.push(format!("sync {fails}"));
                let results = if fails { self.disk.fail_sync(&mut self.chance) } else { self.disk.sync() };
                self.deliver_append_results(results);
            }
            Work::Write => {
                let limit = 1 + self.chance.below(8);
                let results = self.disk.write(limit);
                self.deliver_append_results(results);
            }
            Work::Task => self.run_task(),
            Work::Read(process) => self.begin_read(process),
            Work::Decide(process) => return self.decide(process),
            Work::Webhook => {
                let webhook = self.webhooks.swap_remove(self.chance.below(self.webhooks.len()));
                self.request(webhook);
            }
        }
        true
    }

    fn run_task(&mut self) {
        let index = self.chance.below(self.tasks.len());
        match self.tasks.swap_remove(index) {
            Task::Page(process, run, after, turns) if turns > 0 => {
                self.tasks.push(Task::Page(process, run, after, turns - 1));
            }
            Task::Page(process, run, after, _) => self.on_page(process, run, after),
            Task::Read(stream, from) => {
                let page =
                    self.disk.read_stream(&stream, from, souk_eventsourcing::executor::LOAD_EVENTS_MAX);
                let fails = self.with_faults && self.chance.once_in(80);
                let result = if fails { Err(unavailable()) } else { Ok(page) };
                let now = self.now;
                let actions = self.executor(&stream).on_read(&stream, result, now);
                self.run_actions(actions);
            }
            Task::Find(stream, command) => {
                let found = self.disk.find(&stream, command);
                let now = self.now;
                let actions = self.executor(&stream).on_found(&stream, command, Ok(found), now);
                self.run_actions(actions);
            }
            Task::Send(command, origin, sender) => {
                if self.with_faults && self.chance.once_in(12) {
                    // The command arrives twice. The copy of a process's command arrives first, because a
                    // process that was restarted sends no old commands. The copies of other senders may
                    // arrive at any time.
                    let command = command.clone();
                    let origin = origin.clone();
                    match sender {
                        Sender::Process(..) | Sender::Effect(..) => {
                            self.deliver(command, origin, Sender::Nobody);
                        }
                        _ => self.tasks.push(Task::Send(command, origin, Sender::Nobody)),
                    }
                }
                self.deliver(command, origin, sender);
            }
            Task::Effect(process, instance, output, effect, origin) => {
                self.carry_out(process, instance, output, effect, origin);
            }
        }
    }

    /// Delivers a command to its executor.
    fn deliver(&mut self, command: AggregateCommand, origin: Origin, sender: Sender) {
        self.tickets += 1;
        self.waiting.insert(self.tickets, (command.clone(), origin.clone(), sender));
        let ticket = self.tickets;
        let now = self.now;
        let actions = self.executor(&command.stream()).command(ticket, command, origin, now);
        self.run_actions(actions);
    }

    /// Returns the executor of the aggregate that a stream belongs to.
    fn executor(&mut self, stream: &StreamName) -> &mut dyn AnyExecutor {
        self.executors.get_mut(stream.category()).unwrap().as_mut()
    }

    /// Runs the actions that an executor asks for.
    fn run_actions(&mut self, actions: Vec<ExecutorAction>) {
        for action in actions {
            match action {
                ExecutorAction::Read(stream, from) => self.tasks.push(Task::Read(stream, from)),
                ExecutorAction::Find(stream, command) => {
                    self.tasks.push(Task::Find(stream, command));
                }
                ExecutorAction::Append(append) => {
                    let waiter = Waiter::Executor(append.stream.clone());
                    let result = self.disk.append(waiter, append);
                    self.deliver_append_results(result.into_iter().collect());
                }
                ExecutorAction::Answer(ticket, outcome) => self.on_outcome(ticket, outcome),
            }
        }
    }

    /// Delivers the results of appends to the executors and processes that wait for them.
    fn deliver_append_results(&mut self, results: Vec<AppendResult>) {
        for (waiter, result) in results {
            match waiter {
                Waiter::Executor(stream) => {
                    let now = self.now;
                    let actions = self.executor(&stream).on_appended(&stream, result, now);
                    self.run_actions(actions);
                }
                Waiter::Process(process, instance) => {
                    if let Err(error) = result {
                        self.processes[process].on_append_failed(&instance, &error, self.now);
                    }
                }
            }
        }
    }

    /// Delivers the outcome of a command to its sender. A command with an unknown result is sent again.
    fn on_outcome(&mut self, ticket: u64, outcome: CommandOutcome) {
        let Some((command, origin, sender)) = self.waiting.remove(&ticket) else { return };
        if let CommandOutcome::Unknown = outcome {
            if !matches!(sender, Sender::Nobody) {
                self.tasks.push(Task::Send(command, origin, sender));
            }
            return;
        }
        match sender {
            Sender::Nobody => {}
            Sender::Sweep(person) => self.on_sweep_answered(&person),
            Sender::Outside(id) => {
                self.unanswered.remove(&id);
                if let CommandOutcome::InLog = outcome {
                    self.acknowledged.push(id);
                }
            }
            Sender::Process(process, instance, output) => {
                if let CommandOutcome::Answered(answer) = outcome {
                    self.processes[process].on_result(&instance, output, answer);
                }
            }
            Sender::Effect(process, instance, output) => {
                if let CommandOutcome::Answered(_) = outcome {
                    self.processes[process].on_effect_answered(&instance, output);
                }
            }
        }
    }

    /// Lets a process decide, and runs the actions that it asks for. Returns false if it asks for none.
    pub(crate) fn decide(&mut self, process: usize) -> bool {
        let actions = self.processes[process].step(self.now);
        let has_actions = !actions.is_empty();
        for action in actions {
            match action {
                ProcessAction::Append(instance, append) => {
                    let result = self.disk.append(Waiter::Process(process, instance), append);
                    self.deliver_append_results(result.into_iter().collect());
                }
                ProcessAction::Command(instance, output, command, origin) => {
                    self.check_id(process, &instance, output, origin.command_id);
                    let sender = Sender::Process(process, instance, output);
                    self.tasks.push(Task::Send(command, origin, sender));
                }
                ProcessAction::Effect(instance, output, effect, origin) => {
                    self.check_id(process, &instance, output, origin.command_id);
                    self.tasks.push(Task::Effect(process, instance, output, effect, origin));
                }
            }
        }
        has_actions
    }

    /// Checks that an output that is sent again after a kill has the same command id as before.
    fn check_id(&mut self, process: usize, instance: &str, output: OutputId, id: CommandId) {
        let first_id = self.sent_as.entry((process, instance.to_owned(), output)).or_insert(id);
        let name = self.processes[process].name();
        assert_eq!(*first_id, id, "output {output:?} of {name} {instance}");
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

    /// Moves the clock: usually a little forward, sometimes far forward, sometimes back.
    fn pass_time(&mut self) {
        let seconds = match self.chance.below(20) {
            0 => 1_200,
            1 => -90,
            _ => i64::try_from(self.chance.below(40)).unwrap(),
        };
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Kills the program, which loses everything in memory, and starts it again.
    pub(crate) fn kill(&mut self) {
        self.trace.push("killed".to_owned());
        self.disk.crash(&mut self.chance);
        self.disk.open();
        self.executors = executors::all();
        self.tasks.clear();
        self.waiting.clear();
        self.erasures.clear();
        for process in 0..self.processes.len() {
            self.processes[process].restart();
            self.restart_follower(process);
        }
        self.models.restart();
        assert!(self.models.position() <= self.disk.head(), "a read model has read events that the log lost");
        self.check_acknowledged();
        // Buyers and staff repeat their requests.
        for (id, command) in &self.unanswered {
            self.tasks.push(Task::Send(command.clone(), origin(*id), Sender::Outside(*id)));
        }
    }
}

pub(crate) fn unavailable() -> StoreError {
    StoreError::Unavailable("the disk does not respond".to_owned())
}
