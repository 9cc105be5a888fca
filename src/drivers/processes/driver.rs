//! One run of a process: the runtime between the log and the jobs it asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::drivers::dispatch::Sent;
use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::log_pace::LogPace;
use souk_eventsourcing::parking::{Entity, Parked};
use souk_eventsourcing::process::{Process, ProcessChange, ProcessShape, ProcessStateError};
use souk_eventsourcing::process_runtime::{Action, Outgoing, ProcessError, ProcessRuntime};
use souk_eventsourcing::reactor::Reaction;
use souk_eventsourcing::{AppendError, Page, Position, StoreError};
use souk_process_managers::{ProviderCall, ShopCommand};
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::jobs::{Job, Jobs, Kind, Outcome};
use super::{ProcessPorts, ProcessStopped, Request};
use crate::drivers::follow::Follows;
use crate::drivers::parked::{self, Order, RetryError, WAITING_EVENTS_MAX};

/// The interval at which rows of processes are written. They only spare reading the log again.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// Events of the log after which the checkpoint is written though no row changed.
const SAVE_EVENTS_MAX: u64 = 10_000;

/// Work of a process besides reading the log.
pub(super) enum Work {
    Ended(Job, Outcome),
    Requested(Request),
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
    runtime: ProcessRuntime<P>,
    jobs: Jobs,
    requests: OwnedMutexGuard<mpsc::Receiver<Request>>,
    live_at: watch::Sender<Option<Position>>,
    save: Interval,
    /// The checkpoint that was last written.
    saved: Position,
    saving: Option<Saving>,
    /// Thousands of instances may fail for one reason: one line tells of them all.
    lost_said: LogPace,
    not_appended_said: LogPace,
}

