//! Driver of a process from one start to the next: it reads the log, calls the step function of the process,
//! and carries out the outputs as jobs.

use std::sync::Arc;
use std::time::Duration;

use crate::drivers::dispatch::SendOutcome;
use async_trait::async_trait;
use jiff::Timestamp;
use souk_domain::AggregateCommand;
use souk_eventsourcing::log_pace::LogPace;
use souk_eventsourcing::parking::{Entity, Parked};
use souk_eventsourcing::process::{Process, ProcessChange, ProcessShape, ProcessStateError};
use souk_eventsourcing::process_runtime::{Action, Outgoing, ProcessError, ProcessRuntime};
use souk_eventsourcing::reactor::{Reaction, Reactor};
use souk_eventsourcing::{AppendError, Page, Position, StoreError};
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::jobs::{Job, Jobs, Kind, Outcome};
use super::{ProcessPorts, ProcessRequest, ProcessStopped};
use crate::drivers::follow::LogConsumer;
use crate::drivers::parked::{self, ParkedRequest, RetryError, WAITING_EVENTS_MAX};

/// Interval at which rows of process state are written. The rows only make the next start faster, so the
/// interval may be long.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// Number of events after which the checkpoint is written even if no row changed.
const SAVE_EVENTS_MAX: u64 = 10_000;

/// Work of a process besides reading the log.
pub(super) enum Work {
    Ended(Job, Outcome),
    Requested(ProcessRequest),
    Save,
    Saved(Result<(), ProcessStateError>),
}

/// Rows that are being written.
struct Saving {
    task: JoinHandle<Result<(), ProcessStateError>>,
    instances: Vec<String>,
    checkpoint: Position,
}

pub(super) struct Driver<P: Process> {
    ports: ProcessPorts,
    /// Reactor that carries out the effects of the process.
    reactor: Arc<dyn Reactor<P::Effect>>,
    runtime: ProcessRuntime<P>,
    jobs: Jobs,
    requests: OwnedMutexGuard<mpsc::Receiver<ProcessRequest>>,
    /// Position of the process after its last step. `None` while it catches up.
    live_at: watch::Sender<Option<Position>>,
    save: Interval,
    /// Checkpoint of the last write.
    saved: Position,
    saving: Option<Saving>,
    /// Limits how often the warning about commands without a result is logged. Thousands of
    /// instances may fail for the same reason, and one line is enough for all.
    lost_log_pace: LogPace,
    /// The same for the warning about transitions that could not be appended.
    not_appended_log_pace: LogPace,
}

