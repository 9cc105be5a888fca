//! Engines of a shop, opened in its data folder, and the services that use them.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use souk_command_api::auth::mailed_tokens::ResetPlaces;
use souk_command_api::{Accounts, Ports};
use souk_configuration::{Configuration, IdentityProvider, LimitMode};
use souk_domain::{AggregatePorts, OpenPort};
use souk_eventsourcing::{CommandPort, Decider, PersonKeys, Position};
use souk_http::{EndedSessions, Guard, Keys};
use souk_mail_folder::MailFolder;
use souk_openid_connect::{OpenIdConnect, Provider};
use souk_process_managers::PaymentProvider;
use souk_query_api::ReadModelProgress;
use souk_sign_in::Credentials as _;
use souk_sign_in::password::Hashing;
use souk_sign_in::session::ACCESS_TTL;
use souk_sqlite_credentials::SqliteCredentials;
use souk_sqlite_log::{LOG_FILE, SqliteLog};
use souk_sqlite_person_keys::SqlitePersonKeys;
use souk_sqlite_read_models::{SqliteReadModels, Tuning};
use tokio::sync::mpsc;

use super::StartError;
use crate::clock::{SharedClock, SystemClock};
use crate::data_folder::{DataFolder, keys_of, require_no_loss};
use crate::drivers::SharedStore;
use crate::drivers::dispatch::{CommandSender, ProviderCalls};
use crate::drivers::executor::ExecutorDriver;
use crate::drivers::passwords::HashingThread;
use crate::drivers::processes::ProcessPorts;
use crate::drivers::projections::{ModelRequest, Progress, ReadModelPorts};
use crate::drivers::sealing::{SealedAppends, SealingStore};
use crate::drivers::sweeps::SweepContext;
use crate::master_key;
use crate::missing_keys::{self, Completeness};

/// Time after the payment timeout when a call to the payment provider times out.
const PROVIDER_CALL_GRACE: Duration = Duration::from_secs(300);

/// Time for which the access tokens of an ended session are refused. It is longer than the lifetime of an
/// access token.
const DENIED: SignedDuration = ACCESS_TTL.saturating_add(SignedDuration::from_mins(1));

/// Engines of a shop.
pub(super) struct Engines {
    pub(super) folder: DataFolder,
    /// Keys that sign tokens and hash e-mail addresses.
    pub(super) keys: Arc<Keys>,
    /// Keys that encrypt personal data.
    pub(super) people: Arc<dyn PersonKeys>,
    pub(super) complete: Completeness,
    pub(super) log: Arc<SqliteLog>,
    /// The log, with encryption of personal data in front.
    pub(super) store: SharedStore,
    pub(super) read_models: Arc<SqliteReadModels>,
    pub(super) clock: SharedClock,
    pub(super) mail: MailFolder,
    sealed_appends: SealedAppends,
}

impl OpenPort for Engines {
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>> {
        Arc::new(ExecutorDriver::<D>::new(Arc::clone(&self.store), Arc::clone(&self.clock)))
    }
}

impl Engines {
    /// Locks the data folder and opens its engines.
    pub(super) async fn open(configuration: &Configuration) -> Result<Self, StartError> {
        let folder = DataFolder::lock(&configuration.data)?;
        check_without_keys(configuration, &folder).await?;
        // The master key comes first: nothing may be written without it.
        let master = master_key::of(configuration)?;
        let keys = Arc::new(keys_of(folder.path())?);
        let person_keys = SqlitePersonKeys::open(folder.path(), master)?;
        let log = open_log(&folder)?;
        let complete = Completeness::new(Arc::clone(&person_keys), log.lineage());
        complete.check(&*log, folder.path(), configuration.without_keys).await?;
        let people: Arc<dyn PersonKeys> = person_keys;
        let read_models = SqliteReadModels::open(folder.path(), log.lineage(), Tuning::SERVING)?;
        let sealing = SealingStore::new(log.clone(), Arc::clone(&people));
        let sealed_appends = sealing.pending();
        let clock: SharedClock = Arc::new(SystemClock);
        let mail = MailFolder::new(folder.path(), Arc::clone(&clock));
        let store: SharedStore = Arc::new(sealing);
        Ok(Self { folder, keys, people, complete, log, store, read_models, clock, mail, sealed_appends })
    }

