//! Driver of the projectors: one pass over the log updates all read models. It runs on its own thread, so
//! that a large batch does not block requests.
//!
//! If a projector can't apply an event, its entity is parked and everything else continues. During a rebuild
//! nothing is parked: the rebuild stops and the message says what to do.

mod following;
mod skipping;
mod switch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::parking::{ApplyFailure, Entity, Parked, Skip};
use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectionError};
use souk_eventsourcing::projector::{ModelChange, OpenBuild, ReadModelError, ReadModelStore};
use souk_eventsourcing::{Page, Position, RecordedEvent, StoreError};
use souk_query_api::ParkedEntities;
use tokio::sync::oneshot;

use super::SharedStore;
use super::parked::{self, ParkedRequest, RetryError, WAITING_EVENTS_MAX};
use crate::clock::SharedClock;

pub use following::{Progress, ReadModelPorts, TIDY_ROWS, run};
pub use skipping::NothingToSkip;
pub use switch::{SWITCH_EVENTS_MAX, SwitchError};

/// Store of read models that several parts of the shop share.
pub type SharedReadModels = Arc<dyn ReadModelStore>;

/// Projector of any read model.
pub type BoxedProjector = Box<dyn ErasedProjector>;

/// Maximum number of events that are applied in one transaction.
pub const PAGE_EVENTS_MAX: usize = 4_096;
/// Pause before the next attempt while the database is busy.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Reason why the read models no longer follow the log.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A projector can't apply an event, and parking is off.
    #[error("{0}; {advice}", advice = skipping::advice(.0))]
    Projection(ProjectionError),
    /// The read models can't be written.
    #[error(transparent)]
    ReadModels(#[from] ReadModelError),
}

/// Behaviour if a projector can't apply an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnApplyFailure {
    /// The entity of the event is parked.
    Park,
    /// The whole driver stops with an error.
    Stop,
}

/// Request of an operator to the read models.
pub enum ModelRequest {
    /// Request about a parked entity of the read model with this name.
    Parked(String, ParkedRequest),
    /// Finds the skip for an event that stops a rebuild, by read model, key or stream, and position.
    FindSkip(String, String, Position, oneshot::Sender<Result<Skip, NothingToSkip>>),
    /// Replaces live builds by other builds, each named by its read model and number.
    Switch(Vec<(String, u32)>, oneshot::Sender<Result<Position, SwitchError>>),
}

/// Projectors, and the progress of their builds.
pub struct Projections {
    store: SharedStore,
    read_models: SharedReadModels,
    clock: SharedClock,
    projectors: Vec<BoxedProjector>,
    /// Indexes of the projectors whose builds are not live yet.
    building: Vec<usize>,
    parked: ParkedEntities,
    on_apply_failure: OnApplyFailure,
}

impl Projections {
    /// Opens the builds for the current versions of the read models.
    pub async fn open(
        store: SharedStore,
        read_models: SharedReadModels,
        clock: SharedClock,
        projectors: Vec<BoxedProjector>,
    ) -> Result<Self, ProjectionStopped> {
        let models: Vec<_> = projectors.iter().map(|projector| projector.model()).collect();
        let opened = read_models.open(&models).await?;
        Self::of(
            store,
            read_models,
            clock,
            projectors.into_iter().zip(opened).collect(),
            OnApplyFailure::Park,
        )
        .await
    }