impl<P> Driver<P>
where
    P: Process<Command = AggregateCommand>,
{
    pub(super) fn new(
        ports: ProcessPorts,
        reactor: Arc<dyn Reactor<P::Effect>>,
        runtime: ProcessRuntime<P>,
        requests: OwnedMutexGuard<mpsc::Receiver<ProcessRequest>>,
        live_at: watch::Sender<Option<Position>>,
    ) -> Self {
        let mut save = interval(SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let saved = runtime.position();
        // The metrics exist from the start, not only after the first failure.
        metrics::counter!("souk_process_commands_failed_total", "process" => P::NAME).increment(0);
        metrics::counter!("souk_process_saves_failed_total", "process" => P::NAME).increment(0);
        Self {
            ports,
            reactor,
            runtime,
            jobs: Jobs::new(),
            requests,
            live_at,
            save,
            saved,
            saving: None,
            lost_log_pace: LogPace::new(),
            not_appended_log_pace: LogPace::new(),
        }
    }

    /// Handles the events that are waiting for a parked entity. Returns their number.
    async fn retry(&mut self, name: &str) -> Result<usize, RetryError> {
        let entity = parked::entities(name).find(|entity| self.runtime.parked(entity).is_some());
        let entity = entity.ok_or_else(|| RetryError::NotParked(name.to_owned()))?;
        // Saves first, so that the rows include the events that were parked since the last save.
        if !self.save().await {
            return Err(RetryError::failed("the rows of the process can't be written"));
        }
        let shape = ProcessShape::of::<P>();
        let waiting = self.ports.rows.waiting(shape, entity.clone()).await.map_err(RetryError::failed)?;
        if waiting.len() > WAITING_EVENTS_MAX {
            return Err(RetryError::TooMany(waiting.len()));
        }
        let events = parked::events_at(&*self.ports.store, &waiting).await.map_err(RetryError::failed)?;
        let retried = self.runtime.retry(&entity, &events, self.ports.clock.now());
        retried.map_err(|error| RetryError::StillParked(error.to_string()))?;
        // Applying the events has succeeded. Now the process decides, which can also fail.
        self.carry_out_steps(self.ports.clock.now());
        match self.runtime.parked(&entity) {
            Some(parked) => Err(RetryError::StillParked(parked.failure.to_string())),
            None => Ok(waiting.len()),
        }
    }

    /// Writes all changed rows and waits for that. Returns true on success.
    async fn save(&mut self) -> bool {
        let saved = wait_until_written(&mut self.saving).await;
        self.on_saved(saved);
        let change = self.runtime.change();
        let checkpoint = change.checkpoint;
        let instances = instances_of(&change);
        match self.ports.rows.save(ProcessShape::of::<P>(), change).await {
            Ok(()) => {
                self.saved = checkpoint;
                self.runtime.saved();
                true
            }
            Err(error) => {
                self.not_saved(instances, &error);
                false
            }
        }
    }

    /// Starts to write the changed rows, or only the checkpoint if it has moved far. The process continues
    /// meanwhile. But if entities are parked, waits until everything is written.
    async fn begin_save(&mut self) {
        if self.saving.is_some() {
            return;
        }
        if self.runtime.has_parked() {
            self.save().await;
            return;
        }
        let change = self.runtime.change();
        let checkpoint = change.checkpoint;
        let instances = instances_of(&change);
        if instances.is_empty() && checkpoint.0 - self.saved.0 < SAVE_EVENTS_MAX {
            return;
        }
        let rows = Arc::clone(&self.ports.rows);
        let task = tokio::spawn(async move { rows.save(ProcessShape::of::<P>(), change).await });
        self.saving = Some(Saving { task, instances, checkpoint });
    }

    fn on_saved(&mut self, saved: Result<(), ProcessStateError>) {
        let Some(saving) = self.saving.take() else { return };
        match saved {
            Ok(()) => self.saved = saving.checkpoint,
            Err(error) => self.not_saved(saving.instances, &error),
        }
    }

    /// Marks rows that could not be written, so that they are written later. Missing rows only make the next
    /// start slower.
    fn not_saved(&mut self, instances: Vec<String>, error: &ProcessStateError) {
        metrics::counter!("souk_process_saves_failed_total", "process" => P::NAME).increment(1);
        tracing::warn!(process = P::NAME, %error, "rows of process state were not written; they will be written later");
        self.runtime.not_saved(instances);
    }

    fn on_ended(&mut self, job: &Job, outcome: Outcome) {
        let now = self.ports.clock.now();
        let instance = &job.instance;
        match (outcome, job.output) {
            (Outcome::NotAppended(error), _) => self.on_not_appended(instance, &error, now),
            (Outcome::Again(why), Some(output)) => {
                let failed = metrics::counter!("souk_process_commands_failed_total", "process" => P::NAME);
                failed.increment(1);
                if self.lost_log_pace.is_due() {
                    tracing::warn!(process = P::NAME, instance, why, "commands will be sent again");
                }
                self.runtime.on_lost(instance, output, now);
            }
            (Outcome::Panicked, None) => {
                let error = StoreError::Unavailable("the engine of the log panicked".to_owned());
                self.on_not_appended(instance, &error.into(), now);
            }
            (Outcome::Panicked, Some(output)) => {
                tracing::error!(
                    process = P::NAME,
                    instance,
                    "panic while carrying out an output: this is a bug"
                );
                self.runtime.on_lost(instance, output, now);
            }
            (Outcome::Answered(answer), Some(output)) => self.runtime.on_result(instance, output, answer),
            (Outcome::NothingNew, Some(output)) => self.runtime.on_effect_answered(instance, output),
            (Outcome::Unanswered, Some(output)) => self.runtime.on_effect_unanswered(instance, output),
            (Outcome::InLog, _)
            | (Outcome::Again(_) | Outcome::Answered(_) | Outcome::NothingNew | Outcome::Unanswered, None) => {
            }
        }
    }

    fn on_not_appended(&mut self, instance: &str, error: &AppendError, now: Timestamp) {
        let is_race = matches!(error, AppendError::Conflict { .. } | AppendError::Duplicate { .. });
        if !is_race && self.not_appended_log_pace.is_due() {
            tracing::warn!(process = P::NAME, instance, %error, "transitions could not be appended");
        }
        if let Some(failure) = self.runtime.on_append_failed(instance, error, now) {
            tracing::error!(process = P::NAME, poison = %failure, "a process instance can't continue and is parked");
        }
    }

    async fn on_request(&mut self, request: ProcessRequest) {
        // If the sender of the request has gone away, the result is dropped.
        match request {
            ProcessRequest::Parked(ParkedRequest::Find(name, sender)) => {
                let found = parked::entities(&name).find_map(|entity| self.runtime.parked(&entity).cloned());
                let _ = sender.send(found);
            }
            ProcessRequest::Parked(ParkedRequest::Retry(name, skip, sender)) => {
                if let Some(skip) = skip {
                    self.runtime.skip(skip);
                }
                let retried = self.retry(&name).await;
                self.save().await;
                let _ = sender.send(retried);
            }
            ProcessRequest::RunTimers(sender) => {
                let _ = sender.send(self.runtime.fire_due(self.ports.clock.now()));
            }
        }
    }

    fn carry_out_steps(&mut self, now: Timestamp) {
        for action in self.runtime.step(now) {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action<P>) {
        match action {
            Action::Parked(failure) => {
                tracing::error!(process = P::NAME, poison = %failure, "a process instance can't decide and is parked");
            }
            Action::Append(instance, append) => {
                let store = Arc::clone(&self.ports.store);
                self.jobs.add(Job { kind: Kind::Append, instance, output: None }, async move {
                    store.append(append).await.map_or_else(Outcome::NotAppended, |_| Outcome::InLog)
                });
            }
            Action::Command(Outgoing { instance, output, content, origin }) => {
                let sender = self.ports.sender.clone();
                let job = Job { kind: Kind::Command, instance, output: Some(output) };
                self.jobs.add(job, async move {
                    souk_fail_points::reach("dispatcher-before-send");
                    match sender.send(content, &origin).await {
                        SendOutcome::InLog => Outcome::InLog,
                        SendOutcome::Answered(answer) => Outcome::Answered(answer),
                        SendOutcome::Again(why) => Outcome::Again(why),
                    }
                });
            }
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                let reactor = Arc::clone(&self.reactor);
                let waits_for_person = reactor.waits_for_person(&content);
                let kind = if waits_for_person { Kind::WaitForPerson } else { Kind::Effect };
                let job = Job { kind, instance, output: Some(output) };
                self.jobs.add(job, async move {
                    match reactor.react(&content, &origin).await {
                        Reaction::InLog => Outcome::InLog,
                        Reaction::NothingNew => Outcome::NothingNew,
                        Reaction::NoAnswer => Outcome::Unanswered,
                    }
                });
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts are small")]
    fn measure(&self) {
        let gauge = metrics::gauge!("souk_process_instances_parked", "process" => P::NAME);
        gauge.set(self.runtime.parked_count() as f64);
        let gauge = metrics::gauge!("souk_process_outputs_waiting", "process" => P::NAME);
        gauge.set(self.jobs.waiting() as f64);
        let gauge = metrics::gauge!("souk_process_outputs_failing", "process" => P::NAME);
        gauge.set(self.runtime.failing_outputs() as f64);
    }
}

#[async_trait]
impl<P> LogConsumer for Driver<P>
where
    P: Process<Command = AggregateCommand>,
{
    type Error = ProcessStopped;
    type Work = Work;

    /// Handles a page. If the process can't handle an event, the entity of this event is parked and
    /// everything else continues.
    async fn handle_page(&mut self, page: Page) -> Result<(), ProcessStopped> {
        while let Err(error) = self.runtime.on_events(&page.events) {
            let ProcessError::ApplyFailed { failure, .. } = &error else { return Err(error.into()) };
            tracing::error!(%error, "an entity is parked");
            let failure = failure.as_ref().clone();
            let keys = match &failure.entity {
                Entity::Key(instance) => vec![instance.clone()],
                Entity::Stream(stream) => {
                    let instances = |event: &_| self.runtime.instance_of(event).into_iter().collect();
                    parked::affected_keys(&*self.ports.store, stream, failure.revision, instances).await?
                }
            };
            self.runtime.park(Parked { failure, keys, since: self.ports.clock.now() });
        }
        self.runtime.on_reached(page.reached);
        Ok(())
    }

    async fn next_work(&mut self) -> Work {
        tokio::select! {
            (job, outcome) = self.jobs.next() => Work::Ended(job, outcome),
            Some(request) = self.requests.recv() => Work::Requested(request),
            saved = wait_until_written(&mut self.saving), if self.saving.is_some() => Work::Saved(saved),
            _ = self.save.tick() => Work::Save,
        }
    }

    async fn work(&mut self, work: Work) -> Result<(), ProcessStopped> {
        match work {
            Work::Ended(job, outcome) => self.on_ended(&job, outcome),
            Work::Requested(request) => self.on_request(request).await,
            Work::Save => self.begin_save().await,
            Work::Saved(saved) => self.on_saved(saved),
        }
        Ok(())
    }

    async fn step(&mut self, now: Timestamp, is_live: bool) -> Result<(), ProcessStopped> {
        if is_live {
            self.runtime.go_live();
            self.live_at.send_replace(Some(self.runtime.position()));
        }
        self.carry_out_steps(now);
        self.measure();
        Ok(())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.runtime.next_step()
    }

    /// Writes the rows. Running jobs continue without the driver; the next start finds
    /// unfinished outputs in the log.
    async fn stop(&mut self) {
        self.save().await;
        self.jobs.detach();
    }
}

/// Waits until the running write of rows ends. The future is cancel-safe.
async fn wait_until_written(saving: &mut Option<Saving>) -> Result<(), ProcessStateError> {
    let Some(saving) = saving else { return Ok(()) };
    (&mut saving.task).await.map_err(|error| ProcessStateError(error.to_string()))?
}

fn instances_of(change: &ProcessChange) -> Vec<String> {
    change.rows.iter().map(|(instance, _)| instance.clone()).collect()
}
