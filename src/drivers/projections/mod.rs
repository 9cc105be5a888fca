//! Drives the projectors: all read models from one pass over the log, on a thread of its own, so that
//! folding a large batch holds up no request.
//!
//! An entity that can't take an event is parked and everything else goes on, unless the models are being
//! rebuilt: then it stops, and says what to do.

mod following;
mod skipping;
mod switch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::parking::{Entity, Parked, Poison, Skip};
use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectionError};
use souk_eventsourcing::projector::{ModelChange, OpenBuild, ReadModelError, ReadModelStore};
use souk_eventsourcing::{Clock, EventStore, Page, Position, RecordedEvent, StoreError};
use souk_query_api::Behind;
use tokio::sync::oneshot;

use super::parked::{self, Order, RetryError, WAITING_EVENTS_MAX};

pub use following::{Progress, ReadModelPorts, TIDY_ROWS, run};
pub use skipping::NothingToSkip;
pub use switch::{SWITCH_EVENTS_MAX, SwitchError};

/// Events folded and committed at once.
pub const PAGE_EVENTS_MAX: usize = 4_096;
/// The pause before a busy database is asked again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Why the read models no longer follow the log.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event can't be folded while nothing is to be parked.
    #[error("{0}; {advice}", advice = skipping::advice(.0))]
    Projection(ProjectionError),
    /// The read models can't be written.
    #[error(transparent)]
    ReadModels(#[from] ReadModelError),
}

/// What happens to an entity that can't take an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPoison {
    /// It is parked.
    Park,
    /// Everything stops.
    Stop,
}

/// What an operator asks of the read models that follow the log.
pub enum ModelOrder {
    /// Of what is parked in one of them.
    Parked(String, Order),
    /// The skip of an event that stops a rebuild: by model, the key or stream that can't take it, and its position.
    FindSkip(String, String, Position, oneshot::Sender<Result<Skip, NothingToSkip>>),
    /// That builds take the place of the live ones, by model and number.
    Switch(Vec<(String, u32)>, oneshot::Sender<Result<Position, SwitchError>>),
}

/// Read models and how far each is.
pub struct Projections {
    store: Arc<dyn EventStore>,
    read_models: Arc<dyn ReadModelStore>,
    clock: Arc<dyn Clock>,
    projectors: Vec<Box<dyn ErasedProjector>>,
    /// Builds that queries don't see yet.
    building: Vec<usize>,
    behind: Behind,
    on_poison: OnPoison,
}

impl Projections {
    /// Opens the builds of the models' versions.
    pub async fn open(
        store: Arc<dyn EventStore>,
        read_models: Arc<dyn ReadModelStore>,
        clock: Arc<dyn Clock>,
        projectors: Vec<Box<dyn ErasedProjector>>,
    ) -> Result<Self, ProjectionStopped> {
        let models: Vec<_> = projectors.iter().map(|projector| projector.model()).collect();
        let opened = read_models.open(&models).await?;
        Self::of(store, read_models, clock, projectors.into_iter().zip(opened).collect(), OnPoison::Park)
            .await
    }

    /// Over builds that are open. A checkpoint beyond the log's head means that the log lost events.
    pub async fn of(
        store: Arc<dyn EventStore>,
        read_models: Arc<dyn ReadModelStore>,
        clock: Arc<dyn Clock>,
        opened: Vec<(Box<dyn ErasedProjector>, OpenBuild)>,
        on_poison: OnPoison,
    ) -> Result<Self, ProjectionStopped> {
        let head = store.head().await?;
        let mut projections = Self {
            store,
            read_models,
            clock,
            projectors: Vec::new(),
            building: Vec::new(),
            behind: Behind::default(),
            on_poison,
        };
        for (mut projector, opened) in opened {
            let (name, checkpoint) = (projector.model().name, opened.checkpoint);
            if checkpoint > head {
                let what =
                    format!("read model `{name}` has seen position {checkpoint}, the log ends at {head}");
                return Err(StoreError::Damaged(what).into());
            }
            if !opened.is_live {
                projections.building.push(projections.projectors.len());
            }
            for skip in parked::skips_of(&*projections.store, name).await? {
                projector.skip(skip);
            }
            projections.behind.set(name, &opened.parked);
            projector.start_at(opened);
            projections.projectors.push(projector);
        }
        Ok(projections)
    }

