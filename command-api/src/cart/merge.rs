//! `POST /api/cart/merge`: moves the lines of a guest's cart to a customer's cart.
//!
//! First, one event takes the lines out of the guest's cart and names the customer's cart. It is appended at
//! the revision that was read, so if two requests merge the same cart, or one merges and one orders it, only
//! one of them gets the lines. Then a command adds the lines to the customer's cart. The id of this command
//! is derived from the event, so the lines are added once, even if several requests send it. If a crash
//! separates the two steps, the next merge of the same two carts completes the first one.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use souk_domain::cart::event::CartLine;
use souk_domain::cart::state::Transfer;
use souk_domain::cart::{Cart, CartCommand, CartEvent, CartRejection, CartState, check_merge};
use souk_domain::{CartId, CustomerId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandId, CommandRequest, Completion, Position};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::WriteResponse;
use souk_http::{Caller, Problem, StrictJson, cart_token};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::{problem, problem_at};
use crate::reply::Reply;

use super::request::{CappedLine, CartsMerged, MergeRequest};

/// Attempts to take the lines out of a guest's cart that other requests change at the same time.
const ATTEMPTS_MAX: u32 = 8;

/// Returns the route that merges carts.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command).route(routes!(merge), Access::SignedIn)
}

/// Moves the lines of a guest's cart to the customer's cart. A line has a limit of units: the response lists
/// the lines that could not take all of them. Repeat the request to complete a merge that was interrupted.
#[utoipa::path(post, path = "/api/cart/merge", tag = "cart", request_body = MergeRequest,
    responses((status = 200, body = CartsMerged)))]
pub async fn merge(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<MergeRequest>,
) -> Reply<CartsMerged> {
    let customer = caller.signed_in()?.clone();
    let from = cart_token::verify(&ports.keys, &body.value.cart_token).ok_or_else(|| {
        Problem::field("/cartToken", "unknown-token", "a token that this shop issued is allowed")
    })?;
    let into = CartId::of_customer(&customer);
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let merge = CartMerge { ports: &ports, write: &write, from, into, customer };
    let mut merged = merge.add_lines(None).await?;
    let own_revision = merge.take_lines().await?;
    if own_revision.is_some() {
        merged.append(merge.add_lines(own_revision).await?);
    }
    // With an idempotency key, this leaves a noted event on the customer's cart, so that a repeat gets the
    // same response.
    let empty_merge = CartCommand::Merge {
        from,
        from_revision: 0,
        lines: Vec::new(),
        previous_transfer: None,
        customer: merge.customer.clone(),
    };
    let mut request = write.request(Cart::stream(into), empty_merge);
    if own_revision.is_some() {
        request.if_match = None;
    }
    let outcome = ports.aggregates.carts.execute(request).await.map_err(problem)?;
    let position = outcome.position.max(merged.position);
    let revision = outcome.revision;
    let body = CartsMerged {
        id: into.to_string(),
        revision: revision.0,
        position: position.to_string(),
        capped: merged.capped,
    };
    Ok(WriteResponse { status: StatusCode::OK, location: None, revision, position, body })
}

/// The merge of a guest's cart into a customer's cart, by one request.
struct CartMerge<'a> {
    ports: &'a Ports,
    write: &'a WriteRequest<'a>,
    from: CartId,
    into: CartId,
    customer: CustomerId,
}

/// The result of adding lines to the customer's cart.
#[derive(Default)]
struct MergedLines {
    /// Position of the last event that was appended.
    position: Position,
    /// Lines that could not take all units.
    capped: Vec<CappedLine>,
}

impl MergedLines {
    fn append(&mut self, more: Self) {
        self.position = self.position.max(more.position);
        self.capped.extend(more.capped);
    }
}

