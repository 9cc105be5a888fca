//! The whole shop in one process, on embedded engines in a data folder.

mod begin;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use souk_command_api::auth::mailed::Resets;
use souk_command_api::{Accounts, Ports, RunTimers, Settings, SettledOrders};
use souk_domain::cart::Cart;
use souk_domain::claim::Claim;
use souk_domain::order::Order;
use souk_domain::payment::Payment;
use souk_domain::product::Product;
use souk_domain::skips::Skips;
use souk_domain::stock::Stock;
use souk_domain::user::User;
use souk_domain::webhook::Webhook;
use souk_eventsourcing::process::ProcessStateStore;
use souk_eventsourcing::projector::ReadModelStore;
use souk_eventsourcing::{Clock, CommandPort, Decider, EventStore, PersonKeys, Position, StoreError};
use souk_mail_folder::MailFolder;
use souk_openid_connect::{OpenIdConnect, Provider};
use souk_process_managers::PaymentProvider;
use souk_sign_in::password::{Hashing, HashingFailed};
use souk_sign_in::session::ACCESS_TTL;
use souk_sign_in::{Credentials as _, CredentialsUnavailable};

use crate::drivers::dispatch::{Effects, ShopPorts};
use souk_http::keys::KeysError;
use souk_http::{Denials, Guard};
use souk_query_api::ReadModelProgress;
use souk_simulated_provider::SimulatedProvider;
use souk_sqlite_credentials::SqliteCredentials;
use souk_sqlite_log::{LOG_FILE, SqliteLog};
use souk_sqlite_person_keys::SqlitePersonKeys;
use souk_sqlite_read_models::{SqliteReadModels, Tuning};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::SystemClock;
use crate::configuration::{Configuration, IdentityProvider, Limiting};
use crate::data_folder::{DataFolder, DataFolderError, keys_of, lock_rebuilds, require_no_loss};
use crate::drivers::executor::ExecutorDriver;
use crate::drivers::finder::ReadModelFinder;
use crate::drivers::maintenance::Followers;
use crate::drivers::parts::{Parts, watch_progress};
use crate::drivers::passwords::HashingThread;
use crate::drivers::processes::{ProcessHandle, ProcessPorts, ProcessStopped};
use crate::drivers::projections::{ProjectionStopped, ReadModelPorts};
use crate::drivers::sealing::SealingStore;
use crate::drivers::settled::Settling;
use crate::drivers::sweeps::{self, Standing};
use crate::master_key::{self, MasterKeyError};
use crate::missing_keys::{self, CheckError, Completeness};
use begin::{check_process_state, progress, start_processes, start_projections, start_settled};

/// How much longer than the payment timeout a provider call may take.
const PROVIDER_CALL_GRACE: Duration = Duration::from_secs(300);

/// How long the access tokens of an ended session are refused: longer than any of them lasts.
const DENIED: SignedDuration = ACCESS_TTL.saturating_add(SignedDuration::from_mins(1));

/// What operators ask of the read models and is not yet begun.
const MODEL_ORDERS_MAX: usize = 16;

