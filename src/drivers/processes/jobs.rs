//! Jobs of a process: appends, commands and effects. Each job is a task. Each kind has a limit of running
//! jobs; further jobs wait in order. A job that panics is reported as such, so nothing waits for it for ever.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;

use souk_eventsourcing::AppendError;
use souk_eventsourcing::process::OutputId;
use souk_eventsourcing::process_runtime::CommandAnswer;
use tokio::task::{Id, JoinSet};

/// Maximum number of running appends of transitions, for one process.
pub const APPENDS_MAX: usize = 1_024;
/// Maximum number of running commands, for one process.
pub const COMMANDS_MAX: usize = 1_024;
/// Maximum number of running effects of one process, except effects that wait for a person. The time in
/// which an effect waits also counts. The calls to the provider have separate, smaller limits. This limit
/// only limits memory, and is so large that waiting effects do not block others.
pub const EFFECTS_MAX: usize = 100_000;
/// Maximum number of running effects of one process that wait for a person, such as authorizations. They have
/// a separate limit, so that buyers who never answer do not block captures and refunds.
pub const WAITS_FOR_PEOPLE_MAX: usize = 100_000;

/// Kind of a job. Each kind has its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Append,
    Command,
    Effect,
    /// An effect that waits for a person.
    WaitForPerson,
}

impl Kind {
    const LIMITS: [usize; 4] = [APPENDS_MAX, COMMANDS_MAX, EFFECTS_MAX, WAITS_FOR_PEOPLE_MAX];
}

/// Identity of a job: its process instance, and the output that it carries out. An append has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) instance: String,
    pub(super) output: Option<OutputId>,
}

/// Outcome of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The job is done, and the log contains the result.
    InLog,
    /// A transition could not be appended.
    NotAppended(AppendError),
    /// A command was answered without a new event.
    Answered(CommandAnswer),
    /// An effect was answered, but the answer changed nothing.
    NothingNew,
    /// An effect was not answered, and its answer is no longer needed.
    Unanswered,
    /// A command could not be decided, for this reason. It must be sent again.
    Again(String),
    /// The task panicked.
    Panicked,
}

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// All jobs of one process.
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

    /// Starts a job, or queues it if its kind is at the limit.
    pub(super) fn add(&mut self, job: Job, work: impl Future<Output = Outcome> + Send + 'static) {
        let lane = &mut self.lanes[job.kind as usize];
        if lane.in_flight < lane.limit {
            lane.in_flight += 1;
            self.by_task.insert(self.running.spawn(work).id(), job);
        } else {
            lane.waiting.push_back((job, Box::pin(work)));
        }
    }

    /// Returns the number of queued jobs.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Waits until a job ends, and starts the next queued job of the same kind. The future is cancel-safe.
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

    /// Lets the running jobs continue without this list.
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
    async fn running_jobs_are_limited_and_queued_jobs_follow_in_order() {
        let in_flight = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut jobs = Jobs::with_limits([1, 3, 1, 1]);
        for instance in 0..50 {
            let in_flight = Arc::clone(&in_flight);
            let most = Arc::clone(&most);
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
        assert!(ended.iter().any(|job| job.kind == Kind::Effect), "each kind has its own limit");
        assert_eq!((most.load(Ordering::SeqCst), jobs.waiting()), (3, 0));
        let last = ended.iter().rfind(|job| job.kind == Kind::Command).unwrap();
        assert!(last.instance.parse::<usize>().unwrap() >= 47, "{last:?}");
    }

    #[tokio::test]
    async fn a_job_that_panics_frees_its_place_and_is_reported() {
        let mut jobs = Jobs::with_limits([1, 1, 1, 1]);
        jobs.add(job(Kind::Command, 1), async { panic!("a bug") });
        jobs.add(job(Kind::Command, 2), async { Outcome::InLog });
        let (first, outcome) = jobs.next().await;
        assert!(first == job(Kind::Command, 1) && matches!(outcome, Outcome::Panicked));
        assert_eq!(jobs.next().await.0, job(Kind::Command, 2));
    }
}
