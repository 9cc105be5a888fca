//! Whole shop in one process, with embedded engines in a data folder.

mod begin;
mod engines;

use std::sync::{Arc, Mutex, PoisonError};

use souk_command_api::{Ports, RunTimers, Settings, SettledOrders};
use souk_domain::AggregatePorts;
use souk_eventsourcing::{Position, StoreError};
use souk_http::keys::KeysError;
use souk_process_managers::PaymentProvider;
use souk_query_api::ReadModelProgress;
use souk_sign_in::CredentialsUnavailable;
use souk_sign_in::password::HashingFailed;
use souk_simulated_provider::SimulatedProvider;
use souk_sqlite_log::SqliteLog;
use souk_sqlite_read_models::SqliteReadModels;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::data_folder::{DataFolder, DataFolderError, lock_rebuilds};
use crate::drivers::finder::ReadModelFinder;
use crate::drivers::maintenance::Followers;
use crate::drivers::parts::{Parts, watch_progress};
use crate::drivers::processes::{ProcessHandle, ProcessStopped};
use crate::drivers::projections::{ProjectionStopped, Projections, ReadModelPorts};
use crate::drivers::settled::Settling;
use crate::drivers::sweeps;
use crate::master_key::MasterKeyError;
use crate::missing_keys::{CheckError, Completeness};
use begin::{progress, start_processes, start_projections, start_settled};
use engines::Engines;
use souk_configuration::Configuration;

/// Maximum number of operators' requests that wait for the read models.
const MODEL_REQUESTS_MAX: usize = 16;

/// Reason why a shop does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The signing keys can't be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The master key is missing or malformed.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The store with the keys of people can't be opened.
    #[error(transparent)]
    PersonKeys(#[from] souk_sqlite_person_keys::OpenError),
    /// Keys of people are missing.
    #[error(transparent)]
    MissingKeys(#[from] CheckError),
    /// The store of credentials can't be opened.
    #[error(transparent)]
    CredentialsFile(#[from] souk_sqlite_credentials::OpenError),
    /// Credentials can't be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
    /// Passwords can't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The system can't create a thread.
    #[error("can't create the thread for passwords: {0}")]
    NoThread(std::io::Error),
    /// The TLS certificates for connections to identity providers can't be loaded.
    #[error("the system's certificates can't be used: {0}")]
    Tls(std::io::Error),
    /// The log can't be opened.
    #[error(transparent)]
    Log(#[from] souk_sqlite_log::OpenError),
    /// The read models can't be opened.
    #[error(transparent)]
    ReadModels(#[from] souk_sqlite_read_models::OpenError),
    /// A checkpoint of a read model or process is beyond the end of the log.
    #[error(
        "log-truncated: {0}; the log has lost events: move log.sqlite and log.sqlite-wal away and restore a backup \
         (`souk log restore FOLDER`). If you know the reason and want to keep this log, remove \
         read-models.sqlite instead"
    )]
    Truncated(String),
    /// The log can't be read.
    #[error(transparent)]
    Store(StoreError),
    /// A process can't start.
    #[error(transparent)]
    Process(ProcessStopped),
    /// The projectors can't start.
    #[error(transparent)]
    Projection(ProjectionStopped),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(detail) => Self::Truncated(detail),
            error @ (StoreError::Unavailable(_) | StoreError::Stopped(_)) => Self::Store(error),
        }
    }
}

impl From<ProcessStopped> for StartError {
    fn from(error: ProcessStopped) -> Self {
        match error {
            ProcessStopped::Store(error) => error.into(),
            error => Self::Process(error),
        }
    }
}

impl From<ProjectionStopped> for StartError {
    fn from(error: ProjectionStopped) -> Self {
        match error {
            ProjectionStopped::Store(error) => error.into(),
            error => Self::Projection(error),
        }
    }
}

/// Readiness of a shop.
#[derive(Clone)]
pub struct Readiness {
    followed: ReadModelProgress,
    head_at_start: Position,
    /// Background parts of the shop.
    pub parts: Parts,
}

impl Readiness {
    /// Returns true if the read models and processes have caught up and follow the log.
    pub fn is_ready(&self) -> bool {
        let has_caught_up = *self.followed.reached.borrow() >= self.head_at_start;
        has_caught_up && *self.followed.built.borrow() && self.parts.are_ready()
    }
}

