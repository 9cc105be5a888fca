//! `POST /api/admin/parked/retry | skip`, `POST /api/admin/projections/switch`.

use axum::Json;
use axum::extract::State;
use souk_domain::TextRule;
use souk_domain::skips::{Skips, SkipsCommand};
use souk_eventsourcing::id::STREAM_NAME_BYTES_MAX;
use souk_eventsourcing::parking::{Entity, Parked, Skip};
use souk_eventsourcing::{CommandRequest, Position, StreamName};
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::read_text;
use souk_http::{Caller, Problem, StrictJson};

use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::MaintenanceError;
use super::request::{BuildShape, Released, RetryRequest, SkipRequest, SwitchRequest, Switched};

/// Digits of a position.
const POSITION_DIGITS_MAX: usize = 18;
/// Builds that are switched at once.
const BUILDS_MAX: usize = 100;
/// The name of a read model or a process.
const OWNER: TextRule = TextRule::line(1, 64);
/// A key of a read model or the name of a stream. It is compared as it is: a key may begin with a blank.
const ENTITY: TextRule = TextRule::foreign(STREAM_NAME_BYTES_MAX);

fn refused(error: MaintenanceError) -> Problem {
    let code = match error {
        MaintenanceError::NotParked { .. }
        | MaintenanceError::NothingToSkip(_)
        | MaintenanceError::NoBuild(_) => "not-found",
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
/// That is recorded in the log with its reason, so that a rebuild comes to the same. With a position, an event is
/// passed over that stops a rebuild, though the live read model took it in and has nothing parked.
#[utoipa::path(post, path = "/api/admin/parked/skip", tag = "operations", request_body = SkipRequest,
    responses((status = 200, body = Released), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn skip(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<SkipRequest>,
) -> Result<Json<Released>, Problem> {
    let SkipRequest { owner, entity, reason, position } = body.value;
    let owner = read_text("/owner", &owner, &OWNER)?;
    let entity = read_text("/entity", &entity, &ENTITY)?;
    let position = position.as_deref().map(read_position).transpose()?;
    let route = format!("POST /api/admin/parked/skip {owner} {entity}");
    let came = Write::new(&shop, &caller, &headers, &route, &body.raw);
    let request = |stream, command| came.request(stream, command);
    let passed = Passed { owner: &owner, entity: &entity, position, reason };
    let events = skip_past(&shop, passed, request).await?;
    Ok(Json(Released { owner, entity, events }))
}

/// Reads a position from its decimal digits.
fn read_position(text: &str) -> Result<Position, Problem> {
    let is_number =
        (1..=POSITION_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number).map(Position);
    number.ok_or_else(|| {
        let detail = format!("a position of 1 to {POSITION_DIGITS_MAX} digits is allowed");
        Problem::field("/position", "invalid-position", detail)
    })
}

/// An event that is to be passed over.
#[derive(Debug)]
pub struct Passed<'a> {
    /// The read model or process.
    pub owner: &'a str,
    /// The key or stream that can't take the event.
    pub entity: &'a str,
    /// The event's position, where the entity is not parked from it.
    pub position: Option<Position>,
    /// Why, in somebody's words.
    pub reason: String,
}

/// Records that an event is skipped, and tries what waits behind it for an entity that is parked; answers how many
/// events waited.
pub async fn skip_past(
    shop: &Shop,
    passed: Passed<'_>,
    request: impl FnOnce(StreamName, SkipsCommand) -> CommandRequest<SkipsCommand>,
) -> Result<usize, Problem> {
    let Passed { owner, entity, position, reason } = passed;
    let skip = match position {
        Some(position) => shop.maintenance.skip_at(owner, entity, position).await.map_err(refused)?,
        None => skip_of(&shop.maintenance.find(owner, entity).await.map_err(refused)?)?,
    };
    let command = SkipsCommand::Skip { skip: skip.clone(), reason };
    shop.skips.execute(request(Skips::stream(owner), command)).await.map_err(problem)?;
    match shop.maintenance.retry(owner, entity, Some(skip)).await {
        // A live model that took the event in has nothing parked: only rebuilds pass the event over.
        Err(MaintenanceError::NotParked { .. }) if position.is_some() => Ok(0),
        retried => retried.map_err(refused),
    }
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
