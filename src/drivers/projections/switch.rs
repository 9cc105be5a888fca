//! A build takes the place of the live one.

use souk_eventsourcing::projector::{Build, OpenBuild};
use souk_eventsourcing::{Filter, Position};

use super::{PAGE_EVENTS_MAX, ProjectionStopped, Projections};

/// How far behind the live model a build may be that is to take its place: the rest is folded at once.
pub const SWITCH_EVENTS_MAX: u64 = 20_000;

/// Why a build did not become the live one.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No such build waits to become live.
    #[error("there is no build {number} of read model {model} that could take its place")]
    NoBuild {
        /// The model.
        model: String,
        /// The build's number.
        number: u32,
    },
    /// The shop builds what its own program needs.
    #[error("the shop is building read models that its program needs: wait until it is ready")]
    Building,
    /// It has too much still to fold.
    #[error(
        "build {number} of read model {model} is {behind} events behind, at most {SWITCH_EVENTS_MAX} are allowed: let it catch up first"
    )]
    Behind {
        /// The model.
        model: String,
        /// The build's number.
        number: u32,
        /// How far behind it is.
        behind: u64,
    },
    /// It could not be brought to where the live one is.
    #[error(transparent)]
    Stopped(#[from] ProjectionStopped),
}

impl Projections {
    /// Makes what was built because a version was raised the live builds.
    pub(super) async fn show_built(&mut self) -> Result<(), ProjectionStopped> {
        let builds = self.building.iter().map(|place| self.projectors[*place].build()).collect();
        self.read_models.switch(builds).await?;
        self.building.clear();
        Ok(())
    }

    /// Has builds of the models' versions take the place of the live ones, all at once; answers the position
    /// at which they did.
    pub(super) async fn switch(&mut self, wanted: Vec<(String, u32)>) -> Result<Position, SwitchError> {
        if self.is_building() {
            return Err(SwitchError::Building);
        }
        let mut beside = Vec::new();
        for (model, number) in wanted {
            let no_build = || SwitchError::NoBuild { model: model.clone(), number };
            let place = self.place_of(&model).ok_or_else(no_build)?;
            let next = self.read_models.next(self.projectors[place].model()).await;
            let next = next.map_err(ProjectionStopped::from)?;
            let opened = next.filter(|next| next.build.number == number).ok_or_else(no_build)?;
            let behind = self.projectors[place].checkpoint().0.saturating_sub(opened.checkpoint.0);
            if behind > SWITCH_EVENTS_MAX {
                return Err(SwitchError::Behind { model, number, behind });
            }
            beside.push((place, opened));
        }
        let builds: Vec<Build> = beside.iter().map(|(_, opened)| opened.build).collect();
        let live: Vec<_> = beside.iter().map(|(place, _)| (*place, self.opened(*place))).collect();
        let switched = self.catch_up_and_switch(beside, builds).await;
        if switched.is_err() {
            for (place, live) in live {
                self.start_at(place, live);
            }
        }
        Ok(switched?)
    }

    /// What a model is folded into.
    fn opened(&self, place: usize) -> OpenBuild {
        let projector = &self.projectors[place];
        let (build, checkpoint) = (projector.build(), projector.checkpoint());
        OpenBuild { build, is_live: true, checkpoint, parked: self.behind.parked(build.model.name) }
    }

    fn start_at(&mut self, place: usize, opened: OpenBuild) {
        self.behind.set(opened.build.model.name, &opened.parked);
        self.projectors[place].start_at(opened);
    }

    /// Brings builds to where the live ones are, which they then are.
    async fn catch_up_and_switch(
        &mut self,
        beside: Vec<(usize, OpenBuild)>,
        builds: Vec<Build>,
    ) -> Result<Position, ProjectionStopped> {
        for (place, opened) in beside {
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
            let (model, parking) = (change.build.model.name, change.parking.clone());
            self.read_models.commit(vec![change]).await?;
            self.projectors[place].committed();
            self.behind.change(model, &parking);
        }
        Ok(())
    }
}
