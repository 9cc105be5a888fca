//! Drives the projectors: all read models from one pass over the log, on a thread of its own, so that
//! folding a large batch holds up no request.

use std::sync::Arc;

use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectionError};
use souk_eventsourcing::projector::{ReadModelError, ReadModelStore};
use souk_eventsourcing::{EventStore, Filter, Page, Position, StoreError, Subscription};
use tokio::sync::watch;

/// Events folded and committed at once.
pub const PAGE_EVENTS_MAX: usize = 4_096;

/// Why the read models no longer follow the log.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event can't be folded.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The read models can't be written.
    #[error(transparent)]
    ReadModels(#[from] ReadModelError),
}

/// Read models and how far each is.
pub struct Projections {
    store: Arc<dyn EventStore>,
    read_models: Arc<dyn ReadModelStore>,
    projectors: Vec<Box<dyn ErasedProjector>>,
}

impl Projections {
    /// Opens the models' tables. A checkpoint beyond the log's head means that the log lost events.
    pub async fn open(
        store: Arc<dyn EventStore>,
        read_models: Arc<dyn ReadModelStore>,
        mut projectors: Vec<Box<dyn ErasedProjector>>,
    ) -> Result<Self, ProjectionStopped> {
        let models: Vec<_> = projectors.iter().map(|projector| projector.model()).collect();
        let checkpoints = read_models.open(&models).await?;
        let head = store.head().await?;
        for (projector, checkpoint) in projectors.iter_mut().zip(checkpoints) {
            if checkpoint > head {
                let name = projector.model().name;
                let what =
                    format!("read model `{name}` has seen position {checkpoint}, the log ends at {head}");
                return Err(StoreError::Damaged(what).into());
            }
            projector.start_at(checkpoint);
        }
        Ok(Self { store, read_models, projectors })
    }

    /// The position that all models have reached.
    pub fn position(&self) -> Position {
        self.projectors.iter().map(|projector| projector.checkpoint()).min().unwrap_or_default()
    }

    /// Folds a page into every model and commits all of them at once, or leaves them as they were.
    pub async fn apply(&mut self, page: &Page) -> Result<(), ProjectionStopped> {
        let applied = self.fold_and_commit(page).await;
        if applied.is_err() {
            for projector in &mut self.projectors {
                projector.forget();
            }
        }
        applied
    }

    async fn fold_and_commit(&mut self, page: &Page) -> Result<(), ProjectionStopped> {
        let mut changes = Vec::with_capacity(self.projectors.len());
        for projector in &mut self.projectors {
            let keys = projector.plan(&page.events)?;
            let model = projector.model();
            let loaded =
                if keys.is_empty() { Vec::new() } else { self.read_models.load(model, keys).await? };
            changes.push(projector.fold(loaded, page.reached)?);
        }
        Ok(self.read_models.commit(changes).await?)
    }

    /// Follows the log until `stop` flips, telling `reached` after each commit.
    pub async fn follow(
        mut self,
        reached: watch::Sender<Position>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), ProjectionStopped> {
        let mut log =
            Subscription::new(Arc::clone(&self.store), self.position(), Filter::all(), PAGE_EVENTS_MAX);
        reached.send_replace(self.position());
        loop {
            let page = tokio::select! {
                page = log.next() => page?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            self.apply(&page).await?;
            reached.send_replace(page.reached);
        }
    }
}