    /// Whether models are built that queries don't see yet.
    pub fn is_building(&self) -> bool {
        !self.building.is_empty()
    }

    /// The names of those models.
    pub fn building_models(&self) -> Vec<&'static str> {
        self.building.iter().map(|place| self.projectors[*place].model().name).collect()
    }

    /// The position that all models have reached.
    pub fn position(&self) -> Position {
        self.projectors.iter().map(|projector| projector.checkpoint()).min().unwrap_or_default()
    }

    /// The position of the model that is furthest.
    pub fn highest(&self) -> Position {
        self.projectors.iter().map(|projector| projector.checkpoint()).max().unwrap_or_default()
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
        for place in 0..self.projectors.len() {
            let change = self.fold(place, page).await?;
            changes.push(change);
        }
        let parking: Vec<_> = changes
            .iter()
            .filter(|change| !change.parking.is_empty())
            .map(|change| (change.build.model.name, change.parking.clone()))
            .collect();
        self.read_models.commit(changes).await?;
        for (model, parking) in parking {
            self.behind.change(model, &parking);
        }
        for projector in &mut self.projectors {
            projector.committed();
        }
        Ok(())
    }

    /// The same, until nobody else is in the way: another program may write to the same database.
    async fn apply_at_last(&mut self, page: &Page) -> Result<(), ProjectionStopped> {
        loop {
            match self.apply(page).await {
                Err(ProjectionStopped::ReadModels(error @ ReadModelError::Busy(_))) => {
                    tracing::warn!(%error, "the read models wait for another program");
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                applied => return applied,
            }
        }
    }

    /// Folds a page into one model; what can't be folded is parked.
    async fn fold(&mut self, place: usize, page: &Page) -> Result<ModelChange, ProjectionStopped> {
        loop {
            let error = match self.try_fold(place, page).await? {
                Ok(change) => return Ok(change),
                Err(error) if self.on_poison == OnPoison::Stop => {
                    return Err(ProjectionStopped::Projection(error));
                }
                Err(error) => error,
            };
            tracing::error!(%error, "an entity is parked");
            let poison = *error.poison;
            let keys = match &poison.entity {
                Entity::Key(key) => vec![key.clone()],
                Entity::Stream(stream) => {
                    let projector = &self.projectors[place];
                    let keys = |event: &_| projector.keys(event);
                    parked::touched(&*self.store, stream, poison.revision, keys).await?
                }
            };
            self.projectors[place].park(Parked { poison, keys, since: self.clock.now() });
        }
    }

    async fn try_fold(
        &mut self,
        place: usize,
        page: &Page,
    ) -> Result<Result<ModelChange, ProjectionError>, ReadModelError> {
        let projector = &mut self.projectors[place];
        let keys = match projector.plan(&page.events) {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        let build = projector.build();
        let loaded = if keys.is_empty() { Vec::new() } else { self.read_models.load(build, keys).await? };
        Ok(projector.fold(loaded, page.reached))
    }

    async fn carry_out(&mut self, order: ModelOrder) {
        // Whoever asked may have gone away.
        match order {
            ModelOrder::Parked(model, Order::Find(name, answer)) => {
                let found = self.projectors.iter().find(|projector| projector.model().name == model);
                let found = found.and_then(|projector| {
                    parked::entities(&name).find_map(|entity| projector.parked(&entity).cloned())
                });
                let _ = answer.send(found);
            }
            ModelOrder::Parked(model, Order::Retry(name, skip, answer)) => {
                let place = self.projectors.iter().position(|projector| projector.model().name == model);
                let retried = match place {
                    Some(place) => {
                        if let Some(skip) = skip {
                            self.projectors[place].skip(skip);
                        }
                        self.retry(place, &name).await
                    }
                    None => Err(RetryError::NotParked(name)),
                };
                let _ = answer.send(retried);
            }
            ModelOrder::FindSkip(model, entity, position, answer) => {
                let _ = answer.send(self.skip_at(&model, &entity, position).await);
            }
            ModelOrder::Switch(builds, answer) => {
                let _ = answer.send(self.switch(builds).await);
            }
        }
    }

    /// Applies what waits for a parked entity, which is released, or leaves everything as it is.
    pub async fn retry(&mut self, place: usize, name: &str) -> Result<usize, RetryError> {
        let retried = self.try_again(place, name).await;
        if retried.is_err() {
            // Whatever was begun and not committed.
            self.projectors[place].forget();
        }
        retried
    }

    async fn try_again(&mut self, place: usize, name: &str) -> Result<usize, RetryError> {
        let failed = |error: &dyn std::fmt::Display| RetryError::Failed(error.to_string());
        let projector = &mut self.projectors[place];
        let build = projector.build();
        let entity = parked::entities(name).find(|entity| projector.parked(entity).is_some());
        let entity = entity.ok_or_else(|| RetryError::NotParked(name.to_owned()))?;
        let waiting =
            self.read_models.waiting(build, entity.clone()).await.map_err(|error| failed(&error))?;
        if waiting.len() > WAITING_EVENTS_MAX {
            return Err(RetryError::TooMany(waiting.len()));
        }
        let events = parked::at(&*self.store, &waiting).await.map_err(|error| failed(&error))?;
        self.refuse_overwriting(place, &entity, &events).await?;
        let Err(error) = self.apply_parked(place, &entity, &events, None).await? else {
            return Ok(waiting.len());
        };
        let still = RetryError::StillParked(error.to_string());
        let is_further = |event: &&RecordedEvent| event.position < error.poison.position;
        let before = events.iter().take_while(is_further).count();
        if before > 0 {
            // It stands before another event now: that is the one to be mended or skipped.
            self.projectors[place].forget();
            let again = Some((*error.poison, &waiting[before..]));
            let applied = self.apply_parked(place, &entity, &events[..before], again).await?;
            applied.map_err(|error| RetryError::StillParked(error.to_string()))?;
        }
        Err(still)
    }

    /// Rows that a stream had not touched when it was parked went on. Where others have written them since,
    /// what waits can't be put before that any more.
    async fn refuse_overwriting(
        &self,
        place: usize,
        entity: &Entity,
        waiting: &[RecordedEvent],
    ) -> Result<(), RetryError> {
        let projector = &self.projectors[place];
        let (Entity::Stream(stream), Some(parked)) = (entity, projector.parked(entity)) else {
            return Ok(());
        };
        let keys = waiting.iter().flat_map(|event| projector.keys(event));
        let new: BTreeSet<String> = keys.filter(|key| !parked.keys.contains(key)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let since = (parked.poison.position, projector.checkpoint());
        let touched = parked::touched_since(&*self.store, stream, &new, since, |event| projector.keys(event));
        match touched.await.map_err(|error| RetryError::Failed(error.to_string()))? {
            None => Ok(()),
            Some((key, event)) => Err(RetryError::StillParked(format!(
                "row `{key}` was written by {} at position {} since it was parked: `souk replay {}` puts all \
                 in order",
                event.stream,
                event.position,
                projector.model().name
            ))),
        }
    }

    /// Applies events that waited for an entity, and releases it, or parks it again before those behind
    /// them. The inner error is of an event that can't be taken.
    async fn apply_parked(
        &mut self,
        place: usize,
        entity: &Entity,
        events: &[RecordedEvent],
        again: Option<(Poison, &[Position])>,
    ) -> Result<Result<(), ProjectionError>, RetryError> {
        let failed = |error: ReadModelError| RetryError::Failed(error.to_string());
        let since = self.clock.now();
        let projector = &mut self.projectors[place];
        let build = projector.build();
        let parked = projector.parked(entity).cloned();
        let keys = match projector.plan_parked(entity, events) {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        if let (Some((poison, waiting)), Some(parked)) = (again, parked) {
            let poison = Poison { entity: entity.clone(), ..poison };
            projector.park_again(Parked { poison, since, ..parked }, waiting);
        }
        let loaded = self.read_models.load(build, keys).await.map_err(failed)?;
        let change = match projector.fold(loaded, Position::START) {
            Ok(change) => change,
            Err(error) => return Ok(Err(error)),
        };
        let parking = change.parking.clone();
        self.read_models.commit(vec![change]).await.map_err(failed)?;
        self.projectors[place].committed();
        self.behind.change(build.model.name, &parking);
        Ok(Ok(()))
    }

    /// The projectors, in the order of their models.
    pub fn projectors(&self) -> &[Box<dyn ErasedProjector>] {
        &self.projectors
    }

    /// Which of the models has this name.
    fn place_of(&self, model: &str) -> Option<usize> {
        self.projectors.iter().position(|projector| projector.model().name == model)
    }
}
