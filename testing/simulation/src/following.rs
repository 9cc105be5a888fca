//! How processes follow the log: one read at a time, slow ones and failed ones among them, and one process
//! that is started again while everything else goes on.

use souk_eventsourcing::follower::Follower;
use souk_eventsourcing::{Position, Timestamp};

use crate::world::{From, PROCESSES, Task, World, away};

impl World {
    /// A process asks for its next page, unless it waits for one.
    pub(crate) fn begin_read(&mut self, process: usize) {
        let Some(after) = self.followers[process].begin_read(self.now) else { return };
        let (run, is_reading) = self.runs[process];
        assert!(!is_reading, "a process asks for a page while another is on its way to it");
        self.runs[process] = (run, true);
        let turns = self.chance.below(4);
        self.tasks.push(Task::Page(process, run, after, turns));
    }

    pub(crate) fn on_page(&mut self, process: usize, run: u64, after: Position) {
        if self.runs[process].0 != run {
            return;
        }
        self.runs[process] = (run, false);
        if self.with_faults && self.chance.once_in(40) {
            self.followers[process].on_failure(&away(), self.now);
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

    /// The follower of a process as it begins: at its rows, live once it has read what is there.
    pub(crate) fn follow_again(&mut self, process: usize) {
        let (position, head) = (self.processes[process].position(), self.disk.head());
        assert!(position <= head, "a process has seen what the log lost");
        let follower = Follower::new(PROCESSES[process], position, head);
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

    /// One process fails and is started again from its rows, while everything else goes on. Commands that have
    /// reached their executors are decided, and nobody waits for their answers; all else of it is cut.
    pub(crate) fn restart_one(&mut self) {
        let process = self.chance.below(self.processes.len());
        self.told.push(format!("restarted {process}"));
        let is_its_own = |from: &From| match from {
            From::Process(of, ..) | From::Effect(of, ..) => *of == process,
            _ => false,
        };
        self.tasks.retain(|task| match task {
            Task::Call(of, ..) => *of != process,
            Task::Send(_, _, from) => !is_its_own(from),
            _ => true,
        });
        for (_, _, from) in self.waiting.values_mut().filter(|(_, _, from)| is_its_own(from)) {
            *from = From::Nobody;
        }
        self.processes[process].restart();
        self.follow_again(process);
    }

    /// Returns true if a process has not read the whole log.
    pub(crate) fn is_behind(&self) -> bool {
        self.followers.iter().any(|follower| follower.position() < self.disk.head())
    }

    /// Returns the time at which something goes on.
    pub(crate) fn next_moment(&self) -> Option<Timestamp> {
        let steps = self.processes.iter().map(|process| process.next_step());
        let wakes = self.followers.iter().zip(steps).filter_map(|(follower, step)| follower.wakes_at(step));
        wakes.min()
    }
}
