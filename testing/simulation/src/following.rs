//! Processes that follow the log. Each process reads one page at a time; reads can be slow or fail. One
//! process can also be restarted while the others continue.

use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::{Position, Timestamp};

use crate::task::{Sender, Task};
use crate::world::{World, unavailable};

impl World {
    /// Starts the read of the next page for a process, unless a read is running or has to wait after a
    /// failure.
    pub(crate) fn begin_read(&mut self, process: usize) {
        let Some(after) = self.followers[process].begin_read(self.now) else { return };
        let (run, is_reading) = self.runs[process];
        assert!(!is_reading, "a process reads a page while another read is running");
        self.runs[process] = (run, true);
        let turns = self.chance.below(4);
        self.tasks.push(Task::Page(process, run, after, turns));
    }

    /// Delivers a page to a process, or makes the read fail. The page is dropped if the process was restarted
    /// after the read started.
    pub(crate) fn on_page(&mut self, process: usize, run: u64, after: Position) {
        if self.runs[process].0 != run {
            return;
        }
        self.runs[process] = (run, false);
        if self.with_faults && self.chance.once_in(40) {
            self.followers[process].on_failure(&unavailable(), self.now);
            return;
        }
        let limit = 1 + self.chance.below(12);
        let page = self.disk.read_all(after, limit);
        let reached = page.last().map_or(after, |last| last.position);
        self.processes[process].read(page);
        self.followers[process].on_page(reached);
        if self.followers[process].is_live() {
            self.processes[process].go_live();
        }
    }

    /// Starts the follower of a process at the checkpoint of its rows. If it has read the whole
    /// log, it goes live: it may send commands.
    pub(crate) fn restart_follower(&mut self, process: usize) {
        let position = self.processes[process].position();
        let head = self.disk.head();
        assert!(position <= head, "a process has read events that the log lost");
        let follower = Follower::new(self.processes[process].name(), position, head);
        if follower.is_live() {
            self.processes[process].go_live();
        }
        self.runs[process] = (self.runs[process].0 + 1, false);
        if self.followers.len() > process {
            self.followers[process] = follower;
        } else {
            self.followers.push(follower);
        }
    }

    /// Restarts a random process from its rows, while everything else continues. Commands that have reached
    /// an executor are decided, but the process does not get their outcomes. Its other tasks are dropped.
    pub(crate) fn restart_one(&mut self) {
        let process = self.chance.below(self.processes.len());
        self.trace.push(format!("restarted {process}"));
        let is_its_own = |sender: &Sender| match sender {
            Sender::Process(owner, ..) | Sender::Effect(owner, ..) => *owner == process,
            _ => false,
        };
        self.tasks.retain(|task| match task {
            Task::Effect(owner, ..) => *owner != process,
            Task::Send(_, _, sender) => !is_its_own(sender),
            _ => true,
        });
        for (_, _, sender) in self.waiting.values_mut().filter(|(_, _, sender)| is_its_own(sender)) {
            *sender = Sender::Nobody;
        }
        self.processes[process].restart();
        self.restart_follower(process);
    }

    /// Returns true if a process has not read the whole log.
    pub(crate) fn is_behind(&self) -> bool {
        self.followers.iter().any(|follower| follower.position() < self.disk.head())
    }

    /// Returns the next time at which a process or a follower has work to do.
    pub(crate) fn next_wake_up(&self) -> Option<Timestamp> {
        let steps = self.processes.iter().map(|process| process.next_step());
        let wakes = self.followers.iter().zip(steps).filter_map(|(follower, step)| follower.wakes_at(step));
        wakes.min()
    }
}
