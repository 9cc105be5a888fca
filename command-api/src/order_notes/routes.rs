//! `POST /api/orders/{id}/notes`, `PUT | DELETE /api/orders/{id}/notes/{note}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::order::{Order, OrderState};
use souk_domain::order_notes::{OrderNotes, OrderNotesCommand};
use souk_domain::text::rules::NOTE;
use souk_domain::{CustomerId, NoteId, OrderId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandRequest, Personal};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::{WriteResponse, Written, read_text};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::orders::access::load_order;
use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;
use crate::reply::{Reply, send};
use crate::users::erasure;

use super::request::NoteRequest;

/// Returns the routes that write notes on orders.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(write), Access::Admin)
        .route(routes!(rewrite), Access::Admin)
        .route(routes!(remove), Access::Admin)
}

/// Writes a note on an order. Buyers never see it. For admins.
///
/// The shop encrypts the text with a key that the erasure of the buyer destroys.
#[utoipa::path(post, path = "/api/orders/{id}/notes", tag = "orders", request_body = NoteRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 201, body = Written, headers(("Location" = String)))))]
pub async fn write(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<NoteRequest>,
) -> Reply {
    let text = read_text("/text", &body.value.text, &NOTE)?;
    let author = author(&caller)?;
    let (order, loaded) = load_order(&ports, &caller, &id).await?;
    let request = WriteRequest::new(&ports, &caller, &headers, &[&order], &body.raw);
    let sealed = personal(&ports, order, &loaded.state, &request.origin, text.clone()).await?;
    let note = NoteId(request.origin.command_id.derived_id("note"));
    let command = OrderNotesCommand::Write { author, text: sealed };
    let command = request.request(OrderNotes::stream(order), command);
    let response = send(&*ports.aggregates.order_notes, command, &note).await?;
    reseal_if_moved(&ports, order, &loaded.state, note, text, &request.origin).await?;
    let location = Some(format!("/api/orders/{order}/notes/{note}"));
    Ok(WriteResponse { status: StatusCode::CREATED, location, ..response })
}

/// Replaces the text of a note on an order. The same text changes nothing. For admins.
#[utoipa::path(put, path = "/api/orders/{id}/notes/{note}", tag = "orders", request_body = NoteRequest,
    params(("id" = String, Path, format = "uuid"), ("note" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn rewrite(
    State(ports): State<Ports>,
    caller: Caller,
    Path((id, note)): Path<(String, String)>,
    headers: WriteHeaders,
    body: StrictJson<NoteRequest>,
) -> Reply {
    let text = read_text("/text", &body.value.text, &NOTE)?;
    let author = author(&caller)?;
    let (order, loaded) = load_order(&ports, &caller, &id).await?;
    let note = note_id(&note)?;
    let request = WriteRequest::new(&ports, &caller, &headers, &[&order, &note], &body.raw);
    let equal = equal_text(&ports, order, note, &text).await?;
    let sealed = personal(&ports, order, &loaded.state, &request.origin, text.clone()).await?;
    let command = OrderNotesCommand::Rewrite { note, author, text: sealed, equal };
    let command = request.request(OrderNotes::stream(order), command);
    let response = send(&*ports.aggregates.order_notes, command, &note).await?;
    reseal_if_moved(&ports, order, &loaded.state, note, text, &request.origin).await?;
    Ok(response)
}

/// Removes a note from an order. For admins.
#[utoipa::path(delete, path = "/api/orders/{id}/notes/{note}", tag = "orders",
    params(("id" = String, Path, format = "uuid"), ("note" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn remove(
    State(ports): State<Ports>,
    caller: Caller,
    Path((id, note)): Path<(String, String)>,
    headers: WriteHeaders,
) -> Reply {
    let (order, _) = load_order(&ports, &caller, &id).await?;
    let note = note_id(&note)?;
    let request = WriteRequest::new(&ports, &caller, &headers, &[&order, &note], &[]);
    let command = OrderNotesCommand::Remove { note };
    send(&*ports.aggregates.order_notes, request.request(OrderNotes::stream(order), command), &note).await
}

fn note_id(text: &str) -> Result<NoteId, Problem> {
    NoteId::parse(text).map_err(|_| Problem::new("not-found", "there is no such note"))
}

fn author(caller: &Caller) -> Result<CustomerId, Problem> {
    caller.signed_in().cloned()
}

/// Returns the stored text of a note if it equals a new text.
async fn equal_text(
    ports: &Ports,
    order: OrderId,
    note: NoteId,
    text: &str,
) -> Result<Option<Personal<String>>, Problem> {
    let loaded = ports.aggregates.order_notes.load(&OrderNotes::stream(order)).await?;
    let stored = loaded.as_ref().and_then(|loaded| loaded.state.text(note));
    let Some(stored) = stored else { return Ok(None) };
    let keys = ports.people.keys_for_opening(vec![stored.person().clone()]).await?;
    let is_equal = stored.reveal(&keys).is_some_and(|stored| stored == text);
    Ok(is_equal.then(|| stored.clone()))
}

/// Makes a text personal data of the order's person.
///
/// If the buyer was erased, this function first records that on the order, so that the order gets a key of
/// its own. That key is destroyed when the order has ended. After that, no note can be kept.
async fn personal(
    ports: &Ports,
    order: OrderId,
    state: &OrderState,
    origin: &Origin,
    text: String,
) -> Result<Personal<String>, Problem> {
    let not_found = || Problem::new("not-found", "there is no such order");
    let person = state.person().ok_or_else(not_found)?;
    if !ports.people.is_erased(person).await? {
        return Ok(Personal::new(person.clone(), "text", text));
    }
    let own = order.readdressed();
    if ports.people.is_erased(&own).await? {
        return Err(Problem::new("order-erased", "the personal data of the order was erased"));
    }
    erasure::erase_order(ports, order, person, origin).await?;
    Ok(Personal::new(own, "text", text))
}

/// Seals a note with the key of the customer if the order moved from the guest to a customer while the request ran.
///
/// The sweep that moves an order seals its notes again and then destroys the key of the guest. It does not know a
/// note that is appended between these two steps. `before` is the order from which the request took the person.
pub async fn reseal_if_moved(
    ports: &Ports,
    order: OrderId,
    before: &OrderState,
    note: NoteId,
    text: String,
    origin: &Origin,
) -> Result<(), Problem> {
    let now = ports.aggregates.orders.load(&Order::stream(order)).await?;
    let Some(person) = now.as_ref().and_then(|now| now.state.person()) else { return Ok(()) };
    if before.person() == Some(person) {
        return Ok(());
    }
    let stream = OrderNotes::stream(order);
    let notes = ports.aggregates.order_notes.load(&stream).await?;
    let Some(stored) = notes.as_ref().and_then(|notes| notes.state.text(note)) else { return Ok(()) };
    // A later write of another request has the current person already.
    if before.person() != Some(stored.person()) {
        return Ok(());
    }
    let text = Personal::new(person.clone(), "text", text);
    let command = OrderNotesCommand::Reseal { note, stored: stored.clone(), text };
    let request = CommandRequest::new(stream, command, origin.follow_up("reseal"));
    ports.aggregates.order_notes.execute(request).await.map_err(problem)?;
    Ok(())
}
