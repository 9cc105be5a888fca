//! Requests of operators, passed on to the read models and processes.

use async_trait::async_trait;
use souk_command_api::{Maintenance, MaintenanceError};
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Parked, Skip};
use tokio::sync::{mpsc, oneshot};

use super::parked::{ParkedRequest, RetryError};
use super::processes::{OPERATOR_WAIT_MAX, ProcessHandle};
use super::projections::{ModelRequest, NothingToSkip, SwitchError};

/// Channels to the read models and processes of this program.
pub struct Followers {
    /// Channel to the task that updates the read models.
    pub models: mpsc::Sender<ModelRequest>,
    /// Handles of the processes.
    pub processes: Vec<ProcessHandle>,
}

impl Followers {
    /// Sends a request to the process with this name, or to the read models if no process has this name.
    async fn send(&self, owner: &str, request: ParkedRequest) {
        if let Some(process) = self.processes.iter().find(|process| process.name == owner) {
            process.send(request).await;
        } else {
            // If the read models have stopped, the request is dropped. Then the closed channel tells the
            // sender of the request.
            let _ = self.models.send(ModelRequest::Parked(owner.to_owned(), request)).await;
        }
    }

    /// Sends a request and waits for its result.
    async fn request<T>(
        &self,
        owner: &str,
        request: impl FnOnce(oneshot::Sender<T>) -> ParkedRequest,
    ) -> Result<T, MaintenanceError> {
        let (sender, result) = oneshot::channel();
        with_timeout(async {
            self.send(owner, request(sender)).await;
            result.await.map_err(|_| not_running_error())
        })
        .await
    }
}

/// Waits for a result, at most [`OPERATOR_WAIT_MAX`]. A read model or process that has failed never sends a
/// result.
async fn with_timeout<T>(
    result: impl Future<Output = Result<T, MaintenanceError>>,
) -> Result<T, MaintenanceError> {
    tokio::time::timeout(OPERATOR_WAIT_MAX, result).await.unwrap_or_else(|_| Err(not_running_error()))
}

fn not_running_error() -> MaintenanceError {
    let reason = "the read model or process is not running at the moment; `/health/ready` says why";
    MaintenanceError::Failed(reason.to_owned())
}

#[async_trait]
impl Maintenance for Followers {
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError> {
        let found = self.request(owner, |sender| ParkedRequest::Find(entity.to_owned(), sender)).await?;
        found.ok_or(MaintenanceError::NotParked { owner: owner.to_owned(), entity: entity.to_owned() })
    }

    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError> {
        let retried =
            self.request(owner, |sender| ParkedRequest::Retry(entity.to_owned(), skip, sender)).await?;
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
            let why = format!(
                "{owner} is a process, and a position is only for read models: wait until the process has \
                 parked the entity, then skip it without a position"
            );
            return Err(MaintenanceError::NothingToSkip(why));
        }
        let (sender, result) = oneshot::channel();
        let found = with_timeout(async {
            let request = ModelRequest::FindSkip(owner.to_owned(), entity.to_owned(), position, sender);
            self.models.send(request).await.map_err(|_| not_running_error())?;
            result.await.map_err(|_| not_running_error())
        });
        found.await?.map_err(|error| match error {
            NothingToSkip::Nothing(why) => MaintenanceError::NothingToSkip(why),
            NothingToSkip::Store(error) => MaintenanceError::Failed(error.to_string()),
        })
    }

    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError> {
        let (sender, result) = oneshot::channel();
        let switched = with_timeout(async {
            self.models.send(ModelRequest::Switch(builds, sender)).await.map_err(|_| not_running_error())?;
            result.await.map_err(|_| not_running_error())
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
