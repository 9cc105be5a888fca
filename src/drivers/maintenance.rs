//! What operators ask for, handed to whoever follows the log.

use async_trait::async_trait;
use souk_command_api::{Maintenance, MaintenanceError};
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Parked, Skip};
use tokio::sync::{mpsc, oneshot};

use super::parked::{Order, RetryError};
use super::processes::{OPERATOR_WAIT_MAX, ProcessHandle};
use super::projections::{ModelOrder, NothingToSkip, SwitchError};

/// The read models and processes of this program.
pub struct Followers {
    /// The read models.
    pub models: mpsc::Sender<ModelOrder>,
    /// The processes.
    pub processes: Vec<ProcessHandle>,
}

impl Followers {
    /// Hands an order to whoever has this name, or to nobody, who never answers.
    async fn order(&self, owner: &str, order: Order) {
        if let Some(process) = self.processes.iter().find(|process| process.name == owner) {
            process.order(order).await;
        } else {
            // Read models that have stopped answer nothing.
            let _ = self.models.send(ModelOrder::Parked(owner.to_owned(), order)).await;
        }
    }

    async fn ask<T>(
        &self,
        owner: &str,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        in_time(async {
            self.order(owner, order(answer)).await;
            answered.await.map_err(|_| stopped())
        })
        .await
    }
}

/// The answer, if there is one in time: a read model or process that has failed answers nobody.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, MaintenanceError>>,
) -> Result<T, MaintenanceError> {
    tokio::time::timeout(OPERATOR_WAIT_MAX, answer).await.unwrap_or_else(|_| Err(stopped()))
}

fn stopped() -> MaintenanceError {
    let what = "whoever should answer does not run at the moment; `/health/ready` says why";
    MaintenanceError::Failed(what.to_owned())
}

#[async_trait]
impl Maintenance for Followers {
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError> {
        let found = self.ask(owner, |answer| Order::Find(entity.to_owned(), answer)).await?;
        let (owner, entity) = (owner.to_owned(), entity.to_owned());
        found.ok_or(MaintenanceError::NotParked { owner, entity })
    }

    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError> {
        let retried = self.ask(owner, |answer| Order::Retry(entity.to_owned(), skip, answer)).await?;
        retried.map_err(|error| match error {
            RetryError::NotParked(entity) => MaintenanceError::NotParked { owner: owner.to_owned(), entity },
            error @ (RetryError::StillParked(_) | RetryError::TooMany(_)) => {
                MaintenanceError::StillParked(error.to_string())
            }
            RetryError::Failed(what) => MaintenanceError::Failed(what),
        })
    }

    async fn skip_at(&self, owner: &str, entity: &str, position: Position) -> Result<Skip, MaintenanceError> {
        if self.processes.iter().any(|process| process.name == owner) {
            let why =
                format!("{owner} is a process, which parks what it can't take: name that without a position");
            return Err(MaintenanceError::NothingToSkip(why));
        }
        let (answer, answered) = oneshot::channel();
        let found = in_time(async {
            let order = ModelOrder::FindSkip(owner.to_owned(), entity.to_owned(), position, answer);
            self.models.send(order).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())
        });
        found.await?.map_err(|error| match error {
            NothingToSkip::Nothing(why) => MaintenanceError::NothingToSkip(why),
            NothingToSkip::Store(error) => MaintenanceError::Failed(error.to_string()),
        })
    }

    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        let switched = in_time(async {
            self.models.send(ModelOrder::Switch(builds, answer)).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())
        });
        switched.await?.map_err(|error| match error {
            error @ SwitchError::NoBuild { .. } => MaintenanceError::NoBuild(error.to_string()),
            error @ (SwitchError::Behind { .. } | SwitchError::Building) => {
                MaintenanceError::BuildNotReady(error.to_string())
            }
            SwitchError::Stopped(error) => MaintenanceError::Failed(error.to_string()),
        })
    }
}