/// Running shop with its engines and parts.
pub struct Embedded {
    /// Ports of the command side.
    pub ports: Ports,
    /// Engine of the log.
    pub log: Arc<SqliteLog>,
    /// Engine of the read models.
    pub read_models: Arc<SqliteReadModels>,
    /// Progress of the read models.
    pub followed: ReadModelProgress,
    /// End of the log when the shop was started.
    pub head_at_start: Position,
    /// Handles of the processes.
    pub processes: Vec<ProcessHandle>,
    /// Becomes true when the shop stops.
    pub stopping: watch::Receiver<bool>,
    /// Data folder. It stays locked until the shop is dropped.
    pub folder: DataFolder,
    /// Background parts of the shop.
    pub parts: Parts,
    pub(crate) complete: Completeness,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

fn settings_of(configuration: &Configuration) -> Settings {
    Settings {
        currency: configuration.currency,
        payment_timeout: configuration.payment_timeout,
        public_url: configuration.public_url(),
        webhook_secret: configuration.webhook_secret.as_ref().map(|secret| secret.expose().to_owned()),
    }
}

impl Embedded {
    /// Opens the engines of the data folder and starts all parts.
    pub async fn start(configuration: &Configuration) -> Result<Self, StartError> {
        let engines = Engines::open(configuration).await?;
        let accounts = engines.accounts(configuration).await?;
        let head_at_start = engines.store.head().await?;
        let (stop, stopping) = watch::channel(false);
        let parts = Parts::default();

        let aggregates = AggregatePorts::open(&engines);
        let provider: Arc<dyn PaymentProvider> = Arc::new(SimulatedProvider);
        let process_ports = engines.process_ports(&aggregates);
        let provider_calls = engines.provider_calls(configuration, &provider, &process_ports.sender);
        let (model_requests, requests) = mpsc::channel(MODEL_REQUESTS_MAX);
        let (progress, followed) = progress();
        let model_ports = engines.read_model_ports(requests, &progress);
        let projections = open_projections(&model_ports, &engines.folder).await?;

        let (processes, mut tasks) =
            start_processes(&process_ports, &provider_calls, &parts, &stopping).await?;
        let settled = Arc::new(SettledOrders::default());
        let position = Arc::new(Mutex::new(head_at_start));
        let settling = Settling { orders: Arc::clone(&settled), position };
        tasks.push(start_settled(&engines.store, &engines.clock, settling, &parts, &stopping));
        tasks.push(start_projections(model_ports, projections, &parts, &stopping));
        let head = engines.log.watch_head();
        tasks.push(tokio::spawn(watch_progress(parts.clone(), head, stopping.clone())));

        let ports = Ports {
            aggregates,
            maintenance: Arc::new(Followers { models: model_requests, processes: processes.clone() }),
            clock: Arc::clone(&engines.clock),
            people: Arc::clone(&engines.people),
            erased: Arc::default(),
            accounts,
            finder: Arc::new(ReadModelFinder::new(engines.read_models.path())),
            provider,
            settled,
            run_timers: run_timers(processes.clone()),
            settings: settings_of(configuration),
            keys: Arc::clone(&engines.keys),
            stopping: stopping.clone(),
        };
        let context = engines.sweep_context(&followed, head_at_start, &ports);
        let shop = ports.shop();
        tasks.extend(sweeps::start(engines.read_models.path(), &shop, &context, &engines.mail, &parts));
        let Engines { folder, log, read_models, complete, .. } = engines;
        Ok(Self {
            ports,
            log,
            read_models,
            followed,
            head_at_start,
            processes,
            stopping,
            folder,
            parts,
            complete,
            stop,
            tasks,
        })
    }

    /// Returns the readiness of the shop. It is ready if read models and processes have caught up with the
    /// log as it was at the start, and still follow it.
    pub fn readiness(&self) -> Readiness {
        Readiness {
            followed: self.followed.clone(),
            head_at_start: self.head_at_start,
            parts: self.parts.clone(),
        }
    }

    /// Waits until the read models have reached a position.
    pub async fn wait_for(&self, position: Position) {
        let mut reached = self.followed.reached.clone();
        // An error means that the shop, which has the sender, is gone.
        let _ = reached.wait_for(|reached| *reached >= position).await;
    }

    /// Tells all parts and waiting requests to stop.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops all parts and unlocks the folder.
    pub async fn stop(self) {
        self.begin_stop();
        for task in self.tasks {
            // A failed task has already logged its failure.
            let _ = task.await;
        }
        let head = *self.log.watch_head().borrow();
        if let Err(error) = self.complete.record(head).await {
            tracing::warn!(%error, "the completeness of keys was not recorded; the next start checks more of the log");
        }
    }
}

/// Opens the read models. While some of them are being built, the rebuild lock is kept, so that `souk replay`
/// does not write to the same builds.
async fn open_projections(ports: &ReadModelPorts, folder: &DataFolder) -> Result<Projections, StartError> {
    let projections = ports.open().await?;
    let building = projections.building_models();
    let lock = (!building.is_empty()).then(|| lock_rebuilds(folder.path(), &building)).transpose()?;
    *ports.progress.building.lock().unwrap_or_else(PoisonError::into_inner) = lock;
    ports.progress.reached.send_replace(projections.position());
    Ok(projections)
}

fn run_timers(processes: Vec<ProcessHandle>) -> RunTimers {
    Arc::new(move || {
        let processes = processes.clone();
        Box::pin(async move {
            let mut fired = 0;
            for process in processes {
                fired += process.run_due_timers().await;
            }
            fired
        })
    })
}
