//! Switch from live builds to other builds.

use souk_eventsourcing::projector::{Build, OpenBuild};
use souk_eventsourcing::{Filter, Position};

use super::{PAGE_EVENTS_MAX, ProjectionStopped, Projections};

/// Maximum number of events that a build may be behind the live build at a switch. The switch applies the
/// missing events first.
pub const SWITCH_EVENTS_MAX: u64 = 20_000;

/// Reason why a build did not become the live build.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// There is no such read model or build, or the build can't become live.
    #[error("there is no build {number} of read model {model} to switch to")]
    NoBuild {
        /// Name of the read model.
        model: String,
        /// Number of the build.
        number: u32,
    },
    /// The shop is still building read models for the version of the program that runs now.
    #[error("the shop is building read models for a new version: wait until the shop is ready")]
    Building,
    /// The build lacks too many events.
    #[error(
        "build {number} of read model {model} is {behind} events behind, and a switch allows at most \
         {SWITCH_EVENTS_MAX}: apply more events to the build first"
    )]
    Behind {
        /// Name of the read model.
        model: String,
        /// Number of the build.
        number: u32,
        /// Number of events that the build lacks.
        behind: u64,
    },
    /// The missing events could not be applied.
    #[error(transparent)]
    Stopped(#[from] ProjectionStopped),
}

impl Projections {
    /// Makes the builds of a new version live.
    pub(super) async fn switch_to_new_builds(&mut self) -> Result<(), ProjectionStopped> {
        let builds = self.building.iter().map(|place| self.projectors[*place].build()).collect();
        self.read_models.switch(builds).await?;
        self.building.clear();
        Ok(())
    }

    /// Replaces live builds with other builds of the same version, all in one transaction. Returns the
    /// position of the switch.
    pub(super) async fn switch(&mut self, builds: Vec<(String, u32)>) -> Result<Position, SwitchError> {
        if self.is_building() {
            return Err(SwitchError::Building);
        }
        let mut next_builds = Vec::new();
        for (model, number) in builds {
            let no_build = || SwitchError::NoBuild { model: model.clone(), number };
            let place = self.place_of(&model).ok_or_else(no_build)?;
            let next = self.read_models.next(self.projectors[place].model()).await;
            let next = next.map_err(ProjectionStopped::from)?;
            let opened = next.filter(|next| next.build.number == number).ok_or_else(no_build)?;
            let behind = self.projectors[place].checkpoint().0.saturating_sub(opened.checkpoint.0);
            if behind > SWITCH_EVENTS_MAX {
                return Err(SwitchError::Behind { model, number, behind });
            }
            next_builds.push((place, opened));
        }
        let builds: Vec<Build> = next_builds.iter().map(|(_, opened)| opened.build).collect();
        let live: Vec<_> = next_builds.iter().map(|(place, _)| (*place, self.live_build(*place))).collect();
        let switched = self.catch_up_and_switch(next_builds, builds).await;
        if switched.is_err() {
            for (place, live) in live {
                self.start_at(place, live);
            }
        }
        Ok(switched?)
    }

    /// Returns the live build of a read model, with its state.
    fn live_build(&self, place: usize) -> OpenBuild {
        let projector = &self.projectors[place];
        let build = projector.build();
        let parked = self.parked.parked(build.model.name);
        OpenBuild { build, is_live: true, checkpoint: projector.checkpoint(), parked }
    }

    fn start_at(&mut self, place: usize, opened: OpenBuild) {
        self.parked.set(opened.build.model.name, &opened.parked);
        self.projectors[place].start_at(opened);
    }

    /// Applies the missing events to the builds, and makes the builds live.
    async fn catch_up_and_switch(
        &mut self,
        next_builds: Vec<(usize, OpenBuild)>,
        builds: Vec<Build>,
    ) -> Result<Position, ProjectionStopped> {
        for (place, opened) in next_builds {
            let to = self.projectors[place].checkpoint();
            self.start_at(place, opened);
            self.fold_up_to(place, to).await?;
        }
        self.read_models.switch(builds).await?;
        Ok(self.position())
    }

    async fn fold_up_to(&mut self, place: usize, to: Position) -> Result<(), ProjectionStopped> {
        while self.projectors[place].checkpoint() < to {
            let from = self.projectors[place].checkpoint();
            let limit = usize::try_from(to.0 - from.0).unwrap_or(usize::MAX).min(PAGE_EVENTS_MAX);
            let page = self.store.read_all(from, limit, &Filter::all()).await?;
            let change = self.fold(place, &page).await?;
            let model = change.build.model.name;
            let parking = change.parking.clone();
            self.read_models.commit(vec![change]).await?;
            self.projectors[place].committed();
            self.parked.change(model, &parking);
        }
        Ok(())
    }
}
