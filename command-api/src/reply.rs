//! Replies to writes, the same for all resources.

use axum::http::StatusCode;
use souk_domain::problem::PublicRejection;
use souk_eventsourcing::{CommandPort, CommandRequest, Decider};
use souk_http::Problem;
use souk_http::shapes::{WriteResponse, Written};

use crate::rejected::problem;

/// A successful response to a write, or the problem that the client gets instead.
pub type Reply<T = Written> = Result<WriteResponse<T>, Problem>;

/// Executes a command and replies 200 with the id of the resource, its new revision and the position of the
/// log.
pub async fn send<D: Decider<Rejection: PublicRejection>>(
    port: &dyn CommandPort<D>,
    request: CommandRequest<D::Command>,
    id: &impl ToString,
) -> Reply {
    let outcome = port.execute(request).await.map_err(problem)?;
    Ok(WriteResponse::written(StatusCode::OK, id, outcome.revision, outcome.position))
}
