//! `GET /api/admin/projections`.

use axum::Json;
use axum::extract::State;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem};
use utoipa_axum::routes;

use super::response::{ProjectionResponse, ProjectionState, ProjectionsResponse};
use crate::database::{QueryState, database_problem};
use crate::positions::ReadYourWrites;

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Shows the status of all read models. For admins.
#[utoipa::path(
    get, path = "/api/admin/projections", tag = "operations",
    params(ReadYourWrites),
    responses((status = 200, body = ProjectionsResponse))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Json<ProjectionsResponse>, Problem> {
    state.positions.wait_during_builds(headers).await?;
    let statement = sqlx::query_as::<_, (String, i64, String, i64, i64)>(include_str!("list.sql"));
    let rows = statement
        .fetch_all(&mut *state.readers.connection_for(&caller).await?)
        .await
        .map_err(database_problem)?;
    // The head is read after the positions of the read models, so that no position is beyond the head.
    let (_, head) = state.positions.now();
    let head_number = i64::try_from(head.0).unwrap_or(i64::MAX);
    let live = if !state.positions.is_following() {
        ProjectionState::Stopped
    } else if state.positions.is_stalled() {
        ProjectionState::Unhealthy
    } else {
        ProjectionState::Live
    };
    let has_builds = rows.iter().any(|(_, _, state, ..)| state != "live");
    let rebuilding = if has_builds { (state.ports.rebuilding)() } else { Vec::new() };
    let items = rows.into_iter().map(|(name, version, state, position, parked)| ProjectionResponse {
        version,
        position: position.to_string(),
        lag: head_number.saturating_sub(position).max(0),
        state: match state.as_str() {
            "live" => live,
            _ if rebuilding.contains(&name) => ProjectionState::Rebuilding,
            _ => ProjectionState::Stopped,
        },
        name,
        parked,
    });
    Ok(Json(ProjectionsResponse { items: items.collect(), head: head.to_string() }))
}
