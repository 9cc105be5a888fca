//! Drives a process: reads the log, makes its steps, sends what they ask for.

use std::sync::Arc;
use std::time::Duration;

use souk_domain::{ProviderCall, ShopCommand};
use souk_eventsourcing::parking::{Entity, Parked, ParkingChange};
use souk_eventsourcing::process::{
    OutputId, Process, ProcessChange, ProcessRows, ProcessShape, ProcessStateError, ProcessStateStore,
};
use souk_eventsourcing::process_runtime::{Action, Answer, Outgoing, ProcessError, ProcessRuntime};
use souk_eventsourcing::reactor::{Reaction, Reactor};
use souk_eventsourcing::{
    AppendError, Clock, EventStore, Filter, Position, RecordedEvent, StoreError, Subscription,
};
use souk_process_managers::{Sent, ShopPorts};
use tokio::sync::{mpsc, oneshot, watch};

use super::parked::{self, Order, RetryError, WAITING_EVENTS_MAX};

/// Events folded at once.
const PAGE_EVENTS_MAX: usize = 2_048;
/// The longest sleep towards a timer: the clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How often rows of process state are written. They only spare reading the log again.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// Events of the log after which the checkpoint is written though no row changed.
const SAVE_EVENTS_MAX: u64 = 10_000;

/// What a process needs.
#[derive(Clone)]
pub struct ProcessPorts {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Where rows of process state are kept.
    pub rows: Arc<dyn ProcessStateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The aggregates it commands.
    pub shop: ShopPorts,
    /// The payment provider.
    pub effects: Arc<dyn Reactor<ProviderCall>>,
}

/// Why a process stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log can't be folded.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its rows can't be read or written.
    #[error(transparent)]
    Rows(#[from] ProcessStateError),
}

/// A running process, seen from outside.
#[derive(Clone)]
pub struct ProcessHandle {
    /// The category of its streams.
    pub name: &'static str,
    inbox: mpsc::UnboundedSender<Message>,
    /// How far it has folded the log, once it is live.
    pub live_at: watch::Receiver<Option<Position>>,
}

impl ProcessHandle {
    /// Lets the timers that are due go off now and tells how many there were; 0 when it has stopped.
    pub async fn run_due_timers(&self) -> usize {
        let (sender, receiver) = oneshot::channel();
        let asked = self.inbox.send(Message::RunTimers(sender));
        if asked.is_err() { 0 } else { receiver.await.unwrap_or(0) }
    }

    /// Carries out what an operator asks of what is parked; an order that can't be carried out any more is
    /// dropped with its answer.
    pub fn order(&self, order: Order) {
        let _ = self.inbox.send(Message::Parked(order));
    }
}

/// What comes back from tasks, bounded by the outputs that are out, each of which answers once; and what
/// operators ask for.
enum Message {
    AppendFailed { instance: String, error: AppendError },
    Result { instance: String, output: OutputId, answer: Answer },
    EffectAnswered { instance: String, output: OutputId },
    EffectUnanswered { instance: String, output: OutputId },
    RunTimers(oneshot::Sender<usize>),
    Parked(Order),
}

/// Starts the process as of its rows; it runs until `stop` flips.
pub async fn start<P>(
    ports: ProcessPorts,
    stop: watch::Receiver<bool>,
) -> Result<(ProcessHandle, tokio::task::JoinHandle<Result<(), ProcessStopped>>), ProcessStopped>
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    let shape = ProcessShape::of::<P>();
    ports.rows.forget_others(shape).await?;
    let stored = ports.rows.load(shape).await?;
    let head = ports.store.head().await?;
    if stored.checkpoint > head {
        let what =
            format!("process {} has seen position {}, the log ends at {head}", P::NAME, stored.checkpoint);
        return Err(StoreError::Damaged(what).into());
    }
    let forgotten = ProcessChange {
        rows: stored.rows.iter().map(|(instance, _)| (instance.clone(), None)).collect(),
        parking: ParkingChange { released: stored.parked.clone(), ..ParkingChange::default() },
        checkpoint: Position::START,
    };
    let mut runtime = match ProcessRuntime::<P>::restore(stored) {
        Ok(runtime) => runtime,
        Err(error @ ProcessError::Row { .. }) => {
            tracing::warn!(process = P::NAME, %error, "its rows are made anew from the log");
            ports.rows.save(shape, forgotten).await?;
            ProcessRuntime::restore(ProcessRows::default())?
        }
        Err(error) => return Err(error.into()),
    };
    for skip in parked::skips_of(&*ports.store, P::NAME).await? {
        runtime.skip(skip);
    }
    let (inbox, messages) = mpsc::unbounded_channel();
    let (live_sender, live_at) = watch::channel(None);
    let handle = ProcessHandle { name: P::NAME, inbox: inbox.clone(), live_at };
    let (live, saved) = (live_sender, runtime.position());
    let driver = Driver { ports, runtime, inbox, messages, live, head_at_start: head, saved };
    Ok((handle, tokio::spawn(driver.run(stop))))
}