impl CartMerge<'_> {
    /// Takes the lines out of the guest's cart, unless an earlier request under the same idempotency key did
    /// so. Returns the revision at which the lines left; `None` if there is nothing to merge.
    async fn take_lines(&self) -> Result<Option<u64>, Problem> {
        let Self { ports, write, from, into, .. } = self;
        let stream = Cart::stream(*from);
        let origin = write.origin.follow_up("give away");
        for _ in 0..ATTEMPTS_MAX {
            if write.keyed {
                if let Some(found) = ports.aggregates.carts.find(&stream, &origin).await.map_err(problem)? {
                    let event = found.first.decode().map_err(|error| Problem::internal(&error))?;
                    return Ok(match event {
                        CartEvent::MergedAway(away) => Some(away.at_revision),
                        _ => None,
                    });
                }
                // The first request under this key found nothing to merge, or an older version of Souk
                // handled it.
                if ports
                    .aggregates
                    .carts
                    .find(&Cart::stream(*into), &write.origin)
                    .await
                    .map_err(problem)?
                    .is_some()
                {
                    return Ok(None);
                }
            }
            let Some(guest) = ports.aggregates.carts.load(&stream).await? else { return Ok(None) };
            if guest.state.is_empty() {
                return Ok(None);
            }
            self.check(&guest.state.cart_lines()).await?;
            let at_revision = guest.revision.0;
            let command = CartCommand::GiveAway { into: *into, at_revision };
            let request = CommandRequest::new(stream.clone(), command, origin.clone());
            let if_match = Some(guest.revision.into());
            let request = CommandRequest { repeatable: write.keyed, if_match, ..request };
            match ports.aggregates.carts.execute(request).await {
                Ok(outcome) if outcome.completion == Completion::Appended => return Ok(Some(at_revision)),
                // Another request changed the cart meanwhile, or the same request was repeated at the same
                // time.
                Ok(_) | Err(CommandError::RevisionMismatch { .. }) => {}
                Err(error) => return Err(problem(error)),
            }
        }
        Err(problem(CommandError::<CartRejection>::Conflict { attempts: ATTEMPTS_MAX }))
    }

    /// Refuses lines that the customer's cart can't take, while they are still in the guest's cart.
    async fn check(&self, lines: &[CartLine]) -> Result<(), Problem> {
        let loaded = self.ports.aggregates.carts.load(&Cart::stream(self.into)).await?;
        let current = loaded.as_ref().map(|loaded| loaded.revision);
        if self.write.if_match().is_some_and(|required| !required.is_met_by(current)) {
            return Err(problem(CommandError::<CartRejection>::RevisionMismatch { current }));
        }
        let state = loaded.map(|loaded| loaded.state).unwrap_or_default();
        check_merge(&state, lines)
            .map_err(|rejection| problem_at("/cartToken", CommandError::Rejected(rejection)))
    }

    /// Adds to the customer's cart all lines that left the guest's cart and were not added yet. `own` is the
    /// revision at which this request took lines out of the guest's cart.
    async fn add_lines(&self, own_revision: Option<u64>) -> Result<MergedLines, Problem> {
        let mut merged = MergedLines::default();
        let Some(guest) = self.ports.aggregates.carts.load(&Cart::stream(self.from)).await? else {
            return Ok(merged);
        };
        if guest.state.transfers_to(self.into).next().is_none() {
            return Ok(merged);
        }
        let into = self.ports.aggregates.carts.load(&Cart::stream(self.into)).await?;
        let revisions = |state: &CartState| {
            state.merges_of(self.from).map(|(revision, _)| revision).collect::<BTreeSet<_>>()
        };
        let merged_revisions = into.map(|into| revisions(&into.state)).unwrap_or_default();
        for transfer in guest.state.transfers_to(self.into) {
            if own_revision == Some(transfer.at_revision) || !merged_revisions.contains(&transfer.at_revision)
            {
                merged.append(self.add_once(transfer, own_revision).await?);
            }
        }
        Ok(merged)
    }

    /// Adds the lines of one transfer to the customer's cart, once for all requests.
    async fn add_once(&self, transfer: &Transfer, own_revision: Option<u64>) -> Result<MergedLines, Problem> {
        let command = CartCommand::Merge {
            from: self.from,
            from_revision: transfer.at_revision,
            lines: transfer.lines.clone(),
            previous_transfer: transfer.previous,
            customer: self.customer.clone(),
        };
        let origin = self.origin_of(transfer);
        let stream = Cart::stream(self.into);
        let request = CommandRequest::new(stream.clone(), command, origin.clone()).repeatable();
        let outcome = self.ports.aggregates.carts.execute(request).await.map_err(problem)?;
        let is_reported =
            outcome.completion == Completion::Appended || own_revision == Some(transfer.at_revision);
        let found = if is_reported {
            self.ports.aggregates.carts.find(&stream, &origin).await.map_err(problem)?
        } else {
            None
        };
        let event = found.map(|found| found.first.decode()).transpose();
        let capped = match event.map_err(|error| Problem::internal(&error))? {
            Some(CartEvent::Merged(merged)) => CappedLine::of(&merged),
            _ => Vec::new(),
        };
        Ok(MergedLines { position: outcome.position, capped })
    }

    /// Returns the origin of the command that adds the lines. Its id is the same for every request.
    fn origin_of(&self, transfer: &Transfer) -> Origin {
        let from = self.from.to_string();
        let at_revision = transfer.at_revision.to_string();
        let command_id = CommandId::of(&[b"cart merge", from.as_bytes(), at_revision.as_bytes()]);
        Origin { command_id, request_hash: None, ..self.write.origin.clone() }
    }
}
