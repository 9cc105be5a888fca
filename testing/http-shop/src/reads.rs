//! Read models of the test shop, and the query API over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_command_api::Ports;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::ReadModelStore;
use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{EventStore, Filter, Position};
use souk_query_api::{ParkedEntities, QueryPorts, QueryState, ReadModelProgress, ReadPositions};
use souk_sqlite_log::SqliteLog;
use souk_sqlite_read_models::SqliteReadModels;
use tokio::sync::{Mutex, watch};

use crate::{Shop, data_folder};

/// The read models, and the progress that the query API is told about. Tests set the progress to simulate
/// read models that are behind, stopped or not built.
pub struct Reads {
    /// State of the query API.
    pub state: QueryState,
    /// Position that all read models have reached.
    pub reached: watch::Sender<Position>,
    /// False while the read models are not updated.
    pub following: watch::Sender<bool>,
    /// False while a read model is not built yet.
    pub built: watch::Sender<bool>,
    /// Parked entities of the read models.
    pub parked: watch::Sender<Arc<ParkedEntities>>,
    models: Arc<SqliteReadModels>,
    projectors: Mutex<Vec<Box<dyn ErasedProjector>>>,
}

impl Reads {
    /// Opens empty read models over a log. The query API uses the stores and the clock of the command API.
    pub(crate) async fn open(folder: &Path, log: &SqliteLog, ports: &Ports) -> Self {
        let (models, builds) = data_folder::open_read_models(folder).await;
        let mut projectors = souk_projections::all();
        for (projector, build) in projectors.iter_mut().zip(builds) {
            projector.start_at(build);
        }
        let (reached, reached_receiver) = watch::channel(Position::START);
        let (following, following_receiver) = watch::channel(true);
        let (built, built_receiver) = watch::channel(true);
        let (parked, parked_receiver) = watch::channel(Arc::default());
        let progress = ReadModelProgress {
            reached: reached_receiver,
            following: following_receiver,
            built: built_receiver,
            parked: parked_receiver,
        };
        let positions = ReadPositions::new(progress, log.watch_head(), ports.stopping.clone());
        let state = QueryState::open(models.path(), positions, query_ports(ports));
        Self { state, reached, following, built, parked, models, projectors: Mutex::new(projectors) }
    }

    /// Applies all new events of a log to the read models.
    async fn project(&self, log: &SqliteLog) -> Position {
        let mut projectors = self.projectors.lock().await;
        let after = projectors[0].checkpoint();
        let page = log.read_all(after, READ_EVENTS_MAX, &Filter::all()).await.unwrap();
        let mut changes = Vec::new();
        for projector in projectors.iter_mut() {
            let keys = projector.plan(&page.events).unwrap();
            let loaded = ReadModelStore::load(&*self.models, projector.build(), keys).await.unwrap();
            changes.push(projector.fold(loaded, page.reached).unwrap());
        }
        self.models.commit(changes).await.unwrap();
        projectors.iter_mut().for_each(|projector| projector.committed());
        self.reached.send_replace(page.reached);
        page.reached
    }
}

fn query_ports(ports: &Ports) -> QueryPorts {
    let accounts = &ports.accounts;
    QueryPorts {
        currency: ports.settings.currency,
        people: Arc::clone(&ports.people),
        credentials: Arc::clone(&accounts.credentials),
        outbox: Arc::clone(&accounts.outbox),
        clock: Arc::clone(&ports.clock),
        correlation_key: ports.keys.correlation,
        guard: Arc::clone(&accounts.guard),
        rebuilding: Arc::new(Vec::new),
    }
}

impl Shop {
    /// Applies all new events of the log to the read models. Returns the position that they have reached.
    pub async fn project(&self) -> Position {
        self.reads.project(&self.log).await
    }

    /// Returns the path of the database of read models.
    pub fn read_models_file(&self) -> PathBuf {
        self.reads.models.path().to_owned()
    }
}