/// Folds the log into rows of a shape that has none, up to a position, without carrying anything out. What
/// can't be taken in stops it.
pub async fn prepare<P: Process>(
    store: &dyn EventStore,
    rows: &dyn ProcessStateStore,
    to: Position,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<(), ProcessStopped> {
    let mut runtime = ProcessRuntime::<P>::restore(ProcessRows::default())?;
    for skip in parked::skips_of(store, P::NAME).await? {
        runtime.skip(skip);
    }
    while runtime.position() < to {
        let page = store.read_all(runtime.position(), PAGE_EVENTS_MAX, &Filter::all()).await?;
        runtime.on_events(&page.events)?;
        runtime.on_reached(page.reached);
        progress(page.reached);
    }
    Ok(rows.save(ProcessShape::of::<P>(), runtime.change()).await?)
}

/// Returns once the shop is told to stop.
async fn until(stop: &mut watch::Receiver<bool>) {
    // The sender goes only with the shop.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Driver<P: Process> {
    ports: ProcessPorts,
    runtime: ProcessRuntime<P>,
    inbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    live: watch::Sender<Option<Position>>,
    head_at_start: Position,
    /// The checkpoint that was last written.
    saved: Position,
}

impl<P> Driver<P>
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), ProcessStopped> {
        let store = Arc::clone(&self.ports.store);
        let mut log = Subscription::new(store, self.runtime.position(), Filter::all(), PAGE_EVENTS_MAX);
        let mut save = tokio::time::interval(SAVE_EVERY);
        save.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let parked_gauge = metrics::gauge!("souk_process_instances_parked", "process" => P::NAME);
        self.go_live_at_head();
        loop {
            let until_next_timer = self.until_next_timer();
            tokio::select! {
                page = log.next() => {
                    let page = page?;
                    self.take_in(&page.events).await?;
                    self.runtime.on_reached(page.reached);
                    self.go_live_at_head();
                }
                Some(message) = self.messages.recv() => {
                    self.on_message(message).await;
                    while let Ok(message) = self.messages.try_recv() {
                        self.on_message(message).await;
                    }
                }
                () = tokio::time::sleep(until_next_timer) => {}
                _ = save.tick() => drop(self.save(SAVE_EVENTS_MAX).await),
                () = until(&mut stop) => {
                    self.save(1).await;
                    return Ok(());
                }
            }
            for action in self.runtime.step(self.ports.clock.now()) {
                self.carry_out(action);
            }
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; few are parked")]
            parked_gauge.set(self.runtime.parked_count() as f64);
        }
    }

    /// Takes events in; what can't take one is parked.
    async fn take_in(&mut self, events: &[RecordedEvent]) -> Result<(), ProcessStopped> {
        while let Err(error) = self.runtime.on_events(events) {
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
        Ok(())
    }

    /// Takes in what waits for a parked entity.
    async fn retry(&mut self, name: &str) -> Result<usize, RetryError> {
        let failed = |error: &dyn std::fmt::Display| RetryError::Failed(error.to_string());
        let entity = parked::entities(name).find(|entity| self.runtime.parked(entity).is_some());
        let entity = entity.ok_or_else(|| RetryError::NotParked(name.to_owned()))?;
        // What waits since the last save is to be among what is read.
        if !self.save(1).await {
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
        // Whether it can decide as well shows in its next step.
        for action in self.runtime.step(self.ports.clock.now()) {
            self.carry_out(action);
        }
        match self.runtime.parked(&entity) {
            Some(parked) => Err(RetryError::StillParked(parked.poison.to_string())),
            None => Ok(waiting.len()),
        }
    }

    fn go_live_at_head(&mut self) {
        if self.runtime.position() >= self.head_at_start {
            self.runtime.go_live();
            self.live.send_replace(Some(self.runtime.position()));
        }
    }

    fn until_next_timer(&self) -> Duration {
        let Some(at) = self.runtime.next_timer() else { return SLEEP_MAX };
        let wait = at.duration_since(self.ports.clock.now());
        Duration::try_from(wait).unwrap_or(Duration::ZERO).min(SLEEP_MAX)
    }

    /// Writes rows that changed, or else the checkpoint when it has moved so far. What can't be written
    /// now is written later: only the next start takes longer without it.
    /// Tells whether everything is written.
    async fn save(&mut self, events: u64) -> bool {
        let change = self.runtime.change();
        let is_little = change.rows.is_empty() && change.parking.is_empty();
        if is_little && change.checkpoint.0 - self.saved.0 < events {
            return true;
        }
        let checkpoint = change.checkpoint;
        let instances: Vec<String> = change.rows.iter().map(|(instance, _)| instance.clone()).collect();
        match self.ports.rows.save(ProcessShape::of::<P>(), change).await {
            Ok(()) => {
                self.saved = checkpoint;
                self.runtime.saved();
                true
            }
            Err(error) => {
                tracing::warn!(process = P::NAME, %error, "rows of process state were not written");
                self.runtime.not_saved(instances);
                false
            }
        }
    }

    async fn on_message(&mut self, message: Message) {
        match message {
            Message::AppendFailed { instance, error } => {
                let conflict = matches!(error, AppendError::Conflict { .. } | AppendError::Duplicate { .. });
                if !conflict {
                    tracing::error!(process = P::NAME, instance, %error, "a transition was not appended");
                }
                self.runtime.on_append_failed(&instance, conflict);
            }
            Message::Result { instance, output, answer } => self.runtime.on_result(&instance, output, answer),
            Message::EffectAnswered { instance, output } => {
                self.runtime.on_effect_answered(&instance, output);
            }
            Message::EffectUnanswered { instance, output } => {
                self.runtime.on_effect_unanswered(&instance, output);
            }
            // Whoever asked may have gone away.
            Message::Parked(Order::Find(name, answer)) => {
                let found = parked::entities(&name).find_map(|entity| self.runtime.parked(&entity).cloned());
                let _ = answer.send(found);
            }
            Message::Parked(Order::Retry(name, skip, answer)) => {
                if let Some(skip) = skip {
                    self.runtime.skip(skip);
                }
                let retried = self.retry(&name).await;
                self.save(1).await;
                let _ = answer.send(retried);
            }
            Message::RunTimers(asked) => {
                let fired = self.runtime.fire_due(self.ports.clock.now());
                // Whoever asked may have gone away.
                let _ = asked.send(fired);
            }
        }
    }

    /// Starts an action as a task of its own, so that none waits for another.
    fn carry_out(&self, action: Action<P>) {
        let inbox = self.inbox.clone();
        match action {
            Action::Parked(poison) => {
                tracing::error!(process = P::NAME, %poison, "an instance can't decide and is parked");
            }
            Action::Append(instance, append) => {
                let store = Arc::clone(&self.ports.store);
                tokio::spawn(async move {
                    if let Err(error) = store.append(append).await {
                        let _ = inbox.send(Message::AppendFailed { instance, error });
                    }
                });
            }
            Action::Command(Outgoing { instance, output, content, origin }) => {
                let shop = self.ports.shop.clone();
                tokio::spawn(async move {
                    souk_fail_points::pass("dispatcher-before-send");
                    if let Sent::Answered(answer) = shop.send(content, &origin).await {
                        let _ = inbox.send(Message::Result { instance, output, answer });
                    }
                });
            }
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                let effects = Arc::clone(&self.ports.effects);
                tokio::spawn(async move {
                    let message = match effects.react(&content, &origin).await {
                        Reaction::InLog => return,
                        Reaction::NothingNew => Message::EffectAnswered { instance, output },
                        Reaction::NoAnswer => Message::EffectUnanswered { instance, output },
                    };
                    let _ = inbox.send(message);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::Sku;
    use souk_domain::stock::{Stock, StockCommand};
    use souk_eventsourcing::envelope::Origin;
    use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use crate::testing::TestShop;

    #[tokio::test]
    async fn rows_that_cannot_be_read_are_made_anew_from_the_log() {
        let test = TestShop::open().await;
        let shop = &test.shop.shop;
        let (stream, id) = (Stock::stream(&Sku::parse("A1").unwrap()), shop.clock.new_id());
        let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
        let count = CommandRequest::new(stream, StockCommand::Count { on_hand: 1 }, origin);
        let head = shop.stock.execute(count).await.unwrap().position;
        test.shop.wait_for(head).await;
        let models = SqliteConnectOptions::new().filename(test.shop.read_models.path());
        let test = test.reopened(async || {
            let pool = SqlitePoolOptions::new().connect_with(models).await.unwrap();
            let sql = "INSERT INTO process_instances VALUES ('checkout', 1, 'x', x'7b')";
            sqlx::query(sql).execute(&pool).await.unwrap();
            pool.close().await;
        });
        let test = test.await;
        for process in &test.shop.processes {
            process.live_at.clone().wait_for(|live| live.is_some_and(|at| at >= head)).await.unwrap();
        }
    }
}
