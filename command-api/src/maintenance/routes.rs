//! `POST /api/admin/parked/retry | skip`, `POST /api/admin/projections/switch`.

use axum::Json;
use axum::extract::State;
use souk_domain::TextRule;
use souk_domain::skips::{Skips, SkipsCommand};
use souk_eventsourcing::id::STREAM_NAME_BYTES_MAX;
use souk_eventsourcing::parking::{Entity, Parked, Skip};
use souk_eventsourcing::{CommandRequest, StreamName};
use souk_web::headers::WriteHeaders;
use souk_web::problem::ProblemBody;
use souk_web::shapes::read_text;
use souk_web::{Caller, Problem, StrictJson};

use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::MaintenanceError;
use super::request::{BuildShape, Released, RetryRequest, SkipRequest, SwitchRequest, Switched};

/// Builds that are switched at once.
const BUILDS_MAX: usize = 100;
/// The name of a read model or a process.
const OWNER: TextRule = TextRule::line(1, 64);
/// A key of a read model or the name of a stream. It is compared as it is: a key may begin with a blank.
const ENTITY: TextRule = TextRule::foreign(STREAM_NAME_BYTES_MAX);

fn refused(error: MaintenanceError) -> Problem {
    let code = match error {
        MaintenanceError::NotParked { .. } | MaintenanceError::NoBuild(_) => "not-found",
        MaintenanceError::StillParked(_) => "still-parked",
        MaintenanceError::BuildNotReady(_) => "build-not-ready",
        error @ MaintenanceError::Failed(_) => return Problem::internal(&error),
    };
    Problem::new(code, error.to_string())
}

/// Tries a parked entity again, by today's program. For admins.
#[utoipa::path(post, path = "/api/admin/parked/retry", tag = "operations", request_body = RetryRequest,
    responses((status = 200, body = Released), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn retry(
    State(shop): State<Shop>,
    body: StrictJson<RetryRequest>,
) -> Result<Json<Released>, Problem> {
    let owner = read_text("/owner", &body.value.owner, &OWNER)?;
    let entity = read_text("/entity", &body.value.entity, &ENTITY)?;
    let events = shop.maintenance.retry(&owner, &entity, None).await.map_err(refused)?;
    Ok(Json(Released { owner, entity, events }))
}

/// Passes the event over that a parked entity can't take, and goes on behind it. For admins.
///
/// That is recorded in the log with its reason, so that a rebuild comes to the same.
#[utoipa::path(post, path = "/api/admin/parked/skip", tag = "operations", request_body = SkipRequest,
    responses((status = 200, body = Released), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn skip(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<SkipRequest>,
) -> Result<Json<Released>, Problem> {
    let SkipRequest { owner, entity, reason } = body.value;
    let owner = read_text("/owner", &owner, &OWNER)?;
    let entity = read_text("/entity", &entity, &ENTITY)?;
    let route = format!("POST /api/admin/parked/skip {owner} {entity}");
    let came = Write::new(&shop, &caller, &headers, &route, &body.raw);
    let request = |stream, command| came.request(stream, command);
    let events = skip_past(&shop, &owner, &entity, reason, request).await?;
    Ok(Json(Released { owner, entity, events }))
}

/// Records that the event is skipped that an entity is parked from, and tries what waits behind it;
/// answers how many events waited.
pub async fn skip_past(
    shop: &Shop,
    owner: &str,
    entity: &str,
    reason: String,
    request: impl FnOnce(StreamName, SkipsCommand) -> CommandRequest<SkipsCommand>,
) -> Result<usize, Problem> {
    let parked = shop.maintenance.find(owner, entity).await.map_err(refused)?;
    let skip = skip_of(&parked)?;
    let command = SkipsCommand::Skip { skip: skip.clone(), reason };
    shop.skips.execute(request(Skips::stream(owner), command)).await.map_err(problem)?;
    shop.maintenance.retry(owner, entity, Some(skip)).await.map_err(refused)
}

/// What is to be skipped. What a process did itself can't be passed over, nor would it help a row that
/// can't be read.
fn skip_of(parked: &Parked) -> Result<Skip, Problem> {
    let poison = &parked.poison;
    if !poison.can_be_skipped {
        let detail = format!("{poison}; that can't be skipped: mend the program, or rebuild the read model");
        return Err(Problem::new("still-parked", detail));
    }
    let key = match &poison.entity {
        Entity::Key(key) => Some(key.clone()),
        Entity::Stream(_) => None,
    };
    Ok(Skip { stream: poison.stream.clone(), revision: poison.revision, key })
}

/// Has builds of read models take the place of the live ones, all at once. For admins.
///
/// `souk replay` makes builds and asks for this when they have caught up.
#[utoipa::path(post, path = "/api/admin/projections/switch", tag = "operations", request_body = SwitchRequest,
    responses((status = 200, body = Switched), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn switch(
    State(shop): State<Shop>,
    body: StrictJson<SwitchRequest>,
) -> Result<Json<Switched>, Problem> {
    let builds = body.value.builds;
    if builds.is_empty() || builds.len() > BUILDS_MAX {
        return Err(Problem::field("/builds", "out-of-range", format!("1 to {BUILDS_MAX} are allowed")));
    }
    let name = |(index, build): (usize, BuildShape)| {
        let name = read_text(&format!("/builds/{index}/name"), &build.name, &OWNER)?;
        Ok((name, build.build))
    };
    let builds = builds.into_iter().enumerate().map(name).collect::<Result<Vec<_>, Problem>>()?;
    let position = shop.maintenance.switch(builds).await.map_err(refused)?;
    Ok(Json(Switched { position: position.to_string() }))
}
