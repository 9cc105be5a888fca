//! Start of the background parts of a shop, each with its supervisor.

use std::sync::{Arc, Mutex};

use souk_domain::AggregateCommand;
use souk_eventsourcing::Position;
use souk_eventsourcing::process::{Process, ProcessShape};
use souk_eventsourcing::reactor::{NoEffects, Reactor};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use souk_query_api::{ParkedEntities, ReadModelProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::SharedClock;
use crate::drivers::SharedStore;
use crate::drivers::dispatch::ProviderCalls;
use crate::drivers::parts::{PartTask, Parts, supervise};
use crate::drivers::processes::{self, ProcessHandle, ProcessPorts, ProcessStopped};
use crate::drivers::projections::{self, Progress, ProjectionStopped, Projections, ReadModelPorts};
use crate::drivers::settled::{self, Settling};

/// Returns all processes of the shop, each with the reactor that carries out its effects.
fn all_processes(provider_calls: &Arc<ProviderCalls>) -> Vec<StoppedProcess> {
    vec![
        StoppedProcess::new::<Checkout>(provider_calls.clone()),
        StoppedProcess::new::<Settlement>(provider_calls.clone()),
        StoppedProcess::new::<ReversalProcess>(Arc::new(NoEffects)),
    ]
}

/// Handle of a started process, and the task of its supervisor.
type Started = (ProcessHandle, JoinHandle<()>);

/// Function that starts a process.
type Start = dyn FnOnce(&ProcessPorts, &Parts, &watch::Receiver<bool>) -> Started + Send + Sync;

/// Process that is not started yet.
struct StoppedProcess {
    shape: ProcessShape,
    start: Box<Start>,
}

impl StoppedProcess {
    fn new<P>(reactor: Arc<dyn Reactor<P::Effect>>) -> Self
    where
        P: Process<Command = AggregateCommand>,
    {
        let start =
            move |ports: &_, parts: &_, stopping: &_| start_process::<P>(reactor, ports, parts, stopping);
        Self { shape: ProcessShape::of::<P>(), start: Box::new(start) }
    }
}

/// Starts all processes. Fails if the checkpoint of any process is beyond the end of the log; then no process
/// is started.
pub(super) async fn start_processes(
    ports: &ProcessPorts,
    provider_calls: &Arc<ProviderCalls>,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> Result<(Vec<ProcessHandle>, Vec<JoinHandle<()>>), ProcessStopped> {
    let stopped = all_processes(provider_calls);
    for process in &stopped {
        processes::check(ports, process.shape).await?;
    }
    Ok(stopped.into_iter().map(|process| (process.start)(ports, parts, stopping)).unzip())
}

fn start_process<P>(
    reactor: Arc<dyn Reactor<P::Effect>>,
    ports: &ProcessPorts,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> Started
where
    P: Process<Command = AggregateCommand>,
{
    let (handle, inbox) = processes::handle::<P>();
    let part = parts.follower(P::NAME);
    let ports = ports.clone();
    let stop = stopping.clone();
    let run_part = Arc::clone(&part);
    let begin = move || {
        let part = Arc::clone(&run_part);
        let run = processes::run::<P>(ports.clone(), Arc::clone(&reactor), inbox.clone(), part, stop.clone());
        tokio::spawn(async move { run.await.map_err(|error| error.to_string()) })
    };
    (handle, tokio::spawn(supervise(part, stopping.clone(), begin)))
}

pub(super) fn start_settled(
    store: &SharedStore,
    clock: &SharedClock,
    settling: Settling,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let part = parts.follower("settled-orders");
    let store = Arc::clone(store);
    let clock = Arc::clone(clock);
    let run_part = Arc::clone(&part);
    let stop = stopping.clone();
    let begin = move || {
        let store = Arc::clone(&store);
        let clock = Arc::clone(&clock);
        let run = settled::run(store, clock, settling.clone(), Arc::clone(&run_part), stop.clone());
        tokio::spawn(async move { run.await.map_err(|error| error.to_string()) })
    };
    tokio::spawn(supervise(part, stopping.clone(), begin))
}

/// Creates the channels that report the progress of the read models. Returns their senders and receivers.
pub(super) fn progress() -> (Arc<Progress>, ReadModelProgress) {
    let (reached, reached_receiver) = watch::channel(Position::START);
    let (built, built_receiver) = watch::channel(false);
    let (parked, parked_receiver) = watch::channel(Arc::new(ParkedEntities::default()));
    let (following, following_receiver) = watch::channel(true);
    let followed = ReadModelProgress {
        reached: reached_receiver,
        following: following_receiver,
        built: built_receiver,
        parked: parked_receiver,
    };
    (Arc::new(Progress { reached, built, parked, following, building: Mutex::default() }), followed)
}

/// Starts the read models on their own thread, so that a large batch does not block requests. The first start
/// uses `opened`; a restart opens the builds again.
pub(super) fn start_projections(
    ports: ReadModelPorts,
    opened: Projections,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let part = parts.follower("read-models");
    let run_part = Arc::clone(&part);
    let stop = stopping.clone();
    let mut opened = Some(opened);
    let begin = move || {
        let ports = ports.clone();
        let opened = opened.take();
        let part = Arc::clone(&run_part);
        let stop = stop.clone();
        let run = async move {
            let projections = match opened {
                Some(projections) => projections,
                None => ports.open().await?,
            };
            projections::run(ports, projections, part, stop).await
        };
        on_own_thread(async move { run.await.map_err(|error: ProjectionStopped| error.to_string()) })
    };
    tokio::spawn(supervise(part, stopping.clone(), begin))
}

/// Runs a future on its own thread. A panic becomes an error of the task.
fn on_own_thread(run: impl Future<Output = Result<(), String>> + Send + 'static) -> PartTask {
    let runtime = tokio::runtime::Handle::current();
    let (sender, ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("read-models".to_owned());
    let started = thread.spawn(move || {
        // An error means that the task below, which has the receiver, is gone.
        let _ = sender.send(runtime.block_on(run));
    });
    tokio::spawn(async move {
        started.map_err(|error| format!("can't create a thread: {error}"))?;
        ended.await.unwrap_or_else(|_| Err("it panicked".to_owned()))
    })
}
