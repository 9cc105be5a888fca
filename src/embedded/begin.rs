//! Starts the parts of a shop, each under its supervisor.

use std::sync::{Arc, Mutex};

use souk_eventsourcing::process::Process;
use souk_eventsourcing::{Clock, EventStore, Position};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use souk_process_managers::{ProviderCall, ShopCommand};
use souk_query_api::{Behind, Followed};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::drivers::parts::{Begun, Parts, supervise};
use crate::drivers::processes::{self, ProcessHandle, ProcessPorts, ProcessStopped};
use crate::drivers::projections::{self, Progress, ProjectionStopped, Projections, ReadModelPorts};
use crate::drivers::settled::{self, Settling};

/// Refuses rows of processes that have seen more than the log holds.
pub(super) async fn check_process_state(ports: &ProcessPorts) -> Result<(), ProcessStopped> {
    processes::check::<Checkout>(ports).await?;
    processes::check::<Settlement>(ports).await?;
    processes::check::<ReversalProcess>(ports).await
}

pub(super) fn start_processes(
    ports: &ProcessPorts,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> (Vec<ProcessHandle>, Vec<JoinHandle<()>>) {
    let started = [
        start_process::<Checkout>(ports, parts, stopping),
        start_process::<Settlement>(ports, parts, stopping),
        start_process::<ReversalProcess>(ports, parts, stopping),
    ];
    started.into_iter().unzip()
}

fn start_process<P>(
    ports: &ProcessPorts,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> (ProcessHandle, JoinHandle<()>)
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    let (handle, desk) = processes::handle::<P>();
    let (part, ports, stop) = (parts.follower(P::NAME), ports.clone(), stopping.clone());
    let begun = Arc::clone(&part);
    let begin = move || {
        let run = processes::run::<P>(ports.clone(), desk.clone(), Arc::clone(&begun), stop.clone());
        tokio::spawn(async move { run.await.map_err(|error| error.to_string()) })
    };
    (handle, tokio::spawn(supervise(part, stopping.clone(), begin)))
}

pub(super) fn start_settled(
    store: &Arc<dyn EventStore>,
    clock: &Arc<dyn Clock>,
    settling: Settling,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let part = parts.follower("settled-orders");
    let (store, clock, begun, stop) =
        (Arc::clone(store), Arc::clone(clock), Arc::clone(&part), stopping.clone());
    let begin = move || {
        let (store, clock, settling) = (Arc::clone(&store), Arc::clone(&clock), settling.clone());
        let run = settled::run(store, clock, settling, Arc::clone(&begun), stop.clone());
        tokio::spawn(async move { run.await.map_err(|error| error.to_string()) })
    };
    tokio::spawn(supervise(part, stopping.clone(), begin))
}

/// Both ends of what tells how far the read models are.
pub(super) fn progress() -> (Arc<Progress>, Followed) {
    let (reached, is_reached) = watch::channel(Position::START);
    let (built, is_built) = watch::channel(false);
    let (behind, is_behind) = watch::channel(Arc::new(Behind::default()));
    let (following, is_following) = watch::channel(true);
    let followed =
        Followed { reached: is_reached, following: is_following, built: is_built, behind: is_behind };
    (Arc::new(Progress { reached, built, behind, following, building: Mutex::default() }), followed)
}

/// Starts the read models, on a thread of their own: folding a large batch holds up no request. The first
/// start takes those that are open.
pub(super) fn start_projections(
    ports: ReadModelPorts,
    opened: Projections,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let part = parts.follower("read-models");
    let (begun, stop) = (Arc::clone(&part), stopping.clone());
    let mut opened = Some(opened);
    let begin = move || {
        let (ports, opened, part, stop) = (ports.clone(), opened.take(), Arc::clone(&begun), stop.clone());
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

/// Runs something on a thread of its own; its panic is the task's.
fn on_own_thread(run: impl Future<Output = Result<(), String>> + Send + 'static) -> Begun {
    let runtime = tokio::runtime::Handle::current();
    let (sender, ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("read-models".to_owned());
    let started = thread.spawn(move || {
        // The receiver goes only with the supervisor.
        let _ = sender.send(runtime.block_on(run));
    });
    tokio::spawn(async move {
        started.map_err(|error| format!("the system gives no thread: {error}"))?;
        ended.await.unwrap_or_else(|_| Err("it panicked".to_owned()))
    })
}
