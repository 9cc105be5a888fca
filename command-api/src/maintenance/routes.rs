//! `POST /api/admin/parked/retry | skip`, `POST /api/admin/projections/switch`.

use axum::Json;
use axum::extract::State;
use souk_domain::TextRule;
use souk_domain::skips::{Skips, SkipsCommand};
use souk_eventsourcing::id::STREAM_NAME_BYTES_MAX;
use souk_eventsourcing::parking::{Entity, Parked, Skip};
use souk_eventsourcing::{CommandRequest, Position, StreamName};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::read_text;
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;

use super::MaintenanceError;
use super::request::{BuildShape, Released, RetryRequest, SkipRequest, SwitchRequest, Switched};

/// Largest number of digits of a position.
const POSITION_DIGITS_MAX: usize = 18;
/// Largest number of builds in one request.
const BUILDS_MAX: usize = 100;
/// Rule for the name of a read model or process.
const OWNER: TextRule = TextRule::line(1, 64);
/// Rule for the name of an entity: a key of a read model, an instance of a process, or a stream. The text is
/// not trimmed, because a key may begin with a space.
const ENTITY: TextRule = TextRule::external(STREAM_NAME_BYTES_MAX);

/// Returns the routes for maintenance.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(retry), rules(Access::Admin).ignores_idempotency_keys())
        .route(routes!(skip), rules(Access::Admin).without_revision())
        .route(routes!(switch), rules(Access::Admin).ignores_idempotency_keys().long_timeout())
}

fn maintenance_problem(error: MaintenanceError) -> Problem {
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

/// Applies the waiting events of a parked entity with the current version of the program. For admins.
#[utoipa::path(post, path = "/api/admin/parked/retry", tag = "operations", request_body = RetryRequest,
    responses((status = 200, body = Released)))]
pub async fn retry(
    State(ports): State<Ports>,
    body: StrictJson<RetryRequest>,
) -> Result<Json<Released>, Problem> {
    let owner = read_text("/owner", &body.value.owner, &OWNER)?;
    let entity = read_text("/entity", &body.value.entity, &ENTITY)?;
    let events = ports.maintenance.retry(&owner, &entity, None).await.map_err(maintenance_problem)?;
    Ok(Json(Released { owner, entity, events }))
}

/// Skips the event that a parked entity can't apply, and continues with the next event. For admins.
///
/// The log records the skip with its reason, so that a rebuild skips the event too. With `position`, the
/// request skips an event that stops a rebuild, although the live read model applied it and has nothing
/// parked.
#[utoipa::path(post, path = "/api/admin/parked/skip", tag = "operations", request_body = SkipRequest,
    responses((status = 200, body = Released)))]
pub async fn skip(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<SkipRequest>,
) -> Result<Json<Released>, Problem> {
    let SkipRequest { owner, entity, reason, position } = body.value;
    let owner = read_text("/owner", &owner, &OWNER)?;
    let entity = read_text("/entity", &entity, &ENTITY)?;
    let position = position.as_deref().map(read_position).transpose()?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&owner, &entity], &body.raw);
    let request = |stream, command| write.request(stream, command);
    let skipped = SkippedEvent { owner: &owner, entity: &entity, position, reason };
    let events = skip_event(&ports, skipped, request).await?;
    Ok(Json(Released { owner, entity, events }))
}

/// Reads a position from its decimal digits.
fn read_position(text: &str) -> Result<Position, Problem> {
    let is_number =
        (1..=POSITION_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number).map(Position);
    number.ok_or_else(|| {
        let detail = format!("a position has 1 to {POSITION_DIGITS_MAX} digits");
        Problem::field("/position", "invalid-position", detail)
    })
}

/// An event to skip, for one entity.
#[derive(Debug)]
pub struct SkippedEvent<'a> {
    /// Name of the read model or process.
    pub owner: &'a str,
    /// Key or stream that can't apply the event.
    pub entity: &'a str,
    /// Position of the event, if it stops a rebuild and the entity is not parked.
    pub position: Option<Position>,
    /// Reason in the operator's words.
    pub reason: String,
}

/// Records that an event is skipped, and retries the events that wait behind it. Returns the number of
/// waiting events.
pub async fn skip_event(
    ports: &Ports,
    skipped: SkippedEvent<'_>,
    request: impl FnOnce(StreamName, SkipsCommand) -> CommandRequest<SkipsCommand>,
) -> Result<usize, Problem> {
    let SkippedEvent { owner, entity, position, reason } = skipped;
    let skip = match position {
        Some(position) => {
            ports.maintenance.skip_at(owner, entity, position).await.map_err(maintenance_problem)?
        }
        None => skip_of(&ports.maintenance.find(owner, entity).await.map_err(maintenance_problem)?)?,
    };
    let command = SkipsCommand::Skip { skip: skip.clone(), reason };
    ports.aggregates.skips.execute(request(Skips::stream(owner), command)).await.map_err(problem)?;
    match ports.maintenance.retry(owner, entity, Some(skip)).await {
        // The live read model applied the event and has nothing parked. Only rebuilds skip it.
        Err(MaintenanceError::NotParked { .. }) if position.is_some() => Ok(0),
        retried => retried.map_err(maintenance_problem),
    }
}

/// Returns the skip of the event that a parked entity can't apply. Returns a problem if a skip can't help: if
/// a process wrote the event itself, or if the row can't be read.
fn skip_of(parked: &Parked) -> Result<Skip, Problem> {
    let failure = &parked.failure;
    if !failure.can_be_skipped {
        let detail = format!("{failure}; this can't be skipped: fix the program, or rebuild the read model");
        return Err(Problem::new("still-parked", detail));
    }
    let key = match &failure.entity {
        Entity::Key(key) => Some(key.clone()),
        Entity::Stream(_) => None,
    };
    Ok(Skip { stream: failure.stream.clone(), revision: failure.revision, key })
}

/// Makes new builds of read models live, all at once. For admins.
///
/// `souk replay` makes the builds, and sends this request when they have caught up.
#[utoipa::path(post, path = "/api/admin/projections/switch", tag = "operations", request_body = SwitchRequest,
    responses((status = 200, body = Switched)))]
pub async fn switch(
    State(ports): State<Ports>,
    body: StrictJson<SwitchRequest>,
) -> Result<Json<Switched>, Problem> {
    let builds = body.value.builds;
    if builds.is_empty() || builds.len() > BUILDS_MAX {
        return Err(Problem::field(
            "/builds",
            "out-of-range",
            format!("1 to {BUILDS_MAX} builds are allowed"),
        ));
    }
    let read_build = |(index, build): (usize, BuildShape)| {
        let name = read_text(&format!("/builds/{index}/name"), &build.name, &OWNER)?;
        Ok((name, build.build))
    };
    let builds = builds.into_iter().enumerate().map(read_build).collect::<Result<Vec<_>, Problem>>()?;
    let position = ports.maintenance.switch(builds).await.map_err(maintenance_problem)?;
    Ok(Json(Switched { position: position.to_string() }))
}