    /// Creates the driver for open builds. Fails if a checkpoint is beyond the end of the log, because then
    /// the log lost events.
    pub async fn of(
        store: SharedStore,
        read_models: SharedReadModels,
        clock: SharedClock,
        opened: Vec<(BoxedProjector, OpenBuild)>,
        on_apply_failure: OnApplyFailure,
    ) -> Result<Self, ProjectionStopped> {
        let head = store.head().await?;
        let mut projections = Self {
            store,
            read_models,
            clock,
            projectors: Vec::new(),
            building: Vec::new(),
            parked: ParkedEntities::default(),
            on_apply_failure,
        };
        for (mut projector, opened) in opened {
            let name = projector.model().name;
            let checkpoint = opened.checkpoint;
            if checkpoint > head {
                let detail =
                    format!("read model `{name}` is at position {checkpoint}, but the log ends at {head}");
                return Err(StoreError::Damaged(detail).into());
            }
            if !opened.is_live {
                projections.building.push(projections.projectors.len());
            }
            for skip in parked::skips_of(&*projections.store, name).await? {
                projector.skip(skip);
            }
            projections.parked.set(name, &opened.parked);
            projector.start_at(opened);
            projections.projectors.push(projector);
        }
        Ok(projections)
    }

    /// Returns true if some builds are not live yet.
    pub fn is_building(&self) -> bool {
        !self.building.is_empty()
    }

