//! What a process has asked for and is being carried out: appends, commands and effects, each a task. Of each
//! kind a limited number is in flight; the rest waits in order. A task that panics is told, so that nothing
//! waits for it for ever.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;

use souk_eventsourcing::AppendError;
use souk_eventsourcing::process::OutputId;
use souk_eventsourcing::process_runtime::Answer;
use tokio::task::{Id, JoinSet};

/// Transitions of one process that are on their way to the log at once.
pub const APPENDS_MAX: usize = 1_024;
/// Commands of one process that are on their way to their aggregates at once.
pub const COMMANDS_MAX: usize = 1_024;
/// Effects of one process that are carried out at once, waits for their calls and between them included. The
/// provider's calls have limits of their own; these bound memory, and are so large that effects which wait
/// long hold back no others.
pub const EFFECTS_MAX: usize = 100_000;
/// Holds on buyers' money that one process asks for at once. They have places of their own: buyers who never
/// answer hold back nothing that is to be captured or given back.
pub const HOLDS_MAX: usize = 100_000;

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Append,
    Command,
    Effect,
    Hold,
}

impl Kind {
    const LIMITS: [usize; 4] = [APPENDS_MAX, COMMANDS_MAX, EFFECTS_MAX, HOLDS_MAX];
}

/// The instance that a job is for, and the output that it carries out; an append is for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) instance: String,
    pub(super) output: Option<OutputId>,
}

/// The outcome of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is done, and the log shows what came of it.
    InLog,
    /// A transition was not appended.
    NotAppended(AppendError),
    /// A command was answered without leaving a new event.
    Answered(Answer),
    /// An effect was answered, and its answer changed nothing.
    NothingNew,
    /// An effect was not answered, and nobody waits for its answer.
    Unanswered,
    /// A command could not be decided: it is to be sent again.
    Again(String),
    /// The task panicked.
    Panicked,
}

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The jobs of one process.
pub(super) struct Jobs {
    running: JoinSet<Outcome>,
    by_task: HashMap<Id, Job>,
    lanes: [Lane; 4],
}

struct Lane {
    in_flight: usize,
    limit: usize,
    waiting: VecDeque<(Job, Work)>,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self::with_limits(Kind::LIMITS)
    }

    fn with_limits(limits: [usize; 4]) -> Self {
        let lane = |limit| Lane { in_flight: 0, limit, waiting: VecDeque::new() };
        Self { running: JoinSet::new(), by_task: HashMap::new(), lanes: limits.map(lane) }
    }

    /// Starts a job, or has it wait for its turn.
    pub(super) fn add(&mut self, job: Job, work: impl Future<Output = Outcome> + Send + 'static) {
        let lane = &mut self.lanes[job.kind as usize];
        if lane.in_flight < lane.limit {
            lane.in_flight += 1;
            self.by_task.insert(self.running.spawn(work).id(), job);
        } else {
            lane.waiting.push_back((job, Box::pin(work)));
        }
    }

    /// Jobs that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Waits for the next job that ends, and starts the one that waits for its place. Dropping the future
    /// loses nothing.
    pub(super) async fn next(&mut self) -> (Job, Outcome) {
        loop {
            let (id, outcome) = match self.running.join_next_with_id().await {
                Some(Ok((id, outcome))) => (id, outcome),
                Some(Err(error)) => (error.id(), Outcome::Panicked),
                None => std::future::pending().await,
            };
            let Some(job) = self.by_task.remove(&id) else { continue };
            let lane = &mut self.lanes[job.kind as usize];
            lane.in_flight -= 1;
            if let Some((next, work)) = lane.waiting.pop_front() {
                lane.in_flight += 1;
                self.by_task.insert(self.running.spawn(work).id(), next);
            }
            return (job, outcome);
        }
    }

    /// Lets what is in flight come to its end by itself.
    pub(super) fn detach(&mut self) {
        self.running.detach_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn job(kind: Kind, instance: usize) -> Job {
        Job { kind, instance: instance.to_string(), output: None }
    }

    #[tokio::test]
    async fn a_limited_number_is_in_flight_and_the_rest_follows_in_order() {
        let (in_flight, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut jobs = Jobs::with_limits([1, 3, 1, 1]);
        for instance in 0..50 {
            let (in_flight, most) = (Arc::clone(&in_flight), Arc::clone(&most));
            jobs.add(job(Kind::Command, instance), async move {
                most.fetch_max(in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                in_flight.fetch_sub(1, Ordering::SeqCst);
                Outcome::InLog
            });
        }
        assert_eq!(jobs.waiting(), 47);
        jobs.add(job(Kind::Effect, 99), async { Outcome::NothingNew });
        let mut ended = Vec::new();
        for _ in 0..51 {
            ended.push(jobs.next().await.0);
        }
        assert!(ended.iter().any(|job| job.kind == Kind::Effect), "each kind has places of its own");
        assert_eq!((most.load(Ordering::SeqCst), jobs.waiting()), (3, 0));
        let last = ended.iter().rfind(|job| job.kind == Kind::Command).unwrap();
        assert!(last.instance.parse::<usize>().unwrap() >= 47, "{last:?}");
    }

    #[tokio::test]
    async fn a_job_that_panics_gives_its_place_back_and_is_told() {
        let mut jobs = Jobs::with_limits([1, 1, 1, 1]);
        jobs.add(job(Kind::Command, 1), async { panic!("a bug") });
        jobs.add(job(Kind::Command, 2), async { Outcome::InLog });
        let (first, outcome) = jobs.next().await;
        assert!(first == job(Kind::Command, 1) && matches!(outcome, Outcome::Panicked));
        assert_eq!(jobs.next().await.0, job(Kind::Command, 2));
    }
}