    /// Creates the ports of the processes.
    pub(super) fn process_ports(&self, aggregates: &AggregatePorts) -> ProcessPorts {
        ProcessPorts {
            store: Arc::clone(&self.store),
            rows: self.read_models.clone(),
            clock: Arc::clone(&self.clock),
            sender: CommandSender(aggregates.clone()),
        }
    }

    /// Creates the reactor that makes the calls of processes to the payment provider.
    pub(super) fn provider_calls(
        &self,
        configuration: &Configuration,
        provider: &Arc<dyn PaymentProvider>,
        sender: &CommandSender,
    ) -> Arc<ProviderCalls> {
        let call_max = configuration.payment_timeout + PROVIDER_CALL_GRACE;
        let people = Arc::clone(&self.people);
        Arc::new(ProviderCalls::new(Arc::clone(provider), people, sender.clone(), call_max))
    }

    /// Creates the ports of the read models.
    pub(super) fn read_model_ports(
        &self,
        requests: mpsc::Receiver<ModelRequest>,
        progress: &Arc<Progress>,
    ) -> ReadModelPorts {
        ReadModelPorts {
            store: Arc::clone(&self.store),
            read_models: self.read_models.clone(),
            clock: Arc::clone(&self.clock),
            requests: Arc::new(tokio::sync::Mutex::new(requests)),
            progress: Arc::clone(progress),
        }
    }

    /// Creates the context of the sweeps.
    pub(super) fn sweep_context(
        &self,
        progress: &ReadModelProgress,
        head_at_start: Position,
        ports: &Ports,
    ) -> SweepContext {
        SweepContext {
            reached: progress.reached.clone(),
            built: progress.built.clone(),
            head: self.log.watch_head(),
            head_at_start,
            sealed_appends: self.sealed_appends.clone(),
            people_lock: Arc::default(),
            keys: self.complete.clone(),
            shop_keys: Arc::clone(&self.keys),
            payment_timeout: ports.settings.payment_timeout,
            erased: Arc::clone(&ports.erased),
            stopping: ports.stopping.clone(),
        }
    }

    /// Creates the services for accounts and sign-in. Access tokens of recently ended sessions stay refused
    /// after a restart.
    pub(super) async fn accounts(&self, configuration: &Configuration) -> Result<Accounts, StartError> {
        let credentials = SqliteCredentials::open(self.folder.path()).await?;
        let ended_sessions = EndedSessions::default();
        let now = self.clock.now();
        for session in credentials.revoked_since(now - DENIED).await? {
            ended_sessions.deny_here(session.id, session.revoked_at.unwrap_or(now) + DENIED, now);
        }
        let hashing = Hashing::new(configuration.password_cost)?;
        Ok(Accounts {
            credentials: Arc::new(credentials),
            passwords: Arc::new(HashingThread::start(hashing).map_err(StartError::NoThread)?),
            outbox: Arc::new(self.mail.clone()),
            resets: ResetPlaces::default(),
            ended_sessions: Arc::new(ended_sessions),
            used_flows: Arc::default(),
            providers: Arc::new(identity_providers(configuration, &self.clock).map_err(StartError::Tls)?),
            guard: Arc::new(Guard::new(configuration.limits != LimitMode::Off, Arc::clone(&self.clock))),
        })
    }
}

/// Fails if the log contains personal data but the folder has no store of keys. This check comes before a
/// new, empty store is created.
async fn check_without_keys(configuration: &Configuration, folder: &DataFolder) -> Result<(), StartError> {
    if SqlitePersonKeys::exists_in(folder.path()) || !folder.path().join(LOG_FILE).exists() {
        return Ok(());
    }
    let log = open_log(folder)?;
    Ok(missing_keys::check_without_store(&*log, folder.path(), configuration.without_keys).await?)
}

/// Opens the log. Creates it in a new folder, but not if the folder has read models and so must have had a
/// log.
fn open_log(folder: &DataFolder) -> Result<Arc<SqliteLog>, StartError> {
    require_no_loss(folder.path())?;
    Ok(SqliteLog::open(folder.path(), &souk_sqlite_log::Options::default())?)
}

fn identity_providers(configuration: &Configuration, clock: &SharedClock) -> std::io::Result<OpenIdConnect> {
    let provider = |provider: &IdentityProvider| Provider {
        name: provider.name.clone(),
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        client_secret: provider.client_secret.expose().to_owned(),
    };
    let providers = configuration.identity_providers.iter().map(provider).collect();
    OpenIdConnect::new(providers, Arc::clone(clock))
}