    /// Returns the names of the read models whose builds are not live yet.
    pub fn building_models(&self) -> Vec<&'static str> {
        self.building.iter().map(|place| self.projectors[*place].model().name).collect()
    }

    /// Returns the position that all builds have reached.
    pub fn position(&self) -> Position {
        self.projectors.iter().map(|projector| projector.checkpoint()).min().unwrap_or_default()
    }

    /// Returns the highest position that a build has reached.
    pub fn highest(&self) -> Position {
        self.projectors.iter().map(|projector| projector.checkpoint()).max().unwrap_or_default()
    }

    /// Applies a page to every build in one transaction. After an error, all builds are as before.
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
            self.parked.change(model, &parking);
        }
        for projector in &mut self.projectors {
            projector.committed();
        }
        Ok(())
    }

    /// Applies a page like [`Self::apply`], and tries again while another program writes to the same
    /// database.
    async fn apply_when_free(&mut self, page: &Page) -> Result<(), ProjectionStopped> {
        loop {
            match self.apply(page).await {
                Err(ProjectionStopped::ReadModels(error @ ReadModelError::Busy(_))) => {
                    tracing::warn!(%error, "the read models are waiting, because another program writes to the database");
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                applied => return applied,
            }
        }
    }

    /// Applies a page to one build. If the projector can't apply an event, its entity is parked.
    async fn fold(&mut self, place: usize, page: &Page) -> Result<ModelChange, ProjectionStopped> {
        loop {
            let error = match self.try_fold(place, page).await? {
                Ok(change) => return Ok(change),
                Err(error) if self.on_apply_failure == OnApplyFailure::Stop => {
                    return Err(ProjectionStopped::Projection(error));
                }
                Err(error) => error,
            };
            tracing::error!(%error, "an entity is parked");
            let failure = *error.failure;
            let keys = match &failure.entity {
                Entity::Key(key) => vec![key.clone()],
                Entity::Stream(stream) => {
                    let projector = &self.projectors[place];
                    let keys = |event: &_| projector.keys(event);
                    parked::affected_keys(&*self.store, stream, failure.revision, keys).await?
                }
            };
            self.projectors[place].park(Parked { failure, keys, since: self.clock.now() });
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

    async fn carry_out(&mut self, request: ModelRequest) {
        // If the sender of the request has gone away, the result is dropped.
        match request {
            ModelRequest::Parked(model, ParkedRequest::Find(name, sender)) => {
                let found = self.projectors.iter().find(|projector| projector.model().name == model);
                let found = found.and_then(|projector| {
                    parked::entities(&name).find_map(|entity| projector.parked(&entity).cloned())
                });
                let _ = sender.send(found);
            }
            ModelRequest::Parked(model, ParkedRequest::Retry(name, skip, sender)) => {
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
                let _ = sender.send(retried);
            }
            ModelRequest::FindSkip(model, entity, position, sender) => {
                let _ = sender.send(self.skip_at(&model, &entity, position).await);
            }
            ModelRequest::Switch(builds, sender) => {
                let _ = sender.send(self.switch(builds).await);
            }
        }
    }

    /// Applies the events that are waiting for a parked entity, and releases it. After an error, everything
    /// is as before.
    pub async fn retry(&mut self, place: usize, name: &str) -> Result<usize, RetryError> {
        let retried = self.try_again(place, name).await;
        if retried.is_err() {
            // Drops changes that were not committed.
            self.projectors[place].forget();
        }
        retried
    }

    async fn try_again(&mut self, place: usize, name: &str) -> Result<usize, RetryError> {
        let projector = &mut self.projectors[place];
        let build = projector.build();
        let entity = parked::entities(name).find(|entity| projector.parked(entity).is_some());
        let entity = entity.ok_or_else(|| RetryError::NotParked(name.to_owned()))?;
        let waiting = self.read_models.waiting(build, entity.clone()).await.map_err(RetryError::failed)?;
        if waiting.len() > WAITING_EVENTS_MAX {
            return Err(RetryError::TooMany(waiting.len()));
        }
        let events = parked::events_at(&*self.store, &waiting).await.map_err(RetryError::failed)?;
        self.refuse_overwriting(place, &entity, &events).await?;
        let Err(error) = self.apply_parked(place, &entity, &events, None).await? else {
            return Ok(waiting.len());
        };
        let still = RetryError::StillParked(error.to_string());
        let is_further = |event: &&RecordedEvent| event.position < error.failure.position;
        let before = events.iter().take_while(is_further).count();
        if before > 0 {
            // The retry got further and now stops at a later event. The entity is parked at that event
            // instead.
            self.projectors[place].forget();
            let again = Some((*error.failure, &waiting[before..]));
            let applied = self.apply_parked(place, &entity, &events[..before], again).await?;
            applied.map_err(|error| RetryError::StillParked(error.to_string()))?;
        }
        Err(still)
    }

    /// Refuses a retry that would overwrite newer changes. Rows that a stream had not affected when it was
    /// parked kept changing. If other streams have written them since, the waiting events come too late.
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
        let since = (parked.failure.position, projector.checkpoint());
        let affecting =
            parked::first_event_affecting(&*self.store, stream, &new, since, |event| projector.keys(event));
        match affecting.await.map_err(RetryError::failed)? {
            None => Ok(()),
            Some((key, event)) => Err(RetryError::StillParked(format!(
                "row `{key}` was written by {} at position {} after the entity was parked: rebuild the read model \
                with `souk replay {}`",
                event.stream,
                event.position,
                projector.model().name
            ))),
        }
    }

    /// Applies events that were waiting for an entity, and releases it. With `again`, parks it again at a
    /// later event. The inner error is about an event that the projector can't apply.
    async fn apply_parked(
        &mut self,
        place: usize,
        entity: &Entity,
        events: &[RecordedEvent],
        again: Option<(ApplyFailure, &[Position])>,
    ) -> Result<Result<(), ProjectionError>, RetryError> {
        let since = self.clock.now();
        let projector = &mut self.projectors[place];
        let build = projector.build();
        let parked = projector.parked(entity).cloned();
        let keys = match projector.plan_parked(entity, events) {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        if let (Some((failure, waiting)), Some(parked)) = (again, parked) {
            let failure = ApplyFailure { entity: entity.clone(), ..failure };
            projector.park_again(Parked { failure, since, ..parked }, waiting);
        }
        let loaded = self.read_models.load(build, keys).await.map_err(RetryError::failed)?;
        let change = match projector.fold(loaded, Position::START) {
            Ok(change) => change,
            Err(error) => return Ok(Err(error)),
        };
        let parking = change.parking.clone();
        self.read_models.commit(vec![change]).await.map_err(RetryError::failed)?;
        self.projectors[place].committed();
        self.parked.change(build.model.name, &parking);
        Ok(Ok(()))
    }

    /// Returns the projectors, in the order of their read models.
    pub fn projectors(&self) -> &[BoxedProjector] {
        &self.projectors
    }

    /// Returns the index of the read model with this name.
    fn place_of(&self, model: &str) -> Option<usize> {
        self.projectors.iter().position(|projector| projector.model().name == model)
    }
}