impl<P> Driver<P>
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    pub(super) fn new(
        ports: ProcessPorts,
        runtime: ProcessRuntime<P>,
        requests: OwnedMutexGuard<mpsc::Receiver<Request>>,
        live_at: watch::Sender<Option<Position>>,
    ) -> Self {
        let mut save = interval(SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let saved = runtime.position();
        // Shown from the start, not only once something failed.
        metrics::counter!("souk_process_commands_failed_total", "process" => P::NAME).increment(0);
        metrics::counter!("souk_process_saves_failed_total", "process" => P::NAME).increment(0);
        Self {
            ports,
            runtime,
            jobs: Jobs::new(),
            requests,
            live_at,
            save,
            saved,
            saving: None,
            lost_said: LogPace::new(),
            not_appended_said: LogPace::new(),
        }
    }

    /// Takes in what waits for a parked entity.
    async fn retry(&mut self, name: &str) -> Result<usize, RetryError> {
        let failed = |error: &dyn std::fmt::Display| RetryError::Failed(error.to_string());
        let entity = parked::entities(name).find(|entity| self.runtime.parked(entity).is_some());
        let entity = entity.ok_or_else(|| RetryError::NotParked(name.to_owned()))?;
        // What waits since the last save is to be among what is read.
        if !self.save().await {
            return Err(RetryError::Failed("its rows can't be written".to_owned()));
        }
        let shape = ProcessShape::of::<P>();
        let waiting = self.ports.rows.waiting(shape, entity.clone()).await.map_err(|error| failed(&error))?;
        if waiting.len() > WAITING_EVENTS_MAX {
            return Err(RetryError::TooMany(waiting.len()));
        }
        let events = parked::at(&*self.ports.store, &waiting).await.map_err(|error| failed(&error))?;
        let retried = self.runtime.retry(&entity, &events, self.ports.clock.now());
        retried.map_err(|error| RetryError::StillParked(error.to_string()))?;
        // Its next step shows whether it can decide as well.
        self.carry_out_steps(self.ports.clock.now());
        match self.runtime.parked(&entity) {
            Some(parked) => Err(RetryError::StillParked(parked.poison.to_string())),
            None => Ok(waiting.len()),
        }
    }

    /// Writes all that changed, now. Returns whether it is written.
    async fn save(&mut self) -> bool {
        let saved = written(&mut self.saving).await;
        self.on_saved(saved);
        let change = self.runtime.change();
        let (checkpoint, instances) = (change.checkpoint, instances_of(&change));
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

    /// Begins to write rows that changed, or else the checkpoint when it has moved far, while the process goes
    /// on. What is parked is written at once.
    async fn begin_save(&mut self) {
        if self.saving.is_some() {
            return;
        }
        if self.runtime.has_parked() {
            self.save().await;
            return;
        }
        let change = self.runtime.change();
        let (checkpoint, instances) = (change.checkpoint, instances_of(&change));
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

    /// Notes rows that could not be written: they are written later. Only the next start takes longer without them.
    fn not_saved(&mut self, instances: Vec<String>, error: &ProcessStateError) {
        metrics::counter!("souk_process_saves_failed_total", "process" => P::NAME).increment(1);
        tracing::warn!(process = P::NAME, %error, "rows of process state were not written");
        self.runtime.not_saved(instances);
    }

    fn on_ended(&mut self, job: &Job, outcome: Outcome) {
        let (now, instance) = (self.ports.clock.now(), &job.instance);
        match (outcome, job.output) {
            (Outcome::NotAppended(error), _) => self.on_not_appended(instance, &error, now),
            (Outcome::Again(why), Some(output)) => {
                let failed = metrics::counter!("souk_process_commands_failed_total", "process" => P::NAME);
                failed.increment(1);
                if self.lost_said.is_due() {
                    tracing::warn!(process = P::NAME, instance, why, "commands are sent again");
                }
                self.runtime.on_lost(instance, output, now);
            }
            (Outcome::Panicked, None) => {
                let error = StoreError::Unavailable("its engine panicked".to_owned());
                self.on_not_appended(instance, &error.into(), now);
            }
            (Outcome::Panicked, Some(output)) => {
                tracing::error!(process = P::NAME, instance, "an output could not be carried out: a panic");
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
        if !is_race && self.not_appended_said.is_due() {
            tracing::warn!(process = P::NAME, instance, %error, "transitions are not appended");
        }
        if let Some(poison) = self.runtime.on_append_failed(instance, error, now) {
            tracing::error!(process = P::NAME, %poison, "an instance can't go on and is parked");
        }
    }

    async fn on_request(&mut self, request: Request) {
        // The sender of a request may have gone away.
        match request {
            Request::Parked(Order::Find(name, answer)) => {
                let found = parked::entities(&name).find_map(|entity| self.runtime.parked(&entity).cloned());
                let _ = answer.send(found);
            }
            Request::Parked(Order::Retry(name, skip, answer)) => {
                if let Some(skip) = skip {
                    self.runtime.skip(skip);
                }
                let retried = self.retry(&name).await;
                self.save().await;
                let _ = answer.send(retried);
            }
            Request::RunTimers(asked) => {
                let _ = asked.send(self.runtime.fire_due(self.ports.clock.now()));
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
            Action::Parked(poison) => {
                tracing::error!(process = P::NAME, %poison, "an instance can't decide and is parked");
            }
            Action::Append(instance, append) => {
                let store = Arc::clone(&self.ports.store);
                self.jobs.add(Job { kind: Kind::Append, instance, output: None }, async move {
                    store.append(append).await.map_or_else(Outcome::NotAppended, |_| Outcome::InLog)
                });
            }
            Action::Command(Outgoing { instance, output, content, origin }) => {
                let shop = self.ports.shop.clone();
                let job = Job { kind: Kind::Command, instance, output: Some(output) };
                self.jobs.add(job, async move {
                    souk_fail_points::pass("dispatcher-before-send");
                    match shop.send(content, &origin).await {
                        Sent::InLog => Outcome::InLog,
                        Sent::Answered(answer) => Outcome::Answered(answer),
                        Sent::Again(why) => Outcome::Again(why),
                    }
                });
            }
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                let effects = Arc::clone(&self.ports.effects);
                let is_hold = matches!(content, ProviderCall::Authorize(_));
                let kind = if is_hold { Kind::Hold } else { Kind::Effect };
                let job = Job { kind, instance, output: Some(output) };
                self.jobs.add(job, async move {
                    match effects.react(&content, &origin).await {
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
impl<P> Follows for Driver<P>
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    type Error = ProcessStopped;
    type Work = Work;

    /// An event that can't be taken in parks its entity; everything else goes on.
    async fn take_in(&mut self, page: Page) -> Result<(), ProcessStopped> {
        while let Err(error) = self.runtime.on_events(&page.events) {
            let ProcessError::Poisoned { poison, .. } = &error else { return Err(error.into()) };
            tracing::error!(%error, "an entity is parked");
            let poison = poison.as_ref().clone();
            let keys = match &poison.entity {
                Entity::Key(instance) => vec![instance.clone()],
                Entity::Stream(stream) => {
                    let instances = |event: &_| self.runtime.instance_of(event).into_iter().collect();
                    parked::touched(&*self.ports.store, stream, poison.revision, instances).await?
                }
            };
            self.runtime.park(Parked { poison, keys, since: self.ports.clock.now() });
        }
        self.runtime.on_reached(page.reached);
        Ok(())
    }

    async fn next_work(&mut self) -> Work {
        tokio::select! {
            (job, outcome) = self.jobs.next() => Work::Ended(job, outcome),
            Some(request) = self.requests.recv() => Work::Requested(request),
            saved = written(&mut self.saving), if self.saving.is_some() => Work::Saved(saved),
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

    /// Effects under way come to their end by themselves, or stay pending in the log.
    async fn stop(&mut self) {
        self.save().await;
        self.jobs.detach();
    }
}

/// Waits until the rows under way are written. Dropping the future loses nothing.
async fn written(saving: &mut Option<Saving>) -> Result<(), ProcessStateError> {
    let Some(saving) = saving else { return Ok(()) };
    (&mut saving.task).await.map_err(|error| ProcessStateError(error.to_string()))?
}

fn instances_of(change: &ProcessChange) -> Vec<String> {
    change.rows.iter().map(|(instance, _)| instance.clone()).collect()
}