/// Why a shop doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The keys can't be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// There is no master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The keys of people can't be used.
    #[error(transparent)]
    PersonKeys(#[from] souk_sqlite_person_keys::OpenError),
    /// Keys of people are missing.
    #[error(transparent)]
    MissingKeys(#[from] CheckError),
    /// Credentials can't be used.
    #[error(transparent)]
    CredentialsFile(#[from] souk_sqlite_credentials::OpenError),
    /// Credentials can't be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
    /// Passwords can't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The system gives no thread.
    #[error("no thread for passwords: {0}")]
    NoThread(std::io::Error),
    /// There is no way to speak to identity providers.
    #[error("the system's certificates can't be used: {0}")]
    Tls(std::io::Error),
    /// The log can't be opened.
    #[error(transparent)]
    Log(#[from] souk_sqlite_log::OpenError),
    /// The read models can't be opened.
    #[error(transparent)]
    ReadModels(#[from] souk_sqlite_read_models::OpenError),
    /// Read models or processes have seen more than the log holds.
    #[error(
        "log-truncated: {0}; the log lost events: move log.sqlite and log.sqlite-wal away and restore a backup \
         (`souk log restore FOLDER`), or remove read-models.sqlite when you know why"
    )]
    Truncated(String),
    /// The log can't be read.
    #[error(transparent)]
    Store(StoreError),
    /// A process doesn't start.
    #[error(transparent)]
    Process(ProcessStopped),
    /// The projectors don't start.
    #[error(transparent)]
    Projection(ProjectionStopped),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(what) => Self::Truncated(what),
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

/// Tells whether a shop can do what it is asked.
#[derive(Clone)]
pub struct Readiness {
    followed: ReadModelProgress,
    head_at_start: Position,
    /// The parts that work by themselves.
    pub parts: Parts,
}

impl Readiness {
    /// Returns true once all has caught up and follows the log.
    pub fn is_given(&self) -> bool {
        let has_caught_up = *self.followed.reached.borrow() >= self.head_at_start;
        has_caught_up && *self.followed.built.borrow() && self.parts.are_ready()
    }
}

/// A running shop.
pub struct Embedded {
    /// The command side.
    pub ports: Ports,
    /// The log.
    pub log: Arc<SqliteLog>,
    /// The read models.
    pub read_models: Arc<SqliteReadModels>,
    /// How far the read models are.
    pub followed: ReadModelProgress,
    /// The head of the log when the shop was started.
    pub head_at_start: Position,
    /// The processes.
    pub processes: Vec<ProcessHandle>,
    /// Flips when the shop stops.
    pub stopping: watch::Receiver<bool>,
    /// The data folder, held until the shop is dropped.
    pub folder: DataFolder,
    /// The parts that work by themselves.
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
    /// Opens the engines and starts everything that works by itself.
    pub async fn start(configuration: &Configuration) -> Result<Self, StartError> {
        let folder = DataFolder::lock(&configuration.data)?;
        check_without_keys(configuration, &folder).await?;
        // First: without it nothing is to be written.
        let master = master_key::of(configuration)?;
        let keys = Arc::new(keys_of(folder.path())?);
        let person_keys = SqlitePersonKeys::open(folder.path(), master)?;
        let log = open_log(&folder)?;
        let complete = Completeness::new(Arc::clone(&person_keys), log.lineage());
        complete.check(&*log, folder.path(), configuration.without_keys).await?;
        let people: Arc<dyn PersonKeys> = person_keys;
        let read_models = SqliteReadModels::open(folder.path(), log.lineage(), Tuning::SERVING)?;
        let sealing = SealingStore::new(log.clone(), Arc::clone(&people));
        let sealed_appends = sealing.under_way();
        let store: Arc<dyn EventStore> = Arc::new(sealing);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mail = MailFolder::new(folder.path(), Arc::clone(&clock));
        let accounts = accounts(configuration, &folder, &store, &clock, &mail).await?;
        let head_at_start = store.head().await?;
        let (stop, stopping) = watch::channel(false);

        let settled_orders = Arc::new(SettledOrders::default());
        let provider: Arc<dyn PaymentProvider> = Arc::new(SimulatedProvider);
        let ports = ports(&store, &clock);
        let call_max = configuration.payment_timeout + PROVIDER_CALL_GRACE;
        let process_ports = ProcessPorts {
            store: Arc::clone(&store),
            rows: read_models.clone() as Arc<dyn ProcessStateStore>,
            clock: Arc::clone(&clock),
            shop: ports.clone(),
            effects: Arc::new(Effects::new(
                Arc::clone(&provider),
                Arc::clone(&people),
                ports.clone(),
                call_max,
            )),
        };
        let parts = Parts::default();
        let (orders, ordered) = mpsc::channel(MODEL_ORDERS_MAX);
        let (progress, followed) = progress();
        let model_ports = ReadModelPorts {
            store: Arc::clone(&store),
            read_models: read_models.clone() as Arc<dyn ReadModelStore>,
            clock: Arc::clone(&clock),
            orders: Arc::new(tokio::sync::Mutex::new(ordered)),
            progress: Arc::clone(&progress),
        };
        let projections = model_ports.open().await?;
        // `souk replay` would fold into the same builds.
        let building = projections.building_models();
        let building = (!building.is_empty()).then(|| lock_rebuilds(folder.path(), &building)).transpose()?;
        *progress.building.lock().unwrap_or_else(PoisonError::into_inner) = building;
        progress.reached.send_replace(projections.position());

        check_process_state(&process_ports).await?;
        let (processes, mut tasks) = start_processes(&process_ports, &parts, &stopping);
        let settling =
            Settling { orders: settled_orders.clone(), position: Arc::new(Mutex::new(head_at_start)) };
        tasks.push(start_settled(&store, &clock, settling, &parts, &stopping));
        tasks.push(start_projections(model_ports, projections, &parts, &stopping));
        tasks.push(tokio::spawn(watch_progress(parts.clone(), log.watch_head(), stopping.clone())));

        let ports = Ports {
            products: port::<Product>(&store, &clock),
            claims: port::<Claim>(&store, &clock),
            stock: ports.stock,
            carts: ports.carts,
            orders: ports.orders,
            payments: ports.payments,
            webhooks: port::<Webhook>(&store, &clock),
            skips: port::<Skips>(&store, &clock),
            maintenance: Arc::new(Followers { models: orders, processes: processes.clone() }),
            clock,
            people,
            erased: Arc::default(),
            accounts,
            finder: Arc::new(ReadModelFinder::new(read_models.path())),
            provider,
            settled: settled_orders,
            run_timers: run_timers(processes.clone()),
            settings: settings_of(configuration),
            keys,
            stopping: stopping.clone(),
        };
        let (reached, built) = (followed.reached.clone(), followed.built.clone());
        let head = log.watch_head();
        let people = Arc::default();
        let keys = complete.clone();
        let standing = Standing { reached, built, head, head_at_start, sealed_appends, people, keys };
        tasks.extend(sweeps::start(read_models.path(), &ports, &standing, &mail, &parts));
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

    /// Tells whether read models and processes have caught up with the log as it was at the start, and
    /// still follow it.
    pub fn readiness(&self) -> Readiness {
        let (followed, parts) = (self.followed.clone(), self.parts.clone());
        Readiness { followed, head_at_start: self.head_at_start, parts }
    }

    /// Waits until the read models have reached a position.
    pub async fn wait_for(&self, position: Position) {
        let mut reached = self.followed.reached.clone();
        // The sender goes only with the shop.
        let _ = reached.wait_for(|reached| *reached >= position).await;
    }

    /// Ends every wait that is under way, and lets no new one begin.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends everything that works by itself, and gives the folder back.
    pub async fn stop(self) {
        self.begin_stop();
        for task in self.tasks {
            // A task that failed has said so.
            let _ = task.await;
        }
        let head = *self.log.watch_head().borrow();
        if let Err(error) = self.complete.note(head).await {
            tracing::warn!(%error, "the next start looks at more of the log");
        }
    }
}

/// Refuses a log with personal data and no store of keys beside it, before keys are made that open nothing.
async fn check_without_keys(configuration: &Configuration, folder: &DataFolder) -> Result<(), StartError> {
    if SqlitePersonKeys::exists_in(folder.path()) || !folder.path().join(LOG_FILE).exists() {
        return Ok(());
    }
    let log = open_log(folder)?;
    Ok(missing_keys::check_without_store(&*log, folder.path(), configuration.without_keys).await?)
}

/// Opens the log, or makes it in a folder without read models of one.
pub fn open_log(folder: &DataFolder) -> Result<Arc<SqliteLog>, StartError> {
    require_no_loss(folder.path())?;
    Ok(SqliteLog::open(folder.path(), &souk_sqlite_log::Options::default())?)
}

fn port<D: Decider>(store: &Arc<dyn EventStore>, clock: &Arc<dyn Clock>) -> Arc<dyn CommandPort<D>> {
    Arc::new(ExecutorDriver::<D>::new(Arc::clone(store), Arc::clone(clock)))
}

/// What signing in works with. Sessions that ended a moment before the last stop stay denied.
async fn accounts(
    configuration: &Configuration,
    folder: &DataFolder,
    store: &Arc<dyn EventStore>,
    clock: &Arc<dyn Clock>,
    mail: &MailFolder,
) -> Result<Accounts, StartError> {
    let credentials = SqliteCredentials::open(folder.path()).await?;
    let (denials, now) = (Denials::default(), clock.now());
    for family in credentials.revoked_since(now - DENIED).await? {
        denials.deny_here(family.id, family.revoked_at.unwrap_or(now) + DENIED, now);
    }
    let hashing = Hashing::new(configuration.password_cost)?;
    Ok(Accounts {
        users: port::<User>(store, clock),
        credentials: Arc::new(credentials),
        passwords: Arc::new(HashingThread::start(hashing).map_err(StartError::NoThread)?),
        outbox: Arc::new(mail.clone()),
        resets: Resets::default(),
        denials: Arc::new(denials),
        spent_flows: Arc::default(),
        providers: Arc::new(identity_providers(configuration, clock).map_err(StartError::Tls)?),
        guard: Arc::new(Guard::new(configuration.limits != Limiting::Off, Arc::clone(clock))),
    })
}

fn identity_providers(
    configuration: &Configuration,
    clock: &Arc<dyn Clock>,
) -> std::io::Result<OpenIdConnect> {
    let provider = |provider: &IdentityProvider| Provider {
        name: provider.name.clone(),
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: provider.client_secret.expose().to_owned(),
    };
    let providers = configuration.identity_providers.iter().map(provider).collect();
    OpenIdConnect::new(providers, Arc::clone(clock))
}

fn ports(store: &Arc<dyn EventStore>, clock: &Arc<dyn Clock>) -> ShopPorts {
    ShopPorts {
        carts: port::<Cart>(store, clock),
        orders: port::<Order>(store, clock),
        payments: port::<Payment>(store, clock),
        stock: port::<Stock>(store, clock),
    }
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
