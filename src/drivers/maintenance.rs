//! What operators ask for, handed to whoever follows the log.

use async_trait::async_trait;
use souk_command_api::{Maintenance, MaintenanceError};
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Parked, Skip};
use tokio::sync::{mpsc, oneshot};

use super::parked::{Order, RetryError};
use super::processes::ProcessHandle;
use super::projections::{ModelOrder, SwitchError};

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
}

fn stopped() -> MaintenanceError {
    MaintenanceError::Failed("whoever should answer has stopped".to_owned())
}

#[async_trait]
impl Maintenance for Followers {
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        self.order(owner, Order::Find(entity.to_owned(), answer)).await;
        let found = answered.await.map_err(|_| stopped())?;
        let (owner, entity) = (owner.to_owned(), entity.to_owned());
        found.ok_or(MaintenanceError::NotParked { owner, entity })
    }

    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        self.order(owner, Order::Retry(entity.to_owned(), skip, answer)).await;
        answered.await.map_err(|_| stopped())?.map_err(|error| match error {
            RetryError::NotParked(entity) => MaintenanceError::NotParked { owner: owner.to_owned(), entity },
            error @ (RetryError::StillParked(_) | RetryError::TooMany(_)) => {
                MaintenanceError::StillParked(error.to_string())
            }
            RetryError::Failed(what) => MaintenanceError::Failed(what),
        })
    }

    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError> {
        let (answer, answered) = oneshot::channel();
        self.models.send(ModelOrder::Switch(builds, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?.map_err(|error| match error {
            error @ SwitchError::NoBuild { .. } => MaintenanceError::NoBuild(error.to_string()),
            error @ (SwitchError::Behind { .. } | SwitchError::Building) => {
                MaintenanceError::BuildNotReady(error.to_string())
            }
            SwitchError::Stopped(error) => MaintenanceError::Failed(error.to_string()),
        })
    }
}
